"""A day without a deployment: how often is the database contacted, by whom, and for what? It sleeps when nobody asks.

The functions' own handlers run each minute of a day by a moved clock. After each minute the gate in front of the
database ends what is open, as the server does with an idle connection; so whoever uses it in a minute is one contact.
"""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.alert.app import handler as alert
from functions.grant.app import handler as grant
from functions.report.app import handler as report
from functions.retain.app import handler as retain
from functions.review.app import handler as review
from functions.sweep.app import handler as sweep
from proviso.domain.frame import Outcome
from proviso.domain.people import Person
from proviso.domain.retention import BACKUPS_KEPT, CLOSE_AFTER
from tests.embedded_database import Database
from tests.joined import FastHouse, Functions, joined
from tests.samples import policy
from tests.template.conftest import ROOT, Template, read

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
DAY = 24 * 60
IN_NETWORK = ("match", "enrol", "govern", "review", "retain", "migrate")
PUBLIC = ("/openapi.json", "/records", "/records/index.html", "/records/schema.json", "/records/groups", "/records/d-1")


class Day:
    """Minutes, and in each of them what runs by the clock and what strangers do."""

    def __init__(self, functions: Functions) -> None:
        self.functions, self.house = functions, functions.house
        self.contacts: dict[int, int] = {}
        self.woken: list[int] = []
        self.minute = 0

    def pass_by(self, minutes: int, each: Callable[[], None] = lambda: None) -> None:
        for _ in range(minutes):
            before = len(self.functions.gate.contacts)
            self.functions.call(sweep, {}, 55)
            each()
            if found := len(self.functions.gate.contacts) - before:
                self.contacts[self.minute] = found
            self.functions.gate.sleep()
            self.minute += 1
            self.house.skew += timedelta(minutes=1)

    def retain(self, reason: str) -> None:
        self.woken.append(self.minute)
        self.functions.call(retain, {"reason": reason}, 300)


@pytest.fixture
def day(clean_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    house = FastHouse(clean_database)
    house.register()
    with ExitStack() as running:
        running.callback(house.close)
        made = Day(running.enter_context(joined(house, monkeypatch, wakes_after_s=0)))
        waker = type("Waker", (), {"wake": lambda self, reason: made.retain(reason)})
        monkeypatch.setattr("proviso.cloud.waker.LambdaWaker", lambda *_: waker())
        yield made


@pytest.fixture(scope="module")
def template() -> Template:
    return read(ROOT / "template.yaml")


# --- days ------------------------------------------------------------------------------------------------------------


def test_a_day_on_which_nothing_is_due_wakes_nobody(day: Day) -> None:
    """A page is open, the public reads, a camera without a permit asks on, alert looks each five minutes; and something
    is due in a week. The database is not contacted once."""
    day.house.due.put("far", day.house.now() + timedelta(days=7))
    paths = itertools.cycle(PUBLIC)

    def strangers() -> None:
        functions = day.functions
        assert functions.ask(review, "GET", "/changes", "reviewer").status == 200
        assert functions.ask(review, "GET", "/console", None).status == 200
        assert functions.ask(report, "GET", next(paths), None).status in (200, 404)
        assert functions.ask(grant, "POST", "/cameras/gate-1/grants", None).status == 401
        if day.minute % 5 == 0:
            functions.call(alert, {"source": "aws.events"}, 10)

    day.pass_by(DAY, strangers)
    assert (day.contacts, day.woken) == ({}, [])


def test_what_is_due_once_a_day_wakes_it_once(day: Day) -> None:
    """Two days: an anchor that is due at 9:00, a stop in the spool at 30:00."""
    began = day.house.now()
    day.house.due.put("anchor-x", began + timedelta(hours=9))
    day.pass_by(30 * 60)
    assert set(day.contacts) == set(day.woken) == {540}
    day.house.due.put("outcomes", day.house.now())
    day.pass_by(18 * 60)
    assert day.woken == [540, 1800]


def test_a_deployment_from_ten_to_twelve_wakes_it_then_and_to_be_deleted(day: Day) -> None:
    """Ten hours of nothing; two in which it is awake, which is paid for; the anchor after them; then twelve hours of
    nothing, its deletion with what that makes due; and a day later the second certificate."""
    house = day.house
    house.permitted = policy(max_duration_minutes=180)
    house.skew -= timedelta(hours=10)
    day.pass_by(10 * 60)
    assert day.contacts == {}
    list_id, _ = house.listed(1)
    ends_at = house.now() + timedelta(hours=2)
    running = house.running(list_id, starts_at=house.now() - timedelta(seconds=5), ends_at=ends_at)
    day.pass_by(2 * 60)
    assert len(day.contacts) >= 119, "each minute: a frame may be searched for one minute, and waking takes 45 s"
    active = set(day.contacts)
    day.pass_by(12 * 60 - 5)
    quiet = sorted(set(day.contacts) - active)
    assert quiet == [m for m in quiet if m < 12 * 60 + 12], "only what ends it, and its anchor"
    assert house.certificate(running.id) is None
    asleep = set(day.contacts)
    day.pass_by(30)
    closing = sorted(set(day.contacts) - asleep)
    certificate = house.certificate(running.id)
    assert certificate is not None, closing
    assert certificate.verified_at - ends_at < CLOSE_AFTER + timedelta(minutes=20)
    asleep = set(day.contacts)
    day.pass_by(24 * 60 - 40)
    assert set(day.contacts) - asleep == set(), "nothing until the last backup has expired"
    with house.meddling() as master:  # the database goes by its own clock as well, and that was not moved
        master.execute("UPDATE certificate SET verified_at = verified_at - '40 h'::interval, backups_expire_at = now()")
    day.pass_by(30)
    assert len(set(day.contacts) - asleep) == 1
    second = house.certificate(running.id)
    assert second.backups_expired_at is not None
    assert second.backups_expired_at - certificate.verified_at >= BACKUPS_KEPT
    asleep = set(day.contacts)
    day.pass_by(DAY)
    assert set(day.contacts) - asleep == set(), "and never again"


def test_a_camera_that_sends_while_nothing_is_active_wakes_it_once_a_day_and_each_frame_is_counted(day: Day) -> None:
    """A frame each hour of two days, all refused: nothing is due, and the ledger forgets each after three days."""
    sent: list[str] = []

    def camera() -> None:
        if day.minute < 2 * DAY and day.minute % 60 == 0:
            sent.append(day.house.frame(3))
            assert day.house.detect(sent[-1]).outcome is Outcome.REFUSED

    day.pass_by(5 * DAY, camera)
    assert len(sent) == 48
    gaps = [later - earlier for earlier, later in itertools.pairwise(day.woken)]
    assert len(day.woken) in (3, 4), "each day while frames come, and once more should that have failed"
    assert set(gaps) <= {DAY - 1, DAY}  # this process took some seconds of its own
    assert set(day.contacts) == set(day.woken)
    folds = day.house.sql("master", "SELECT body FROM audit_event WHERE body LIKE '%%frames_not_searched%%'::bytea")
    assert sum(json.loads(bytes(one["body"]))["details"]["frames"] for one in folds) == 48


# --- who can wake it -------------------------------------------------------------------------------------------------


def routes() -> list[tuple[str, str, str, bool]]:
    """Every route of the template: function, method, path, and whether the gateway asks for a token."""

    class Tags(yaml.SafeLoader):
        """Reads the template as it is."""

    Tags.add_multi_constructor("!", lambda loader, suffix, node: None)
    found = []
    resources = yaml.load((Path(ROOT) / "template.yaml").read_text(encoding="utf-8"), Loader=Tags)["Resources"]
    for name, resource in resources.items():
        for event in resource.get("Properties", {}).get("Events", {}).values():
            if event["Type"] == "HttpApi":
                given = event["Properties"]
                open_to_all = given.get("Auth", {}).get("Authorizer") == "NONE"
                function = name.removesuffix("Function").lower()
                found.append((function, given["Method"].upper(), given["Path"], not open_to_all))
    return sorted(found)


def asked(path: str) -> str:
    return "".join(part if not part.startswith("{") else "x-1" for part in _parts(path))


def _parts(path: str) -> list[str]:
    import re

    return re.split(r"(\{[^}]*\})", path)


def test_nobody_without_a_token_contacts_it_by_any_route(day: Day) -> None:
    """Where the gateway asks for a token such a request never comes; if it did, it is refused before the database."""
    found = routes()
    assert len(found) > 70
    answers: Counter[int] = Counter()
    for function, method, path, _ in found:
        handler: Any = import_module(f"functions.{function}.app").handler
        body = {} if method in ("POST", "PUT", "PATCH") else None
        if path.endswith(("/stop", "/stop-all")):
            continue  # below
        answers[day.functions.ask(handler, method, asked(path), None, body).status] += 1
        assert day.functions.gate.contacts == [], (function, method, path)
    assert answers[401] > 30
    assert set(answers) <= {200, 302, 400, 401, 404, 422}


@pytest.mark.parametrize("path", ["/deployments/x-1/stop", "/stop-all"])
def test_a_stop_without_a_token_does_nothing(day: Day, path: str) -> None:
    govern = import_module("functions.govern.app").handler
    assert day.functions.ask(govern, "POST", path, None, {}).status == 401
    assert day.functions.gate.contacts == []


def test_only_these_routes_are_open_to_all_and_none_of_them_has_a_database(day: Day) -> None:
    """What anybody in the world can ask again and again, with whatever in it."""
    public = [(function, method, path) for function, method, path, guarded in routes() if not guarded]
    assert {function for function, _, _ in public} <= {"report", "grant", "review"}
    for function, method, path in public:
        handler: Any = import_module(f"functions.{function}.app").handler
        for sub in (None, "somebody"):
            day.functions.ask(handler, method, asked(path), sub, {} if method == "POST" else None)
    assert day.functions.gate.contacts == []


def test_an_account_without_a_role_is_read_in_the_database(day: Day) -> None:
    """Accepted: accounts are made by an administrator alone, and whether one has a role is known to the database only.
    Who has an account can keep the database awake; the alarm DatabaseAwake tells of it."""
    with day.house.govern.work() as work:
        work.register(Person("roleless", frozenset()))
    govern = import_module("functions.govern.app").handler
    for sub in ("roleless", "unknown"):
        day.functions.gate.sleep()
        day.functions.gate.contacts.clear()
        answer = day.functions.ask(govern, "GET", "/watchlists", sub)
        assert answer.status == 403
        assert len(day.functions.gate.contacts) == 1


def test_functions_outside_the_network_have_no_address_of_it(template: Template) -> None:
    for name, function in template.of("AWS::Lambda::Function").items():
        inside = name.removesuffix("Function").lower() in IN_NETWORK
        assert ("VpcConfig" in function) == inside
        assert ("DATABASE_HOST" in template.environment(name)) == inside


def test_nothing_runs_by_the_clock_that_has_a_database(template: Template) -> None:
    for rule in template.of("AWS::Events::Rule").values():
        for target in rule["Targets"]:
            assert target["Arn"]["Fn::GetAtt"][0] in ("SweepFunction", "AlertFunction")
