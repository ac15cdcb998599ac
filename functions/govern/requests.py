"""What govern accepts, checked at the edge: unknown fields are refused, so that nobody believes they were heard."""

from datetime import UTC, date
from decimal import Decimal
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from proviso.domain.deployment import Grounds
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

    def person(self) -> Person:
        return Person(self.sub, frozenset(self.roles), self.trained_until)


class CameraBody(_Body):
    camera: Line


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


class DeploymentBody(_Body):
    use: Line
    place: Line
    cameras: Annotated[list[Line], Field(min_length=1, max_length=100)]
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    watchlist_id: Line
    build_id: Line
    threshold: Annotated[Decimal, Field(gt=0, lt=1, max_digits=6, decimal_places=5)]
    policy: Line
    grounds: GroundsBody

    def request(self) -> DeploymentRequest:
        return DeploymentRequest(
            use=self.use,
            place=self.place,
            cameras=tuple(self.cameras),
            starts_at=self.starts_at.astimezone(UTC),
            ends_at=self.ends_at.astimezone(UTC),
            watchlist_id=self.watchlist_id,
            build_id=self.build_id,
            threshold=self.threshold,
            grounds=Grounds(**self.grounds.model_dump()),
        )


class AuthoriseBody(_Body):
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
