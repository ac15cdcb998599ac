"""What report answers, for the API's description."""

from typing import Any

from pydantic import ConfigDict, Field

from proviso.edge.answers import Answer, Moment


class Entry(Answer):
    """A published record in short."""

    deployment: str
    revision: int
    digest: str = Field(description="SHA-256 of the record's bytes")
    published_at: Moment
    figures: str
    demonstration: str | None
    operator: str
    place: str
    use: str
    started_at: Moment | None
    faces_searched: int
    candidates: int
    false_candidates: int


class Records(Answer):
    """Published records, newest first."""

    records: list[Entry]
    total: int
    next_after: int | None = Field(description="what to go on after; null at the end")


class Record(Answer):
    """The public record of one deployment; /records/schema.json describes all of it."""

    model_config = ConfigDict(extra="allow", defer_build=True)
    format: str
    deployment: str
    revision: int


class Groups(Answer):
    """Tables of groups, by batch."""

    groups: list[dict[str, Any]]


class Schema(Answer):
    """A JSON Schema."""

    model_config = ConfigDict(extra="allow", defer_build=True)
    title: str
