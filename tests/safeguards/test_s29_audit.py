"""S29: every act and every look stands in a chain that nobody can change unseen; heads are anchored outside.

The ways round are tried from below: as each function's login role, as the database's master with its triggers on, and
as somebody who switched them off, who can do anything, but not so that it does not show.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pytest
from typer.testing import CliRunner

from functions.govern import views
from proviso.cli import audit as export
from proviso.cli.account import gate
from proviso.cli.main import app
from proviso.domain.audit import GENESIS, SYSTEM_CHAIN, Breach, ChainFault, Verdict, chain_hash, deployment_act, verify
from proviso.domain.audit_export import heads_json, record_values
from proviso.domain.errors import DatabaseAway, StorageFault
from proviso.domain.reasons import Reason, Refused
from proviso.stages import audit, watchlist
from proviso.stages.anchor import anchor_now
from proviso.store.audit import PostgresAuditStore
from proviso.store.govern import PostgresGovernStore
from tests.fakes.cloud import Fake
from tests.safeguards.house import House

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

ROLES = ("match", "enrol", "govern", "review", "retain", "report")


@pytest.fixture
def lived(house: House) -> House:
    """A house in which something happened, and was anchored, but for the last two records of its deployment."""
    list_id, _ = house.listed(3)
    house.active = house.running(list_id)  # type: ignore[attr-defined]
    for _ in range(3):
        house.see(7)
    house.retain()
    house.see(7)
    house.see(7)
    return house


def chain_of(house: House) -> str:
    return str(house.active.id)  # type: ignore[attr-defined]


def read(house: House, anchored: bool = True, own_heads: bool = False) -> dict[str, Verdict]:
    """What a verification of the database finds, with the anchored heads or without, and with the head table's."""
    store = PostgresAuditStore(house.connector("govern"))
    with store.work() as work:
        heads = [*(house.anchors.heads() if anchored else []), *(work.heads() if own_heads else [])]
        return {verdict.chain: verdict for verdict in verify(work.all_audit_records(page=3), heads)}


def fault(house: House, **how: bool) -> ChainFault | None:
    return read(house, **how)[chain_of(house)].fault


# --- refused ---------------------------------------------------------------------------------------------------------

CHANGES = (
    "UPDATE audit_event SET body = ''",
    "UPDATE audit_event SET hash = previous",
    "DELETE FROM audit_event",
    "TRUNCATE audit_event",
    "INSERT INTO audit_event SELECT chain, sequence + 1, body, previous, hash, at FROM audit_event",
    "INSERT INTO audit_event (chain, sequence, body) VALUES ('new', 1, '{}')",
    "UPDATE audit_head SET sequence = sequence - 1",
    "DELETE FROM audit_head",
    "TRUNCATE audit_head",
    "INSERT INTO audit_head VALUES ('new', 5, decode(repeat('00', 32), 'hex'))",
    "ALTER TABLE audit_event DISABLE TRIGGER USER",
    "DROP TRIGGER audit_keep ON audit_event",
    "SET session_replication_role = replica",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
)


@pytest.mark.parametrize("role", ROLES)
def test_no_functions_role_changes_the_chain(lived: House, role: str) -> None:
    for change in CHANGES:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            lived.sql(role, change)
    assert fault(lived, own_heads=True) is None


@pytest.mark.parametrize("change", CHANGES[:6] + CHANGES[7:9])
def test_the_master_does_not_change_it_while_its_triggers_are_on(lived: House, change: str) -> None:
    with pytest.raises(psycopg.DatabaseError) as refused:
        lived.sql("master", change)
    assert refused.value.sqlstate in ("PV029", "23502")  # 23502: a record without its place has no hash
    assert fault(lived, own_heads=True) is None


@pytest.mark.parametrize("role", [role for role in ROLES if role != "report"])  # it appends nothing at all
def test_an_append_that_does_not_follow_its_head_or_names_another_place_is_refused(lived: House, role: str) -> None:
    chain = chain_of(lived)
    last = int(lived.one("SELECT sequence FROM audit_head WHERE chain = %(chain)s", chain=chain))
    act = deployment_act(chain, lived.now(), "nobody", "forged", {})
    other = deployment_act("another-chain", lived.now(), "nobody", "forged", {})
    forged = [
        (last, act.body(last)),  # in place of the last one
        (1, act.body(1)),
        (last + 2, act.body(last + 2)),  # with a gap
        (last + 1, act.body(last)),  # that says it stands elsewhere
        (last + 1, other.body(last + 1)),  # that says it belongs elsewhere
        (last + 1, b"{}"),
    ]
    for sequence, body in forged:
        with pytest.raises(psycopg.DatabaseError) as refused:
            lived.sql(
                role, "SELECT audit_append(%(chain)s, %(at)s, %(body)s)::text", chain=chain, at=sequence, body=body
            )
        assert refused.value.sqlstate == "PV029", body
    assert fault(lived, own_heads=True) is None


# --- with the triggers off: found ------------------------------------------------------------------------------------


def rewrite(connection: Any, chain: str, to: Callable[[int, bytes], bytes | None]) -> None:
    """Write a chain anew from its beginning, with right hashes and a right head. `to` None leaves a record out."""
    old = connection.execute(
        "SELECT sequence, body FROM audit_event WHERE chain = %s ORDER BY sequence", [chain]
    ).fetchall()
    connection.execute("DELETE FROM audit_event WHERE chain = %s", [chain])
    sequence, previous = 0, GENESIS
    for was, body in old:
        changed = to(was, bytes(body))
        if changed is None:
            continue
        sequence += 1
        said = {**json.loads(changed), "sequence": sequence}
        anew = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        own = chain_hash(previous, anew)
        connection.execute(
            "INSERT INTO audit_event VALUES (%s, %s, %s, %s, %s, now())", [chain, sequence, anew, previous, own]
        )
        previous = own
    connection.execute("UPDATE audit_head SET sequence = %s, hash = %s WHERE chain = %s", [sequence, previous, chain])


EDITS = {
    "edit": (
        "UPDATE audit_event SET body = overlay(body PLACING 'somebody' FROM 12)"
        " WHERE chain = %(chain)s AND sequence = 2",
        Breach.CHANGED,
    ),
    "edit with a new hash": (
        "UPDATE audit_event SET body = body || ' ', hash = sha256(previous || body || ' ')"
        " WHERE chain = %(chain)s AND sequence = 2",
        Breach.CHANGED,
    ),
    "delete": ("DELETE FROM audit_event WHERE chain = %(chain)s AND sequence = 3", Breach.MISSING),
    "delete the first": ("DELETE FROM audit_event WHERE chain = %(chain)s AND sequence = 1", Breach.MISSING),
    "reorder": (
        "WITH old AS (DELETE FROM audit_event WHERE chain = %(chain)s AND sequence IN (2, 3) RETURNING *)"
        " INSERT INTO audit_event SELECT chain, 1000 - sequence, body, previous, hash, at FROM old",
        Breach.MISSING,
    ),
    "close the gap": (
        "WITH gone AS (DELETE FROM audit_event WHERE chain = %(chain)s RETURNING *)"
        " INSERT INTO audit_event SELECT chain, sequence - 1, body, previous, hash, at FROM gone WHERE sequence > 1",
        Breach.REORDERED,
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_change_with_the_triggers_off_is_found_by_the_records_alone(lived: House, name: str) -> None:
    statement, breach = EDITS[name]
    with lived.meddling() as connection:
        if name == "close the gap":  # a unique key is checked row by row
            connection.execute("ALTER TABLE audit_event DROP CONSTRAINT audit_event_pkey")
        connection.execute(statement, {"chain": chain_of(lived)})
        if name == "close the gap":
            connection.execute("ALTER TABLE audit_event ADD PRIMARY KEY (chain, sequence)")
    found = fault(lived, anchored=False)
    assert found is not None
    assert found.breach is breach


def test_records_that_exchanged_their_numbers_are_found(lived: House) -> None:
    chain = {"chain": chain_of(lived)}
    with lived.meddling() as connection:
        for one, other in ((2, 999), (3, 2), (999, 3)):
            connection.execute(
                "UPDATE audit_event SET sequence = %(other)s WHERE chain = %(chain)s AND sequence = %(one)s",
                {**chain, "one": one, "other": other},
            )
    found = fault(lived, anchored=False)
    assert found is not None
    assert (found.breach, found.sequence) == (Breach.REORDERED, 2)


def test_two_chains_that_exchanged_their_names_are_found(lived: House) -> None:
    with lived.meddling() as connection:
        for table in ("audit_event", "audit_head"):
            for one, other in ((chain_of(lived), "x"), (SYSTEM_CHAIN, chain_of(lived)), ("x", SYSTEM_CHAIN)):
                connection.execute(f"UPDATE {table} SET chain = %s WHERE chain = %s".encode(), [other, one])
    found = read(lived, anchored=False)
    assert {verdict.fault.breach for verdict in found.values() if verdict.fault} == {Breach.EXCHANGED}
    assert len(found) == 2


CUTS: dict[str, tuple[Callable[[int, bytes], bytes | None], Breach]] = {
    "its end is cut off": (lambda sequence, body: body if sequence <= 3 else None, Breach.TRUNCATED),
    "it is written anew": (lambda _, body: body.replace(b"authoriser", b"somebody"), Breach.REWRITTEN),
    "one record is left out": (lambda sequence, body: None if sequence == 2 else body, Breach.REWRITTEN),
    "nothing is left": (lambda *_: None, Breach.ABSENT),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_chain_made_anew_with_right_hashes_is_found_by_its_anchored_heads_alone(lived: House, name: str) -> None:
    to, breach = CUTS[name]
    with lived.meddling() as connection:
        rewrite(connection, chain_of(lived), to)
    alone = read(lived, anchored=False, own_heads=True).get(chain_of(lived))
    assert alone is None or alone.fault is None  # the records agree with one another, and with their head
    found = fault(lived)
    assert found is not None
    assert found.breach is breach
    assert "anchored at" in found.sentence


def test_what_was_not_anchored_yet_can_be_cut_off_unseen(lived: House) -> None:
    """The limit, said plainly: up to ten minutes of activity, of which the head table alone knows."""
    kept = read(lived)[chain_of(lived)].anchored
    assert kept is not None
    with lived.meddling() as connection:
        rewrite(connection, chain_of(lived), lambda sequence, body: body if sequence <= kept.sequence else None)
    assert fault(lived, own_heads=True) is None


def test_a_cut_that_forgot_the_head_table_is_found_without_anchors(lived: House) -> None:
    with lived.meddling() as connection:
        connection.execute("DELETE FROM audit_event WHERE chain = %s AND sequence > 3", [chain_of(lived)])
    found = fault(lived, anchored=False, own_heads=True)
    assert found is not None
    assert found.breach is Breach.TRUNCATED


def test_a_chain_that_goes_on_after_a_forged_head_is_broken_where_it_goes_on(lived: House) -> None:
    with lived.meddling() as connection:
        connection.execute("UPDATE audit_head SET hash = sha256('x') WHERE chain = %s", [chain_of(lived)])
    lived.see(7)
    found = fault(lived, anchored=False)
    assert found is not None
    assert "does not follow the record before it" in found.sentence


def test_the_command_line_finds_on_the_database_what_only_anchors_show(lived: House, tmp_path: Path) -> None:
    """As an auditor would: with a login that reads, and the heads as downloaded from the bucket."""
    for number, heads in enumerate(lived.anchors.objects.values()):
        assert heads
        assert heads[0].at
        (tmp_path / f"{number}.json").write_text(heads_json(heads, heads[0].at))
    command = ["audit", "verify", "--database", lived.database.url("govern")]
    whole = CliRunner().invoke(app, [*command, "--heads", str(tmp_path)])
    assert whole.exit_code == 0, whole.output
    assert "2 chains: all hold" in whole.output
    with lived.meddling() as connection:
        rewrite(connection, chain_of(lived), lambda _, body: body.replace(b"authoriser", b"somebody"))
    blind = CliRunner().invoke(app, command)
    assert blind.exit_code == 0
    assert "a whole chain was written anew by the owner of the database" in " ".join(blind.output.split())
    seeing = CliRunner().invoke(app, [*command, "--heads", str(tmp_path)])
    assert seeing.exit_code == 1
    assert "was rewritten after it was anchored at" in " ".join(seeing.output.split())


# --- what is anchored, and when --------------------------------------------------------------------------------------


def last(house: House, chain: str) -> int:
    return int(house.one("SELECT sequence FROM audit_head WHERE chain = %(chain)s", chain=chain))


def anchored(house: House, chain: str) -> list[int]:
    return [head.sequence for head in house.anchors.heads() if head.chain == chain]


def test_activity_is_anchored_within_ten_minutes_and_a_transition_at_once(lived: House) -> None:
    chain = chain_of(lived)
    before = anchored(lived, chain)
    lived.retain()
    assert anchored(lived, chain) == before  # within ten minutes
    lived.skew = timedelta(minutes=10, seconds=1)
    lived.retain()
    assert anchored(lived, chain) == [*before, last(lived, chain)]
    lived.see(7)
    anchor_now(store=lived.govern, anchors=lived.anchors, due=lived.due, clock=lived.now, deployment_id=chain)
    assert anchored(lived, chain)[-1] == last(lived, chain)


@pytest.mark.parametrize("trouble", [StorageFault("no"), DatabaseAway("no")])
def test_an_anchor_that_fails_undoes_no_act_and_is_left_for_retain(lived: House, trouble: Exception) -> None:
    lived.stop(chain_of(lived))
    lived.anchors.faults["put"] = trouble
    found = anchor_now(
        store=lived.govern, anchors=lived.anchors, due=lived.due, clock=lived.now, deployment_id=chain_of(lived)
    )
    assert found == ()
    assert lived.deployment(chain_of(lived)).state == "stopped"
    lived.anchors.faults.clear()
    lived.skew = timedelta(minutes=11)
    lived.retain()
    assert anchored(lived, chain_of(lived))[-1] == last(lived, chain_of(lived))


# --- the act and its record ------------------------------------------------------------------------------------------


class DiesBeforeTheCommit(PostgresGovernStore):
    """govern's store, in a function that dies when everything is written and nothing is committed."""

    @contextmanager
    def _in_transaction(self) -> Iterator[Any]:
        with super()._in_transaction() as work:
            yield work
            raise RuntimeError("died")


def test_an_act_and_its_record_come_and_go_together(house: House) -> None:
    given = {"principal": house.person("officer"), "name": "List", "policy": house.permitted, "clock": house.now}
    given["due"] = house.due

    def there() -> tuple[Any, Any]:
        recorded = "SELECT count(*) FROM audit_event WHERE body LIKE '%%watchlist_created%%'::bytea"
        return house.one("SELECT count(*) FROM watchlist"), house.one(recorded)

    dying = DiesBeforeTheCommit(house.connector("govern"))
    with pytest.raises(RuntimeError):
        watchlist.create(store=dying, new_id=house.id, **given)
    assert there() == (0, 0)
    watchlist.create(store=house.govern, new_id=house.id, **given)
    assert there() == (1, 1)


# --- looks -----------------------------------------------------------------------------------------------------------


def looks(house: House) -> list[dict[str, Any]]:
    found = house.sql("master", "SELECT body FROM audit_event WHERE chain = 'system' ORDER BY sequence")
    said = [json.loads(row["body"]) for row in found]
    return [one for one in said if one["action"].endswith("consulted")]


def test_a_look_into_the_audit_is_recorded_with_who_what_and_why(lived: House) -> None:
    given = {"principal": lived.person("auditor"), "purpose": "case 7", "store": lived.govern, "clock": lived.now}
    listed = audit.chains(**given)
    assert isinstance(listed, audit.ChainList)
    assert {head.chain for head in listed.heads} == {SYSTEM_CHAIN, chain_of(lived)}
    page = audit.page(chain=chain_of(lived), after=1, limit=2, **given)
    assert isinstance(page, audit.AuditPage)
    assert ([record.sequence for record in page.records], page.next_after) == ([2, 3], 3)
    assert not isinstance(audit.of_deployment(deployment_id=chain_of(lived), **given), Refused)
    assert [(one["actor"], one["action"], one["subject"], one["purpose"]) for one in looks(lived)[-3:]] == [
        ("auditor", "audit_chains_consulted", SYSTEM_CHAIN, "case 7"),
        ("auditor", "audit_consulted", chain_of(lived), "case 7"),
        ("auditor", "audit_consulted", chain_of(lived), "case 7"),
    ]
    assert looks(lived)[-2]["details"] == {"after": 1, "records": 2}


class Asked:
    """The audit's routes by their stages, over the real database."""

    def __init__(self, house: House) -> None:
        given = {"principal": house.person("auditor"), "store": house.govern, "clock": house.now}
        self._given: dict[str, Any] = given

    def get(self, path: str) -> Any:
        asked: dict[str, Any] = dict(parse_qsl(urlsplit(path).query))
        if "chain" not in asked:
            listed = audit.chains(**self._given, **asked)
            assert isinstance(listed, audit.ChainList)
            return json.loads(json.dumps(views.audit_chains(listed), default=str))
        page = audit.page(**self._given, **{**asked, "after": int(asked["after"])}, limit=2)
        assert isinstance(page, audit.AuditPage)
        return {"records": [record_values(one) for one in page.records], "next_after": page.next_after}


def test_an_export_knows_by_how_much_it_lengthens_the_audit_so_that_any_other_act_shows(
    lived: House, tmp_path: Path
) -> None:
    api: Any = Asked(lived)
    written = export.write_export(api, tmp_path / "audit.jsonl", "teardown")
    assert gate.since(api, written) == []
    written = export.write_export(api, tmp_path / "again.jsonl", "teardown")
    lived.see(7)
    assert [one.split(":")[0] for one in gate.since(api, written)] == [chain_of(lived)]
    written = export.write_export(api, tmp_path / "more.jsonl", "teardown")
    api.get("/audit/chains?purpose=somebody+else")
    assert [one.split(":")[0] for one in gate.since(api, written)] == [SYSTEM_CHAIN]


@pytest.mark.parametrize("purpose", ["", "  ", "x" * 201])
def test_nobody_looks_without_saying_why(lived: House, purpose: str) -> None:
    given = {"principal": lived.person("auditor"), "purpose": purpose, "store": lived.govern, "clock": lived.now}
    for refused in (
        audit.chains(**given),
        audit.page(chain=SYSTEM_CHAIN, after=0, limit=10, **given),
        audit.of_deployment(deployment_id=chain_of(lived), **given),
    ):
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.INVALID


@pytest.mark.parametrize("who", ["requester", "officer", "reviewer"])
def test_who_is_neither_auditor_nor_authoriser_does_not_look(lived: House, who: str) -> None:
    given = {"principal": lived.person(who), "purpose": "why", "store": lived.govern, "clock": lived.now}
    assert audit.chains(**given) == Refused(Reason.ROLE_MISSING, "auditor or authoriser")
    assert isinstance(audit.page(chain=SYSTEM_CHAIN, after=0, limit=10, **given), Refused)


def test_a_look_that_cannot_be_recorded_shows_nothing(lived: House) -> None:
    lived.sql("master", "REVOKE EXECUTE ON FUNCTION audit_append(text, bigint, bytea) FROM proviso_govern")
    try:
        with pytest.raises(Exception, match="is not recorded"):
            audit.chains(principal=lived.person("auditor"), purpose="why", store=lived.govern, clock=lived.now)
    finally:
        lived.sql("master", "GRANT EXECUTE ON FUNCTION audit_append(text, bigint, bytea) TO proviso_govern")


def test_pages_follow_one_another_to_the_end_and_long_records_make_short_pages(lived: House) -> None:
    given = {"principal": lived.person("auditor"), "purpose": "why", "store": lived.govern, "clock": lived.now}
    with lived.govern.work() as work:
        for number in range(4):
            work.audit(deployment_act("long", lived.now(), "a", "did", {"n": number, "what": "x" * 400_000}))
    after: int | None = 0
    found = []
    while after is not None:
        page = audit.page(chain="long", after=after, limit=1000, **given)
        assert isinstance(page, audit.AuditPage)
        found.append([record.sequence for record in page.records])
        after = page.next_after
    assert found == [[1, 2], [3, 4]]
    assert audit.page(chain="none", after=0, limit=1, **given) == Refused(Reason.NOT_FOUND, "chain")
    for after, limit in ((-1, 10), (0, 0), (0, 1001)):
        assert isinstance(audit.page(chain="long", after=after, limit=limit, **given), Refused)


# --- the head is locked last, and never across a call to AWS ---------------------------------------------------------


@contextmanager
def watched(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The calls to AWS that were made while some transaction held a chain's head."""
    held: list[str] = []
    seen: list[str] = []
    with psycopg.connect(house.database.master_url, autocommit=True) as other:
        plain = Fake._read

        def look(self: Fake, method: str) -> None:
            found = other.execute(
                "SELECT count(*) FROM pg_locks WHERE relation = 'audit_head'::regclass AND granted"
                " AND mode IN ('RowShareLock', 'RowExclusiveLock')"
            ).fetchone()
            seen.append(method)
            if found and found[0]:
                held.append(f"{self.port}.{method}")
            plain(self, method)

        monkeypatch.setattr(Fake, "_read", look)
        yield held
    assert len(seen) > 30  # it did look


def test_no_call_to_aws_is_made_while_a_head_is_locked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(house, monkeypatch) as held:
        list_id, entries = house.listed(3, 4)
        active = house.running(list_id)
        house.see(3)
        house.see(3, 8)
        house.decide(house.candidates[0]["id"])
        house.alert_all()
        house.sweep()
        house.retain()
        watchlist.remove_entry(
            principal=house.person("officer"),
            watchlist_id=list_id,
            entry_id=entries[1],
            store=house.govern,
            subjects=house.subjects,
            anchors=house.anchors,
            clock=house.now,
        )
        anchor_now(store=house.govern, anchors=house.anchors, due=house.due, clock=house.now, deployment_id=active.id)
        house.stop(active.id)
        house.due.put(active.id, house.now())
        house.skew = timedelta(hours=1)
        house.retain()
        unused, _ = house.listed(5)
        assert watchlist.delete(
            principal=house.person("officer"), watchlist_id=unused, store=house.govern, due=house.due, clock=house.now
        )
    assert house.deployment(active.id).state == "closed"
    assert held == []
