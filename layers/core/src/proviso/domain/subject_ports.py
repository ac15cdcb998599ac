"""What the stages about listed people ask for (S30, S31): their keys, and what is kept of them. As in ports.py."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from proviso.domain.audit import AuditRecord
from proviso.domain.subjects import Listed, ListUse, Raised, Sealed


class SubjectKeys(Protocol):
    """A key a listed person, outside the database and its backups (S30). StorageFault where they cannot be read."""

    def make(self, watchlist_id: str, entry_id: str, at: datetime) -> None:
        """Make the key if there is none; one that is there stays as it is."""

    def pseudonym(self, watchlist_id: str, entry_id: str) -> str | None:
        """How the audit names this person; None when there is no key (any more)."""

    def seal(self, watchlist_id: str, entry_id: str, details: Mapping[str, Any]) -> Sealed | None:
        """Details that only the key opens; None when there is no key (any more)."""

    def open(self, watchlist_id: str, entry_id: str, texts: Sequence[str]) -> list[dict[str, Any] | None]:
        """What was sealed, a text each; None for what this person's key does not open, or no longer does."""

    def destroy_list(self, watchlist_id: str) -> int:
        """Delete all keys of a list, for good; how many there were."""

    def count_list(self, watchlist_id: str) -> int:
        """How many keys of a list there are, as of now."""


class SubjectWork(Protocol):
    """As much of a transaction of govern as is about what is kept of listed people."""

    def records_about(self, subject: str) -> list[AuditRecord]:
        """The system chain's records about a pseudonym, in their order (S30)."""

    def listed(self, watchlist_id: str, entry_id: str) -> Listed | None:
        """What is kept of an entry, be it erased or not (S31)."""

    def listed_under(self, reference_no: str) -> list[Listed]:
        """Every entry that ever had this reference number, on whichever list."""

    def uses_of(self, watchlist_ids: Sequence[str]) -> list[ListUse]:
        """The deployments of these lists, in the order of their beginning."""

    def raised_for(self, entry_ids: Sequence[str]) -> list[Raised]:
        """The candidates of these entries, in the order of their time."""

    def raised_under(self, slip: str, place: str, since: datetime, until: datetime) -> list[tuple[Raised, ListUse]]:
        """Candidates with this slip, at this place (capitals do not matter), captured between two times."""
