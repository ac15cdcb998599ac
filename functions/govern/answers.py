"""What govern answers, for the API's description. Views make it (views.py); these say what it is.

Records of the domain that are shown as they are, such as a policy, are named as they are.
"""

from datetime import date
from typing import Any

from pydantic import Field

from functions.govern.calibration_answers import Group, MeasuredAt
from proviso.domain.conditions import Attested
from proviso.domain.deployment import DeploymentState, Grounds, RealTimeGrounds
from proviso.domain.people import Role
from proviso.domain.policy import Policy
from proviso.edge.answers import Answer, Moment


class Person(Answer):
    """A person with their roles."""

    sub: str = Field(description="the account, as the identity provider names it")
    roles: list[Role]
    trained_until: Moment | None = Field(description="until when their training to review is current")
    rank: str | None


class People(Answer):
    """Everybody with a role."""

    people: list[Person]


class Member(Answer):
    """Somebody who is named for a deployment."""

    deployment_id: str
    sub: str
    role: Role
    added_by: str
    added_at: Moment


class Watchlist(Answer):
    """A list without its entries."""

    id: str
    name: str
    policy: str
    categories: list[str] = Field(description="whom it may list")
    max_entries: int
    created_by: str
    created_at: Moment
    consent_required: bool
    under_18_allowed: bool
    image_refuse_age_years: int
    entries: int = Field(description="how many")
    references: int = Field(description="how many enrolled pictures")
    delete_requested_at: Moment | None = Field(description="since when it is being erased")


class Watchlists(Answer):
    """All lists, without their entries."""

    watchlists: list[Watchlist]


class ListedEntry(Answer):
    """A person on a list."""

    id: str
    reference_no: str
    label: str = Field(description="the name")
    category: str
    references: int = Field(description="how many enrolled pictures")
    removed_at: Moment | None = Field(description="since when no search returns it")
    under_18: bool
    waits_for_approval: bool = Field(description="in no build before a second person has approved it")


class WatchlistWithEntries(Watchlist):
    """A list with its entries."""

    list: list[ListedEntry]
    pipeline: str = Field(description="with which references are computed now")


class AddedEntry(Answer):
    """An entry as added."""

    id: str
    reference_no: str
    warnings: list[str] = Field(description="sentences for who added it")


class ApprovedEntry(Answer):
    """An entry under 18 that a second person approved."""

    id: str
    approved_by: str | None


class Removed(Answer):
    """It is gone from now on."""

    removed: bool


class Build(Answer):
    """An immutable snapshot of a list for one pipeline."""

    id: str
    watchlist_id: str
    pipeline: str
    digest: str
    entries: int
    references: int
    built_by: str
    built_at: Moment


class Accepted(Answer):
    """Accepted; it is done within a minute or two."""

    state: str


class Exposure(Answer):
    """Which share of those who pass is of a group."""

    dimension: str
    group: str
    low: str
    high: str
    source: str


class Deployment(Answer):
    """A deployment with the digest that is authorised."""

    id: str
    state: DeploymentState
    use: str
    place: str
    premises: str
    cameras: list[str]
    starts_at: Moment
    ends_at: Moment
    passages_expected: int
    burst_frames: int = Field(description="how many frames an upload may hold; 1 for single frames only")
    watchlist_id: str
    build_id: str
    build_digest: str
    pipeline: str
    threshold: str = Field(description="a cosine similarity, as a decimal")
    policy: Policy
    software_build: str
    grounds: Grounds
    requested_by: str
    requested_at: Moment
    authorised_by: str | None
    authorised_at: Moment | None
    authorised_digest: str | None
    started_at: Moment | None
    finished_at: Moment | None
    finished_by: str | None
    closed_at: Moment | None
    calibration_id: str | None
    real_time: RealTimeGrounds | None
    exposure: list[Exposure] = Field(description="declared shares of passers-by by group")
    search_until: Moment | None = Field(description="until when may be searched; null before it is active")
    calibrated: bool
    digest: str = Field(description="of all that is authorised; send it to authorise")
    policy_title: str = Field(description="how the policy is called wherever the deployment is shown")
    policy_differences: list[str] = Field(description="in what it is looser than the policy that it extends")


class Deployments(Answer):
    """All deployments, newest first."""

    deployments: list[Deployment]


class FalseCandidates(Answer):
    """How many false candidates are to be expected."""

    low: float | None
    high: float | None
    passages: int
    unit: str
    sentence: str


class Attestation(Answer):
    """What a named person stood in for."""

    deployment_id: str
    kind: Attested
    statement: str
    made_by: str
    made_at: Moment
    published_at: Moment | None


class PriorAuthorisation(Answer):
    """A decision of a court or an independent authority."""

    id: str
    deployment_id: str
    body: str
    reference: str
    decided_on: date
    document_sha256: str
    granted: bool
    place: str
    valid_from: Moment
    valid_until: Moment
    persons: list[str] = Field(description="reference numbers")
    recorded_by: str
    recorded_at: Moment


class NamedMember(Answer):
    """Who reviews or receives."""

    sub: str
    role: Role


class ShownDeployment(Deployment):
    """A deployment with all that its authoriser must see."""

    expected_false_candidates: FalseCandidates
    calibration: MeasuredAt | None = Field(description="null: nothing was measured of its pipeline")
    site_trial: MeasuredAt | None = Field(description="the latest at this place with its pipeline")
    threshold_floor: str | None = Field(description="the lowest threshold; null: not measured for such a list")
    floor_set_by: str = Field(
        description="which list set it; where that group had too few people to be measured, how many, and what the"
        " lowest threshold would be if measured lists alone counted"
    )
    groups: list[Group] = Field(description="false candidates by group, at the calibration's lowest threshold")
    entries: int | None = Field(description="listed in its build, removed ones left out")
    attestations: list[Attestation]
    decisions: list[PriorAuthorisation]
    members: list[NamedMember]
    missing: str | None = Field(description="what its start would be refused for now")
    warnings: list[str] = Field(description="who would be told nothing, and why")


class Stopped(Answer):
    """What the stop did."""

    stopped: list[str] = Field(description="deployments that it ended")
    permits_deleted: list[str] = Field(description="cameras whose frames are refused from now on")
    database: str = Field(description="`done`, or `away: spooled`: recorded as soon as it is back")


class StoreCount(Answer):
    """How many items are left in one store."""

    store: str
    left: int


class Certificate(Answer):
    """What was deleted, with the count of what is left in each store."""

    deployment_id: str
    watchlist_id: str
    counts: list[StoreCount]
    verified_at: Moment
    backups_expire_at: Moment
    held: int = Field(description="evidence pictures that a hold keeps")
    backups_expired_at: Moment | None = Field(description="when the last backup was seen to be gone")
    complete: bool = Field(description="nothing is left in any live store")


class AuditRecord(Answer):
    """One record as it was written and hashed."""

    chain: str
    sequence: int
    body: dict[str, Any]
    canonical: str = Field(description="the very text that was hashed")
    previous: str
    hash: str


class Audit(Answer):
    """A chain, and the first fault in it."""

    records: list[AuditRecord]
    fault: str | None


class StoredRecord(Answer):
    """One record as an export holds it: the body is the very text that was hashed."""

    chain: str
    sequence: int
    body: str
    previous: str
    hash: str


class AuditPage(Answer):
    """Records of one chain."""

    chain: str
    records: list[StoredRecord]
    next_after: int | None = Field(description="go on after this one; null when these are the last for now")


class ChainHead(Answer):
    """A chain by its last record."""

    chain: str
    sequence: int
    hash: str


class AuditChains(Answer):
    """All chains; what was written by `at` is in them."""

    at: Moment
    chains: list[ChainHead]
