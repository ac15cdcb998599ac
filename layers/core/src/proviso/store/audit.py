"""The audit chain's table (S29). An append is the last thing in a transaction: it locks the chain's head until the end.

The hash is the database's work (migrations/0002_audit.sql); the bytes that are hashed are the domain's.
"""

from proviso.domain.audit import Act, AuditRecord
from proviso.domain.errors import AuditUnwritable, DatabaseAway, Fault
from proviso.store.connection import Session


class AuditAway(AuditUnwritable, DatabaseAway):
    """The record could not be written because the database went away: nothing happened, and it may be tried again."""


class AuditTable:
    """Acts of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def audit(self, act: Act) -> None:
        """Append to the act's chain. AuditUnwritable, and then the transaction cannot be committed any more."""
        fault: Fault | None = None
        try:
            sequence = self._session.value("SELECT audit_reserve(%(chain)s)", {"chain": act.chain})
            self._session.tuples(
                "SELECT audit_append(%(chain)s, %(sequence)s, %(body)s)::text",
                {"chain": act.chain, "sequence": sequence, "body": act.body(sequence)},
            )
        except DatabaseAway as away:
            fault = AuditAway(f"{act.action} is not recorded: {away}")
        except (Fault, TypeError, ValueError) as broken:
            fault = AuditUnwritable(f"{act.action} is not recorded: {type(broken).__name__}: {broken}")
        if fault is not None:
            self._session.spoil()
            raise fault

    def audit_records(self, chain: str) -> list[AuditRecord]:
        """The whole chain in its order."""
        found = self._session.tuples(
            "SELECT chain, sequence, body, previous, hash FROM audit_event WHERE chain = %(chain)s ORDER BY sequence",
            {"chain": chain},
        )
        return [AuditRecord(*row) for row in found]
