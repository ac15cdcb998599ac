"""The audit chain's table (S29). An append is the last thing in a transaction: it locks the chain's head until the end.

The hash is the database's work (migrations/0002_audit.sql); the bytes that are hashed are the domain's.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from proviso.domain.audit import Act, AuditRecord, Head
from proviso.domain.errors import AuditUnwritable, DatabaseAway, Fault
from proviso.store.connection import Connector, Session, Store

PAGE = 1000
"""Records of one statement, where all are read: so many bodies are in memory at a time."""


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

    def audit_page(self, chain: str, after: int, limit: int) -> list[AuditRecord]:
        """At most `limit` records of a chain, from the one after `after` on."""
        found = self._session.tuples(
            """
            SELECT chain, sequence, body, previous, hash FROM audit_event
            WHERE chain = %(chain)s AND sequence > %(after)s ORDER BY sequence LIMIT %(limit)s
            """,
            {"chain": chain, "after": after, "limit": limit},
        )
        return [AuditRecord(*row) for row in found]

    def heads(self, chains: Sequence[str] | None = None) -> list[Head]:
        """The heads of these chains, or of all, by chain; no lock is taken, so one that is being appended to shows its
        last committed record."""
        found = self._session.tuples(
            """
            SELECT chain, sequence, hash FROM audit_head
            WHERE sequence > 0 AND (%(chains)s::text[] IS NULL OR chain = ANY (%(chains)s::text[])) ORDER BY chain
            """,
            {"chains": None if chains is None else list(chains)},
        )
        return [Head(*row) for row in found]


class AnchorTable:
    """What was anchored of each chain, for the one function that keeps count of it."""

    _session: Session

    def anchored(self) -> list[Head]:
        """What was last anchored of each chain, and when; by chain."""
        found = self._session.tuples("SELECT chain, sequence, hash, anchored_at FROM audit_anchor ORDER BY chain")
        return [Head(*row) for row in found]

    def mark_anchored(self, heads: Sequence[Head], at: datetime) -> None:
        """Remember that these heads are anchored. An older one never takes the place of a newer one."""
        self._session.change(
            """
            INSERT INTO audit_anchor (chain, sequence, hash, anchored_at)
            SELECT chain, sequence, hash, %(at)s
            FROM unnest(%(chains)s::text[], %(sequences)s::bigint[], %(hashes)s::bytea[])
                AS given (chain, sequence, hash)
            ON CONFLICT (chain) DO UPDATE
            SET sequence = EXCLUDED.sequence, hash = EXCLUDED.hash, anchored_at = EXCLUDED.anchored_at
            WHERE audit_anchor.sequence <= EXCLUDED.sequence
            """,
            {
                "chains": [head.chain for head in heads],
                "sequences": [head.sequence for head in heads],
                "hashes": [head.hash for head in heads],
                "at": at,
            },
        )


class AuditReading(AuditTable):
    """The whole audit as it was at one moment, for a verification: nothing else can be done with this transaction."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        session.change("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def all_audit_records(self, page: int = PAGE) -> Iterator[AuditRecord]:
        """Every record, by chain and sequence, read `page` at a time."""
        chain, sequence = "", 0
        while True:
            found = self._session.tuples(
                """
                SELECT chain, sequence, body, previous, hash FROM audit_event
                WHERE (chain, sequence) > (%(chain)s, %(sequence)s) ORDER BY chain, sequence LIMIT %(page)s
                """,
                {"chain": chain, "sequence": sequence, "page": page},
            )
            for row in found:
                yield AuditRecord(*row)
            if len(found) < page:
                return
            chain, sequence = found[-1][0], found[-1][1]


class PostgresAuditStore(Store[AuditReading]):
    """Who may read the audit, reads it with this; it writes nothing."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, AuditReading)
