"""What govern accepts, checked at the edge: unknown fields are refused, so that nobody believes they were heard."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Self

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from proviso.domain.burst import MOST_FRAMES
from proviso.domain.conditions import Attested, PriorAuthorisation
from proviso.domain.contacts import Address, Contact
from proviso.domain.deployment import Grounds, RealTimeGrounds
from proviso.domain.holds import MOST_DAYS, HoldKind
from proviso.domain.monitoring import Exposure
from proviso.domain.people import Person, Role
from proviso.stages.deployment import DeploymentRequest
from proviso.stages.watchlist import EntryRequest

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _within_reach(moment: datetime) -> datetime:
    """In UTC. Years at the edge of what a calendar knows have no UTC, and would end as a fault."""
    if not FIRST.replace(tzinfo=None) <= moment.replace(tzinfo=None) < LAST.replace(tzinfo=None):
        raise ValueError("a time lies between the years 2000 and 2200")
    return moment.astimezone(UTC)


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("one line of text, without control characters")
    return text


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
"""Text of one line: it stands in tables, logs and messages."""
Paragraph = Annotated[str, Field(min_length=1, max_length=4000)]
Moment = Annotated[AwareDatetime, AfterValidator(_within_reach)]
"""A time with its offset."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal."""
Purpose = Annotated[str, Query(min_length=1, max_length=200, description="what the look is for; it is recorded")]
Chain = Annotated[str, Query(min_length=1, max_length=200, description="a deployment's id, or `system`")]
After = Annotated[int, Query(ge=0, le=2**53, description="the number of the last record that is known already")]
Limit = Annotated[int, Query(ge=1, le=1000, description="how many records at most")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class PersonBody(_Body):
    """A person with the roles that they are to have; who is registered already gets these in place of the former."""

    sub: Annotated[Line, Field(description="the account, as the identity provider names it")]
    roles: Annotated[list[Role], Field(max_length=20)]
    trained_until: Annotated[Moment | None, Field(description="until when their training to review is current")] = None
    rank: Annotated[Line | None, Field(description="which some policies ask of an authoriser")] = None

    def person(self) -> Person:
        return Person(self.sub, frozenset(self.roles), self.trained_until, self.rank)


class MemberBody(_Body):
    """Somebody who is to review or receive for a deployment."""

    sub: Annotated[Line, Field(description="an account that is registered with this role")]
    role: Role


class ContactBody(_Body):
    """Where somebody is told, in which language, and of what."""

    email: Annotated[Line | None, Field(description="must confirm once before anything arrives", repr=False)] = None
    phone: Annotated[Line | None, Field(description="in international form, as +44...", repr=False)] = None
    language: Annotated[Line, Field(description="`en` or `cy`")] = "en"
    places: Annotated[list[Line], Field(max_length=50, description="as deployments name them; empty for all")] = []
    categories: Annotated[list[Line], Field(max_length=50, description="of the policies; empty for all")] = []

    def contact(self, sub: str, at: datetime) -> Contact:
        return Contact(
            sub=sub,
            language=self.language,
            email=Address(self.email) if self.email else None,
            phone=Address(self.phone) if self.phone else None,
            places=tuple(self.places),
            categories=tuple(self.categories),
            roles=frozenset(),
            set_at=at,
        )


class CameraBody(_Body):
    camera: Line


class WatchlistBody(_Body):
    """A list that is to be made."""

    name: Line
    policy: Annotated[Line, Field(description="by name; one that this installation has")]


class EntryBody(_Body):
    """Somebody who is to be listed, and on what ground (S06)."""

    label: Annotated[Line, Field(description="the name; shown to officers, and deleted with the list")]
    category: Annotated[Line, Field(description="one of the categories of the list's policy")]
    reason: Paragraph
    source: Annotated[Line, Field(description="where the picture is from")]
    lawful_holding: Annotated[Line, Field(description="why it may be held")]
    image_date: Annotated[date, Field(description="when the picture was taken")]
    reference_no: Annotated[Line | None, Field(description="stays after deletion; made up where none is given")] = None
    consent_reference: Annotated[Line | None, Field(description="of a recorded consent")] = None
    under_18: bool = False
    harm_reason: Annotated[Paragraph | None, Field(description="the harm to be averted; for somebody under 18")] = None

    def request(self) -> EntryRequest:
        return EntryRequest(**self.model_dump())


class GroundsBody(_Body):
    """Why it is necessary and proportionate, and the assessments made (S02)."""

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
    urgency: Annotated[str, Field(max_length=4000, description="why it cannot wait for a decision; or blank")] = ""


class ExposureBody(_Body):
    """Which share of those who pass is of a group: an interval, and where it is from (S27)."""

    dimension: Annotated[Line, Field(description="`sex`, `age` or `ethnicity`")]
    group: Annotated[Line, Field(description="as reviewers may record it")]
    low: Annotated[Decimal, Field(ge=0, le=1, decimal_places=6, description="between 0 and 1")]
    high: Annotated[Decimal, Field(ge=0, le=1, decimal_places=6, description="between 0 and 1")]
    source: Paragraph


class DeploymentBody(_Body):
    """What is to be authorised: use, place, cameras, times, list, threshold, policy and grounds."""

    use: Annotated[Line, Field(description="one of the policy's uses")]
    place: Annotated[Line, Field(description="as people on the street would say it; it stands in notices")]
    premises: Annotated[Line, Field(description="one of the policy's kinds of premises")]
    cameras: Annotated[list[Line], Field(min_length=1, max_length=100, description="each of a-z, 0-9 and -")]
    starts_at: Moment
    ends_at: Moment
    passages_expected: Annotated[
        int, Field(ge=1, le=100_000_000, description="how many people are expected to pass all its cameras in all")
    ]
    watchlist_id: Line
    build_id: Annotated[Line, Field(description="a build of that list")]
    threshold: Annotated[Decimal, Field(gt=0, lt=1, max_digits=6, decimal_places=5, description="a cosine similarity")]
    policy: Annotated[Line, Field(description="the policy that the list was made under")]
    grounds: GroundsBody
    real_time: RealTimeBody | None = None
    exposure: Annotated[list[ExposureBody], Field(max_length=11)] = []
    burst_frames: Annotated[
        int,
        Field(ge=1, le=MOST_FRAMES, description="how many frames an upload may hold; 1 for single frames only"),
    ] = 1

    def request(self) -> DeploymentRequest:
        return DeploymentRequest(
            use=self.use,
            place=self.place,
            premises=self.premises,
            cameras=tuple(self.cameras),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            passages_expected=self.passages_expected,
            watchlist_id=self.watchlist_id,
            build_id=self.build_id,
            threshold=self.threshold,
            grounds=Grounds(**self.grounds.model_dump()),
            real_time=RealTimeGrounds(**self.real_time.model_dump()) if self.real_time else None,
            exposure=tuple(Exposure(**one.model_dump()) for one in self.exposure),
            burst_frames=self.burst_frames,
        )


class FindingBody(_Body):
    """What somebody found who looked into a suspension."""

    finding: Annotated[Paragraph, Field(description="what caused it, and what is different from now on")]


class AuthoriseBody(_Body):
    """Exactly what is authorised."""

    digest: Annotated[Digest, Field(description="of the terms as they were shown")]


class AttestationBody(_Body):
    """What somebody stands in for, by name."""

    kind: Attested
    statement: Annotated[Paragraph, Field(description="what was put up or published, and where")]
    published_at: Annotated[Moment | None, Field(description="since when the public notice stands; only for it")] = None


class SubjectAccessBody(_Body):
    """A reference number; or place, time and slip. In a body, so that none of it stands in an address or its log."""

    reference_no: Line | None = None
    place: Line | None = None
    time: Moment | None = None
    slip: Line | None = None
    purpose: Line = "subject access request"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_slip = (self.place, self.time, self.slip)
        if (self.reference_no is None) == (None in by_slip) or (self.reference_no and any(by_slip)):
            raise ValueError("give reference_no alone; or place, time and slip, all three")
        return self


class HoldBody(_Body):
    """Why a candidate's evidence is to be kept, and for how long."""

    kind: HoldKind = HoldKind.REASON
    reason: Paragraph
    days: Annotated[int, Field(ge=1, le=MOST_DAYS, description="how long it stands")]


class DecisionBody(_Body):
    """A decision of a court or an independent authority; `persons` are reference numbers."""

    body: Annotated[Line, Field(description="the court or authority")]
    reference: Annotated[Line, Field(description="by which it knows its decision")]
    decided_on: date
    document_sha256: Annotated[Digest, Field(description="of the decision as it was issued")]
    granted: bool
    place: Line
    valid_from: Moment
    valid_until: Moment
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
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            persons=tuple(dict.fromkeys(self.persons)),
            recorded_by=by,
            recorded_at=at,
        )
