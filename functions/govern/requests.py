"""What govern accepts, checked at the edge: unknown fields are refused, so that nobody believes they were heard."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from proviso.domain.conditions import Attested, PriorAuthorisation
from proviso.domain.deployment import Grounds, RealTimeGrounds
from proviso.domain.people import Person, Role
from proviso.stages.deployment import DeploymentRequest
from proviso.stages.watchlist import EntryRequest

Line = Annotated[str, Field(min_length=1, max_length=200)]
Paragraph = Annotated[str, Field(min_length=1, max_length=4000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class PersonBody(_Body):
    sub: Line
    roles: list[Role]
    trained_until: AwareDatetime | None = None
    rank: Line | None = None

    def person(self) -> Person:
        return Person(self.sub, frozenset(self.roles), self.trained_until, self.rank)


class MemberBody(_Body):
    sub: Line
    role: Role


class WatchlistBody(_Body):
    name: Line
    policy: Line


class EntryBody(_Body):
    label: Line
    category: Line
    reason: Paragraph
    source: Line
    lawful_holding: Line
    image_date: date
    reference_no: Line | None = None
    consent_reference: Line | None = None
    under_18: bool = False
    harm_reason: Paragraph | None = None

    def request(self) -> EntryRequest:
        return EntryRequest(**self.model_dump())


class GroundsBody(_Body):
    operator_kind: Line
    operator_name: Line
    legal_basis: Paragraph
    policy_document: Line
    necessity: Paragraph
    proportionality: Paragraph
    less_intrusive_means: Paragraph
    schedule_8_condition: Line
    data_protection_assessment: Line
    equality_assessment: Line
    community_assessment: Line


class RealTimeBody(_Body):
    """What a policy asks for beside where the AI Act holds (S37)."""

    objective: Line
    national_law: Line
    rights_impact_assessment: Line
    registration_number: Line
    urgency: Annotated[str, Field(max_length=4000)] = ""


class DeploymentBody(_Body):
    use: Line
    place: Line
    premises: Line
    cameras: Annotated[list[Line], Field(min_length=1, max_length=100)]
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    passages_expected: Annotated[int, Field(ge=1, le=100_000_000)]
    watchlist_id: Line
    build_id: Line
    threshold: Annotated[Decimal, Field(gt=0, lt=1, max_digits=6, decimal_places=5)]
    policy: Line
    grounds: GroundsBody
    real_time: RealTimeBody | None = None

    def request(self) -> DeploymentRequest:
        return DeploymentRequest(
            use=self.use,
            place=self.place,
            premises=self.premises,
            cameras=tuple(self.cameras),
            starts_at=self.starts_at.astimezone(UTC),
            ends_at=self.ends_at.astimezone(UTC),
            passages_expected=self.passages_expected,
            watchlist_id=self.watchlist_id,
            build_id=self.build_id,
            threshold=self.threshold,
            grounds=Grounds(**self.grounds.model_dump()),
            real_time=RealTimeGrounds(**self.real_time.model_dump()) if self.real_time else None,
        )


class AuthoriseBody(_Body):
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class AttestationBody(_Body):
    kind: Attested
    statement: Paragraph
    published_at: AwareDatetime | None = None


class DecisionBody(_Body):
    """A decision of a court or an independent authority; `persons` are reference numbers."""

    body: Line
    reference: Line
    decided_on: date
    document_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    granted: bool
    place: Line
    valid_from: AwareDatetime
    valid_until: AwareDatetime
    persons: Annotated[list[Line], Field(max_length=10_000)]

    def decision(self, deployment_id: str, identifier: str, by: str, at: datetime) -> PriorAuthorisation:
        return PriorAuthorisation(
            id=identifier,
            deployment_id=deployment_id,
            body=self.body,
            reference=self.reference,
            decided_on=self.decided_on,
            document_sha256=self.document_sha256,
            granted=self.granted,
            place=self.place,
            valid_from=self.valid_from.astimezone(UTC),
            valid_until=self.valid_until.astimezone(UTC),
            persons=tuple(dict.fromkeys(self.persons)),
            recorded_by=by,
            recorded_at=at,
        )
