"""One connection a process, transactions on it, and the one place where psycopg's errors become ours.

    DatabaseAway            the server cannot be reached, went away, or a statement or lock waited too long: try again
    RuleBroken              a constraint or trigger refused: the way round a safeguard, or a caller's mistake
    Fault                   anything else: a missing right, a statement that does not fit the schema

PostgreSQL tells in its messages what it was given (`Failing row contains (...)`, `invalid input syntax for ...`). So no
text of the server goes on, but for the words of this project's own triggers and a few that only name a table.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, LiteralString, TypeVar

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row, tuple_row

from proviso.domain.errors import DatabaseAway, Fault
from proviso.store.halfvec import HalfVector, HalfVectorDumper

Params = Mapping[str, Any] | Sequence[Any] | None
Query = LiteralString | sql.Composed
WorkT = TypeVar("WorkT")

_OWN_STATES = "PV"  # the SQLSTATEs that this project's triggers raise
_TELLS_NO_VALUES = ("42501", "42P01", "42883")  # missing right, table or function: the text names that and no more


class RuleBroken(Fault):
    """The database refused by a rule. `rule` is the constraint's name or the trigger's code; `state` the SQLSTATE."""

    def __init__(self, message: str, rule: str, state: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.state = state

    @property
    def duplicate(self) -> bool:
        """Was it that such a row is there already?"""
        return self.state == "23505"


def translate(error: psycopg.Error) -> Fault:
    """The fault that this error is, without any value that the statement carried."""
    state, name = error.sqlstate or "", type(error).__name__
    if state.startswith(_OWN_STATES):
        return RuleBroken(f"{error.diag.message_primary}", state, state)
    if isinstance(error, psycopg.IntegrityError):
        rule = error.diag.constraint_name or error.diag.column_name or name
        return RuleBroken(f"the database refused: {rule} of table {error.diag.table_name}", rule, state)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        # Without an SQLSTATE it is libpq speaking of the connection: address and cause, which an operator needs.
        return DatabaseAway(f"{name} {state}" if state else f"{name}: {str(error).strip()[:300]}")
    if state in _TELLS_NO_VALUES:
        return Fault(f"{name}: {error.diag.message_primary}")
    return Fault(f"the database refused a statement: {name} {state}")


class Session:
    """An open transaction. Statements take parameters by name, bound on the server."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.spoiled = False

    def spoil(self) -> None:
        """From here on this transaction cannot be committed, whatever its caller makes of the exception."""
        self.spoiled = True

    def script(self, text: str) -> None:
        """Run a file of statements without parameters. Raises psycopg's own errors."""
        self._connection.execute(text.encode())

    def rows(self, query: Query, params: Params = None) -> list[dict[str, Any]]:
        """All rows, by column name."""
        return self._run(query, params, dict_row)

    def tuples(self, query: Query, params: Params = None) -> list[tuple[Any, ...]]:
        """All rows as they come."""
        return self._run(query, params, tuple_row)

    def row(self, query: Query, params: Params = None) -> dict[str, Any] | None:
        """The first row, or None."""
        found = self._run(query, params, dict_row)
        return found[0] if found else None

    def value(self, query: Query, params: Params = None) -> Any:
        """The first column of the first row, or None."""
        found = self._run(query, params, tuple_row)
        return found[0][0] if found else None

    def change(self, query: Query, params: Params = None) -> int:
        """Run a statement that returns no rows; how many it changed."""
        try:
            return self._connection.execute(query, params).rowcount
        except psycopg.Error as error:
            fault = translate(error)
        raise fault  # out here, so that the cause, which carries the server's words, does not hang on it

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A savepoint: what fails inside is undone, and the transaction can go on."""
        self.change("SAVEPOINT attempt")
        try:
            yield
        except BaseException:
            with contextlib.suppress(DatabaseAway):
                self.change("ROLLBACK TO SAVEPOINT attempt")
            raise
        self.change("RELEASE SAVEPOINT attempt")

    def _run(self, query: Query, params: Params, factory: Any) -> list[Any]:
        try:
            with self._connection.cursor(row_factory=factory) as cursor:
                return cursor.execute(query, params).fetchall()
        except psycopg.Error as error:
            fault = translate(error)
        raise fault


class Connector:
    """Keeps one connection and opens it anew when it broke. Not for use by several threads.

    `conninfo` is called for each connect, because an IAM token lasts 15 minutes. The server closes a connection that
    idles (`idle_session_s`), since a cluster with an open one never scales to zero; and one that holds a transaction
    open without saying anything (`idle_in_transaction_s`), since a frozen function would hold its locks.
    """

    def __init__(
        self,
        conninfo: Callable[[], str],
        *,
        application_name: str = "proviso",
        connect_timeout_s: int = 20,
        statement_timeout_s: float = 15,
        lock_timeout_s: float = 12,
        idle_in_transaction_s: float = 15,
        idle_session_s: float = 60,
    ) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection[Any] | None = None
        self._busy = False
        settings = {
            "statement_timeout": int(statement_timeout_s * 1000),
            "lock_timeout": int(lock_timeout_s * 1000),
            "idle_in_transaction_session_timeout": int(idle_in_transaction_s * 1000),
            "idle_session_timeout": int(idle_session_s * 1000),
            "timezone": "UTC",
            "jit": "off",  # it costs more than a search takes
        }
        self._arguments: dict[str, Any] = {
            "autocommit": True,  # transactions are begun and ended in words, below
            "application_name": application_name,
            "connect_timeout": connect_timeout_s,
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        }

    def connect(self, within_s: float | None = None) -> None:
        """Open the connection if there is none, within so many whole seconds, two at least. DatabaseAway."""
        self._open(within_s)

    @property
    def connected(self) -> bool:
        """Is one open, for all that is known here?"""
        return self._connection is not None and not self._connection.closed

    def close(self) -> None:
        """Close it; the next use opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Begin; commit when the block ends well, roll back when it does not. One at a time."""
        if self._busy:
            raise RuntimeError("a transaction is open on this connection already")
        connection = self._begin()
        self._busy = True
        try:
            session = Session(connection)
            yield session
            if session.spoiled:
                raise Fault("the transaction was rolled back, because something in it could not be recorded")
            self._commit(connection)
        except BaseException:
            self._roll_back(connection)
            raise
        finally:
            self._busy = False

    def _open(self, within_s: float | None = None) -> psycopg.Connection[Any]:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        arguments = self._arguments if within_s is None else {**self._arguments, "connect_timeout": int(within_s)}
        try:
            connection = psycopg.connect(self._conninfo(), **arguments)
            connection.adapters.register_dumper(HalfVector, HalfVectorDumper)
            self._connection = connection
            return connection
        except psycopg.Error as error:
            fault = translate(error)
        raise fault

    def _begin(self) -> psycopg.Connection[Any]:
        """BEGIN tells whether a kept connection still lives; where it does not, another is opened, once."""
        kept = self._connection
        connection = self._open()
        try:
            connection.execute("BEGIN")
            return connection
        except psycopg.Error as error:
            self.close()
            fault = translate(error)
        if connection is kept and isinstance(fault, DatabaseAway):
            return self._begin()
        raise fault

    def _commit(self, connection: psycopg.Connection[Any]) -> None:
        fault: Fault | None = None
        try:
            ended = connection.execute("COMMIT").statusmessage
        except psycopg.Error as error:
            fault = translate(error)
        if fault is not None:
            raise fault
        if ended != "COMMIT":
            # A statement had failed and somebody went on: PostgreSQL answers ROLLBACK without calling it an error.
            raise Fault("the transaction was rolled back, because a statement in it had failed")

    def _roll_back(self, connection: psycopg.Connection[Any]) -> None:
        if not connection.closed and connection.info.transaction_status is TransactionStatus.IDLE:
            return
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            self.close()


class Store(Generic[WorkT]):
    """What every store of this wing is: a connector, and the kind of work done in a transaction on it."""

    def __init__(self, connector: Connector, work: Callable[[Session], WorkT]) -> None:
        self._connector = connector
        self._work = work

    def connect(self, within_s: float | None = None) -> None:
        """Open the connection, waking the database. `within_s`: for this once. DatabaseAway."""
        self._connector.connect(within_s)

    @property
    def connected(self) -> bool:
        """Is a connection open, for all that is known here?"""
        return self._connector.connected

    def close(self) -> None:
        """Close the connection."""
        self._connector.close()

    def work(self) -> AbstractContextManager[WorkT]:
        """One transaction. Nothing is kept unless the block ends without an exception. DatabaseAway."""
        return self._in_transaction()

    @contextmanager
    def _in_transaction(self) -> Iterator[WorkT]:
        with self._connector.transaction() as session:
            yield self._work(session)
