"""S23: what is held can be asked, store by store, and what should be gone already says so, also where the database
believes otherwise. The ways round are an object that no row knows, and a look that ends before every store was seen.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from proviso.domain.frame import Jpeg
from proviso.domain.holdings import Holding
from proviso.domain.people import Role
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retention import CLOSE_WITHIN
from proviso.stages import holdings
from tests.safeguards.house import House
from tests.samples import notice, principal

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def running(house: House) -> Iterator[House]:
    house.list_id, house.entries = house.listed(3, 4)
    house.active = house.running(house.list_id)
    house.see(3)
    house.alert_all()
    return house


def check(house: House, **changed: Any) -> Any:
    given = {
        "principal": principal("auditor", Role.AUDITOR),
        "purpose": "a test",
        "give_up_at": house.now() + timedelta(seconds=20),
        **changed,
    }
    return holdings.check(room=house.retain_room(), frames=house.frames, age_limit_s=120, **given)


def lines(house: House, store: str) -> list[Holding]:
    return [line for line in check(house).holdings if line.store == store]


def overdue(house: House) -> set[str]:
    return {f"{line.store}: {line.what}" for line in check(house).holdings if line.overdue}


def test_everything_is_named_with_its_rule_and_its_end(running: House) -> None:
    checked = check(running)
    assert checked.overdue == 0
    stores = {line.store for line in checked.holdings}
    assert stores >= {"database", "evidence", "enrolment", "outbox", "notices", "permits", "anchors"}
    assert all(line.why.startswith("S") for line in checked.holdings)
    for_good = {line.what for line in checked.holdings if line.until is None}
    assert "audit records" in for_good
    assert not {what for what in for_good if "picture" in what or "template" in what or "notice" in what}
    (evidence,) = lines(running, "evidence")
    assert (evidence.count, evidence.why[:3]) == (1, "S24")
    assert {line.count for line in lines(running, "enrolment")} == {2}


def test_what_is_not_closed_within_a_day_is_overdue(running: House) -> None:
    ends = running.active.ends_at
    running.skew = ends - running.now() + CLOSE_WITHIN - timedelta(minutes=1)
    assert not [what for what in overdue(running) if what.startswith(("database", "enrolment", "outbox"))]
    running.skew = timedelta(0)
    running.skew = ends - running.now() + CLOSE_WITHIN + timedelta(minutes=1)
    late = overdue(running)
    assert f"database: deployment {running.active.id}" in late
    assert f"enrolment: list {running.list_id}: pictures" in late
    assert f"outbox: deployment {running.active.id}" in late
    assert "permits: permits of nothing that is active" not in late  # the row says active, and so does the permit
    running.retain()
    assert overdue(running) == set()


def test_what_no_row_knows_is_found_in_the_stores_themselves(running: House) -> None:
    running.stop(running.active.id)
    running.due.put(running.active.id, running.now())
    running.retain()
    assert overdue(running) == set()
    running.enrolment.put("enrolment/another-list/e/r.jpg", Jpeg(b"x"))
    running.evidence.put("evidence/another/c.jpg", Jpeg(b"x"))
    running.outbox.put(notice(candidate_id="another"))
    running.permits.objects["gate-9"] = None
    assert overdue(running) == {
        "enrolment: pictures of no list",
        "evidence: pictures that no candidate names, a day old",
        "outbox: notices of what is closed or unknown",
        "permits: permits of nothing that is active",
    }


def test_a_closed_deployment_waits_for_its_backups(running: House) -> None:
    running.stop(running.active.id)
    running.due.put(running.active.id, running.now())
    running.retain()
    (waiting,) = lines(running, "backups")
    assert (waiting.count, waiting.overdue) == (1, False)
    running.skew = timedelta(days=2)
    assert overdue(running) == {f"backups: deployment {running.active.id}"}


def test_a_store_for_which_no_time_is_left_counts_as_overdue(running: House) -> None:
    checked = check(running, give_up_at=running.now())
    assert checked.overdue == len(checked.holdings) >= 8
    assert {line.what for line in checked.holdings} == {"not looked at: no time was left"}


def test_the_look_is_recorded_with_its_purpose(running: House) -> None:
    check(running, purpose=" a complaint, number 7 ")
    with running.govern.work() as work:
        last = work.audit_records("system")[-1]
    assert b'"retention_checked"' in last.body
    assert b'"a complaint, number 7"' in last.body
    assert b'"auditor"' in last.body


@pytest.mark.parametrize("purpose", ["", "  \n", "x" * 201])
def test_a_look_without_a_purpose_is_refused(running: House, purpose: str) -> None:
    refused = check(running, purpose=purpose)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.INVALID


def test_who_has_not_the_role_is_told_nothing(running: House) -> None:
    for role in set(Role) - {Role.AUDITOR, Role.AUTHORISER, Role.DATA_PROTECTION_OFFICER}:
        refused = check(running, principal=principal("x", role))
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.ROLE_MISSING


def test_no_line_names_anybody(running: House) -> None:
    shown = " ".join(f"{line.what} {line.why}" for line in check(running).holdings)
    assert "Hidden Name" not in shown
