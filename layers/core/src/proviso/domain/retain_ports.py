"""The ports of retention alone: its store, and the look into the queues. ports.py has what several stages share."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from proviso.domain.audit import Act
from proviso.domain.candidate import Candidate
from proviso.domain.deployment import Deployment
from proviso.domain.holdings import DeploymentHeld, ListHeld
from proviso.domain.monitoring_ports import SuspensionWork
from proviso.domain.notice import Kind
from proviso.domain.people import Person
from proviso.domain.ports import AnchorWork, StopRecord
from proviso.domain.record_ports import RecordWork
from proviso.domain.retention import Certificate, ListStanding, QueuesSeen, StoreCount


class QueueGauge(Protocol):
    """What sweep asks the queues."""

    def counts(self) -> dict[str, int]:
        """Messages in each queue of retention.QUEUES: visible, in flight and delayed. StorageFault."""


class QueueLook(Protocol):
    """state/queues.json: sweep looks at the queues for retain, which cannot reach SQS."""

    def put(self, seen: QueuesSeen) -> None: ...

    def last(self) -> QueuesSeen | None:
        """The last look; None when there is none, or none that can be understood."""


class RetainWork(AnchorWork, RecordWork, SuspensionWork, Protocol):
    """One transaction of retain."""

    def carry_out_stop(self, record: StopRecord, now: datetime) -> list[Deployment]: ...
    def end_due(self, now: datetime) -> list[Deployment]: ...
    def expire_candidates(self, now: datetime) -> list[str]:
        """raised → expired for those past decide_by (S18); their ids."""

    def close_outcomes(self, now: datetime) -> dict[str, list[str]]:
        """Record "not recorded" for confirmed candidates of which nobody said in time what came of them (S22); by
        deployment, which those are."""

    def next_outcome(self) -> datetime | None:
        """When the first outcome that is still asked for is closed if nobody records it."""

    def empty_reasons(self) -> int:
        """Empty the reasons of holds that have ended, of deployments that are closed (S23, S24); how many."""

    def count_groups(self) -> dict[str, int]:
        """Groups of single candidates (S28) become counts once it is known what became of each; how many, by
        deployment."""

    def next_groups(self, now: datetime) -> datetime | None:
        """When the first of those that are left can be counted, now at the earliest; None when none waits."""

    def groups_held(self) -> tuple[int, datetime | None, datetime | None]:
        """How many single candidates' groups there are, and by when the first and the last of them must be gone."""

    def unput_notices(self, now: datetime) -> list[tuple[Candidate, str, Kind, datetime, str]]:
        """Candidates whose notice is still useful, or whose withdrawal is young (candidate, prefix, kind, useful until,
        category): the caller puts what is not in the outbox."""

    def deployment(self, deployment_id: str, *, lock: bool = False) -> Deployment | None: ...
    def to_close(self, now: datetime) -> list[str]:
        """Stopped or ended deployments that are not closed."""

    def searched(self, frame_keys: Sequence[str]) -> set[str]:
        """Of these frames, those whose search was committed, whatever the ledger came to say of them."""

    def folded_until(self) -> str | None:
        """The last hour of the ledger that is folded into the audit, like 2026-11-22T20, as all hours before it are."""

    def fold(self, hours: Sequence[str], frames: int, at: datetime) -> bool:
        """These hours, in which so many frames ended unsearched, count as folded, with what this transaction audits.
        False when somebody else has folded one of them: then nothing of it may be recorded."""

    def without_row(self, evidence_keys: Sequence[str]) -> list[str]:
        """Of these evidence keys, those that no candidate names: left by a transaction that did not commit."""

    def pair_pictures(self) -> dict[str, datetime]:
        """The pictures that pairs for tests of reviewers name (S19), and when each pair was added."""

    def candidates_of(self, deployment_id: str) -> list[str]: ...
    def other_uses(self, watchlist_id: str, deployment_id: str) -> bool:
        """Is the list still needed by another deployment that is not closed?"""

    def erase(self, deployment_id: str) -> str | None:
        """Delete references, builds' content, labels, candidates' evidence pointers of the deployment's list (S23);
        the list's id, or None when another live deployment still uses the list. Reference numbers stay (S31)."""

    def left(self, deployment_id: str) -> list[StoreCount]:
        """What is left in the database, by table."""

    def pointers(self, deployment_id: str) -> list[str]:
        """Keys of the evidence pictures that its candidates still name: after an erasure, those that are held."""

    def close(self, certificate: Certificate, by: str) -> None:
        """→ closed, with its certificate, in one statement; refused by constraint when a count is not zero."""

    def certificate(self, deployment_id: str) -> Certificate | None: ...
    def backups_due(self, now: datetime) -> list[str]:
        """Closed deployments whose last backup has expired by now and is not certified."""

    def certify_backups(self, deployment_id: str, at: datetime) -> bool:
        """The second certificate (S23). False when it is not time yet, by the database's clock too, or done."""

    def hold_ends(self, deployment_id: str) -> datetime | None:
        """When the first of the holds ends that stand on its evidence, by the database's clock."""

    def evidence_due(self, now: datetime) -> dict[str, list[str]]:
        """By deployment, the candidates whose evidence is past its hours, or left by a closed deployment, and not held
        (S24)."""

    def free_evidence(self, candidate_ids: Sequence[str]) -> list[str]:
        """Take the pictures' keys from these candidates, but where a hold stands; the keys."""

    def list_standing(self, watchlist_id: str) -> ListStanding | None: ...
    def lists_due(self, made_by: datetime) -> list[str]:
        """Lists that go by themselves: asked for, or made by then and never used."""

    def erase_list(self, watchlist_id: str, *, replay: bool = False) -> bool:
        """Erase a list that no deployment needs. False when one does; in a replay only a live one counts."""

    def list_left(self, watchlist_id: str) -> list[StoreCount]: ...

    def contradicted(self, erased: set[tuple[str, str]]) -> list[tuple[str, str]]:
        """Of these erasures (kind, id), those that the database does not know of: it was restored."""

    def erased(self) -> set[tuple[str, str]]:
        """(kind, id) of what the database knows to be erased: lists, and entries that were removed."""

    def stop_users(self, watchlist_id: str, by: str, now: datetime) -> list[Deployment]:
        """Every live deployment on the list → stopped."""

    def users(self, watchlist_id: str) -> list[str]:
        """The deployments on the list that are over and not closed."""

    def remove_again(self, entry_id: str, at: datetime) -> str | None:
        """Set an entry's tombstone again."""

    def person(self, sub: str) -> Person | None: ...
    def deployments_held(self) -> list[DeploymentHeld]: ...
    def lists_held(self) -> list[ListHeld]: ...
    def backups_waiting(self) -> list[tuple[str, datetime]]: ...
    def deployments_of(self, candidate_ids: Sequence[str]) -> dict[str, str]:
        """Which deployment each of these candidates belongs to; suspensions have notices too."""

    def live(self) -> set[str]:
        """The deployments that are active."""

    def kept(self) -> dict[str, int]:
        """What stays for good, by name."""

    def audit(self, act: Act) -> None: ...


class RetainStore(Protocol):
    def work(self) -> AbstractContextManager[RetainWork]: ...
