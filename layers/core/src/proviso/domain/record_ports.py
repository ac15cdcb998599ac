"""The ports of the public record (S32): what retain reads and keeps, and the bucket that everybody reads from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from proviso.domain.record import Published, Why
from proviso.domain.suppression import Counts


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of deployments as it stands in the database, under the name that it is published by."""

    operator: str
    number: int
    name: str
    body: bytes


class RecordWork(Protocol):
    """What one transaction of retain does for the record."""

    def records_due(self) -> list[tuple[str, Why]]:
        """Deployments of which a revision is to be published, and why."""

    def record_counts(self, deployment_id: str) -> dict[str, Any]:
        """The counts of a closed deployment. RuleBroken when it is not closed."""

    def last_record(self, deployment_id: str) -> Published | None: ...
    def add_record(self, record: Published, why: Why, at: datetime) -> None:
        """Keep a revision that is to be put. RuleBroken when it does not follow the one before."""

    def records_waiting(self) -> list[Published]:
        """Revisions of which it is not known that the bucket holds them."""

    def mark_record(self, deployment_id: str, revision: int, put: str) -> None: ...
    def latest_records(self) -> list[Published]:
        """Of each deployment the last revision that lies in the bucket."""

    def unbatched(self) -> list[bytes]:
        """Final records whose deployment is in no batch of groups yet, and of which every group is counted."""

    def batch_margins(self, deployment_ids: Sequence[str]) -> dict[str, Counts]:
        """By axis, what was said of the candidates of these deployments together."""

    def next_batch_number(self, operator: str) -> int: ...
    def add_batch(self, batch: Batch, deployment_ids: Sequence[str], at: datetime) -> None: ...
    def batches(self, *, waiting: bool) -> list[Batch]:
        """Those that wait to be put, or all others."""

    def mark_batch(self, batch: Batch, put: str) -> None: ...


class RecordShelf(Protocol):
    """The records bucket. Nothing that was put is ever put over, but the index."""

    def put_record(self, deployment_id: str, revision: int, body: bytes) -> bool:
        """False when the bucket holds another record under that number. Put again as it is, it changes nothing."""

    def put_groups(self, name: str, body: bytes) -> bool: ...
    def put_index(self, body: bytes) -> None: ...


class RecordShelfReader(Protocol):
    """What report may: read what was published."""

    def record(self, deployment_id: str, revision: int) -> bytes | None: ...
    def revisions(self, deployment_id: str) -> list[int]:
        """In rising order; none of a deployment of which nothing was published."""

    def groups(self, name: str) -> bytes | None: ...
    def index(self) -> bytes | None: ...
