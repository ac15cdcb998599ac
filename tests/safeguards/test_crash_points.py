"""A function may die after any single statement. Whatever it had done by then: no frame, picture or template is left
for ever, no search or candidate is made twice, no notice goes out without its ground, and none is lost that is of use.

Each test lets a stage run again and again, on the real database, and kills it after its first act on a port, then after
its second, and so on to the last. Then the message comes back: at once; after the visibility time-out; or after sweep
has been there. (Rules 3 and 5; S04, S14, S16, S20, S21, S23, S36.)
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from proviso.domain.audit import first_fault
from proviso.domain.candidate import Decision
from proviso.domain.deployment import DeploymentState
from proviso.domain.errors import TransientFault
from proviso.domain.frame import Outcome
from proviso.domain.messages import FacesMessage
from proviso.domain.notice import Kind, notice_key
from proviso.domain.reasons import Refused
from proviso.domain.retention import LIST_DUE
from proviso.stages import deployment
from proviso.stages.report import RECORDS_DUE
from tests.doubles import people as frame_of
from tests.safeguards.deaths import each_death
from tests.safeguards.house import House
from tests.samples import CAMERA, policy

pytest_plugins = ["tests.databases"]
pytestmark = [pytest.mark.integration, pytest.mark.safeguard("S36")]

VISIBILITY = timedelta(seconds=181)
SWEPT = timedelta(seconds=125)
REDELIVERIES = ("at once", "after the visibility time-out", "after sweep")
STRANGER = 120


# --- match ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(house: House) -> House:
    """A list with so many people on it that each frame can show somebody new."""
    house.permitted = policy(max_entries=100)
    house.list_id, house.entries = house.listed(*range(50))
    house.active = house.running(house.list_id, burst_frames=3)
    return house


def one_listed(house: House, number: int) -> FacesMessage:
    return house.message(number)


def two_listed(house: House, number: int) -> FacesMessage:
    return house.message(2 * number % 50, STRANGER, 2 * number % 50 + 1)


def nobody_listed(house: House, number: int) -> FacesMessage:
    return house.message(STRANGER, STRANGER + 1)


def in_a_burst(house: House, number: int) -> FacesMessage:
    one, other = 2 * number % 50, 2 * number % 50 + 1
    return house.burst_message([one, STRANGER], [one, other], [one, other])


def seen_before(house: House, number: int) -> FacesMessage:
    house.see(number)
    return house.message(number)


def refused_by_the_gate(house: House, number: int) -> FacesMessage:
    return replace(house.message(number), digest="0" * 64)


def unreadable_by_now(house: House, number: int) -> FacesMessage:
    message = house.message(number)
    house.frames.upload(message.frame_key, b"spoilt", house.now())
    return message


def too_old_by_now(house: House, number: int) -> FacesMessage:
    return replace(house.message(number, at=house.now() - timedelta(seconds=55)), frame_age_limit_s=1)


SEARCHES = [one_listed, two_listed, in_a_burst, nobody_listed, seen_before]
FRAMES = [*SEARCHES, refused_by_the_gate, unreadable_by_now, too_old_by_now]


def comes_back(house: House, redelivery: str, work: Callable[[], Any]) -> None:
    """The same message again; then sweep and retain as they would come by."""
    if redelivery != "at once":
        if redelivery == "after sweep":
            house.skew = SWEPT
            house.sweep()
        house.skew = VISIBILITY
    work()
    work()  # and once more: doing it again changes nothing
    house.skew = max(house.skew, SWEPT)
    house.sweep()
    house.retain()


@pytest.mark.safeguard("S14", "S21", "S36")
@pytest.mark.parametrize("redelivery", REDELIVERIES)
@pytest.mark.parametrize("shows", FRAMES)
def test_match_dies_after_each_act(crowd: House, shows: Callable[[House, int], FacesMessage], redelivery: str):
    house = crowd

    def work_of(number: int) -> Callable[[], Any]:
        house.skew = timedelta(0)
        house.shown = shows(house, number)
        return lambda: house.match(house.shown)

    for _, last in each_death(house, work_of):
        comes_back(house, redelivery, lambda: house.match(house.shown))
        holds(house, house.shown.frame_key, last, redelivery, searched=shows in SEARCHES)


def holds(house: House, key: str, last: str, redelivery: str, searched: bool) -> None:
    """What is true of one frame in the end, wherever match died."""
    where = f"died after {last}, came back {redelivery}"
    assert key not in house.frames.objects, where
    row = house.ledger.rows[key]
    committed = house.one("SELECT count(*) FROM searched_frame WHERE frame_key = %(key)s", key=key)
    candidates = [one for one in house.candidates if one["frame_key"] == key]
    if not searched:
        assert (committed, candidates) == (0, []), where
        assert row.outcome in (Outcome.REFUSED, Outcome.UNREADABLE, Outcome.STALE), where
    elif redelivery == "at once":
        assert (committed, row.outcome) == (1, Outcome.SEARCHED), where
    elif committed:
        # While the frame is still there, whoever comes by its age says stale without asking the database.
        before_the_deletion = last in ("search.commit", "search.candidates_of_frame", "outbox.put")
        assert row.outcome is Outcome.SEARCHED or before_the_deletion, where
    else:
        assert (row.outcome, candidates) == (Outcome.STALE, []), where
    records = [act for act in acts(house, house.active.id) if act["subject"] == key]
    assert len(records) == committed, where
    pictures = {key for key in house.evidence.objects if key.startswith(f"evidence/{house.active.id}/")}
    assert pictures == {one["evidence_key"] for one in house.candidates}, where
    before = len(house.publisher.sent)
    for _ in range(2):
        for one in candidates:
            house.alert(notice_key(one["id"], Kind.RAISED))
    told = sorted(notice.candidate_id for _, notice, _ in house.publisher.sent[before:])
    assert told == sorted(one["id"] for one in candidates), where


def acts(house: House, chain: str) -> list[Any]:
    """What stands in a chain, which is whole."""
    with house.govern.work() as work:
        records = work.audit_records(chain)
    assert first_fault(records) is None
    return [json.loads(record.body) for record in records]


# --- detect -----------------------------------------------------------------------------------------------------------


def shows_somebody(house: House, number: int) -> str:
    return house.frame(number)


def shows_somebody_in_a_burst(house: House, number: int) -> str:
    return house.burst([number], [], [number, STRANGER])


def shows_nobody(house: House, number: int) -> str:
    return house.frame()


def is_too_long_a_burst(house: House, number: int) -> str:
    return house.burst(*[[number]] * 4)


def shows_nobody_usable(house: House, number: int) -> str:
    return house.frame(f"~{number}")


def is_no_picture(house: House, number: int) -> str:
    key = house.frame(number)
    house.frames.upload(key, b"spoilt", house.now())
    return key


def has_no_permit(house: House, number: int) -> str:
    return house.frame(number, camera="another")


def has_no_good_name(house: House, number: int) -> str:
    house.frames.upload(f"somebody-{number}.jpg", frame_of(number), house.now())
    return f"somebody-{number}.jpg"


@pytest.mark.safeguard("S01", "S14", "S36")
@pytest.mark.parametrize("redelivery", REDELIVERIES)
@pytest.mark.parametrize(
    "upload",
    [
        shows_somebody,
        shows_somebody_in_a_burst,
        shows_nobody,
        shows_nobody_usable,
        is_no_picture,
        is_too_long_a_burst,
        has_no_permit,
        has_no_good_name,
    ],
)
def test_detect_dies_after_each_act(crowd: House, upload: Callable[[House, int], str], redelivery: str):
    house = crowd

    def work_of(number: int) -> Callable[[], Any]:
        house.skew = timedelta(0)
        house.key = upload(house, number)
        return lambda: house.detect(house.key)

    def on() -> None:
        """The event comes back, and match gets whatever was sent, however often."""
        house.detect(house.key)
        while house.queue.sent:
            house.match(house.queue.sent.pop())

    for _, last in each_death(house, work_of):
        comes_back(house, redelivery, on)
        where = f"died after {last}, came back {redelivery}"
        assert house.key not in house.frames.objects, where
        outcome = house.ledger.rows[house.key].outcome
        assert outcome is not Outcome.RECEIVED, where
        committed = house.one("SELECT count(*) FROM searched_frame WHERE frame_key = %(key)s", key=house.key)
        assert committed == (outcome is Outcome.SEARCHED), where
        searched = upload in (shows_somebody, shows_somebody_in_a_burst)
        assert committed == (searched and redelivery == "at once"), where


# --- alert ------------------------------------------------------------------------------------------------------------


def raised(house: House, number: int) -> str:
    house.see(number)
    return notice_key(house.candidates[-1]["id"], Kind.RAISED)


def confirmed(house: House, number: int) -> str:
    house.see(number)
    newest = house.candidates[-1]["id"]
    house.decide(newest)
    return notice_key(newest, Kind.CONFIRMED)


@pytest.mark.safeguard("S16")
@pytest.mark.parametrize("notice_of", [raised, confirmed])
def test_alert_dies_after_each_act(crowd: House, notice_of: Callable[[House, int], str]):
    """Nothing is lost. It goes out twice only where the call died between SNS's answer and its own note of it: SNS
    knows no identity of a message, and of the two, silence would be the worse."""
    house = crowd

    def work_of(number: int) -> Callable[[], Any]:
        house.skew = timedelta(0)
        house.key = notice_of(house, number)
        house.publisher.sent.clear()
        return lambda: house.alert(house.key)

    for _, last in each_death(house, work_of):
        for seconds in (1, 121, 122):  # a duplicate of the event; the message after its visibility time-out; another
            house.skew = timedelta(seconds=seconds)
            try:
                house.alert(house.key)
            except TransientFault:
                assert seconds == 1, f"died after {last}"  # held by a lease that nobody keeps any more
        assert len(house.publisher.sent) == (2 if last == "publisher.publish" else 1), f"died after {last}"


@pytest.mark.safeguard("S04")
@pytest.mark.parametrize("notice_of", [raised, confirmed])
def test_alert_dies_and_then_comes_the_stop(crowd: House, notice_of: Callable[[House, int], str]):
    house = crowd

    def work_of(number: int) -> Callable[[], Any]:
        house.skew = timedelta(0)
        if number > 1:
            house.running(house.list_id)
        house.key = notice_of(house, number)
        house.publisher.sent.clear()
        return lambda: house.alert(house.key)

    for _, last in each_death(house, work_of):
        house.stop(None)
        before = len(house.publisher.sent)
        house.skew = timedelta(seconds=121)
        house.alert(house.key)
        assert len(house.publisher.sent) == before, f"died after {last}"


# --- review -----------------------------------------------------------------------------------------------------------


@pytest.mark.safeguard("S16")
@pytest.mark.parametrize("decision", Decision)
def test_review_dies_after_each_act(crowd: House, decision: Decision):
    """The reviewer tries again; where that is refused because it was recorded, retain puts the notice that was lost."""
    house = crowd

    def work_of(number: int) -> Callable[[], Any]:
        house.see(number)
        house.candidate = house.candidates[-1]["id"]
        house.publisher.sent.clear()
        return lambda: house.decide(house.candidate, decision)

    for _, last in each_death(house, work_of):
        again = house.decide(house.candidate, decision)
        assert isinstance(again, Refused) == (last in ("reviews.commit", "outbox.put")), f"died after {last}"
        house.retain()
        house.alert_all()
        house.alert_all()
        told = [audience for audience, notice, _ in house.publisher.sent if notice.candidate_id == house.candidate]
        assert told.count("recipients") == (decision is Decision.CONFIRM), f"died after {last}"
        reviews = house.one("SELECT count(*) FROM review WHERE candidate_id = %(id)s", id=house.candidate)
        assert reviews == 1, f"died after {last}"


# --- start, stop ------------------------------------------------------------------------------------------------------


@pytest.mark.safeguard("S04")
@pytest.mark.parametrize("then", ["again", "stop"])
def test_start_dies_after_each_act(house: House, then: str):
    """Started again it runs; stopped, nothing of it is left, wherever the first start had got to."""
    list_id, _ = house.listed(3)

    def work_of(number: int) -> Callable[[], Any]:
        house.stop(None)
        asked = house.requested(list_id)
        house.authorise(asked.id)
        house.asked = asked.id
        return lambda: house.start(asked.id)

    for _, last in each_death(house, work_of):
        if then == "again":
            assert not isinstance(house.start(house.asked), Refused), f"died after {last}"
            assert house.see(3).outcome is Outcome.SEARCHED, f"died after {last}"
        else:
            house.stop(house.asked)
            assert house.permits.objects == {}, f"died after {last}"
            assert house.see(3).outcome is Outcome.REFUSED, f"died after {last}"


@pytest.mark.safeguard("S04", "S36")
@pytest.mark.parametrize("which", ["one", "all"])
def test_stop_dies_after_each_act(house: House, which: str):
    """Nothing is announced after the permits went, even if nobody tries again; whoever does, ends it."""
    house.permitted = policy(max_entries=100)
    list_id, _ = house.listed(*range(30))

    def work_of(number: int) -> Callable[[], Any]:
        house.active = house.running(list_id)
        house.see(number)
        house.waiting = house.message(number + 1)
        house.publisher.sent.clear()
        wanted = house.active.id if which == "one" else None
        return lambda: house.stop(wanted)

    for _, last in each_death(house, work_of):
        if CAMERA not in house.permits.objects:
            house.alert_all()
            assert house.publisher.sent == [], f"died after {last}"
            assert house.detect(house.frame(3)).outcome is Outcome.REFUSED, f"died after {last}"
        house.stop(house.active.id)
        assert house.deployment(house.active.id).state is DeploymentState.STOPPED, f"died after {last}"
        assert house.permits.objects == {}, f"died after {last}"
        assert house.match(house.waiting).outcome is Outcome.REFUSED, f"died after {last}"
        assert {one["state"] for one in house.candidates} == {"frozen"}, f"died after {last}"


# --- enrol, retain ----------------------------------------------------------------------------------------------------


def closed(house: House, deployment_id: str) -> None:
    deployment.close(
        principal=house.person("requester"),
        deployment_id=deployment_id,
        store=house.govern,
        due=house.due,
        clock=house.now,
    )
    house.retain()


@pytest.mark.safeguard("S30")
def test_adding_dies_after_each_act(house: House):
    """A recorded entry with a key, or none; a key without an entry goes with the list (S30)."""
    house.permitted = policy(max_entries=100)
    list_id = house.watchlist()

    def work_of(number: int) -> Callable[[], Any]:
        house.number = f"N-{number}"
        return lambda: house.add(list_id, reference_no=house.number)

    for _, last in each_death(house, work_of):
        kept = house.one("SELECT id FROM entry WHERE reference_no = %(number)s", number=house.number)
        name = house.subjects.pseudonym(list_id, kept) if kept else None
        added = [act for act in acts(house, "system") if act["action"] == "entry_added"]
        assert bool(kept) == (name is not None) == (name in {act["subject"] for act in added}), f"died after {last}"
    assert house.one("SELECT count(*) FROM entry") < len(house.subjects.keys)  # it did leave some behind
    assert house.subjects.destroy_list(list_id) > 0
    assert house.subjects.keys == {}


@pytest.mark.safeguard("S23")
def test_enrol_dies_after_each_act(house: House):
    """Either there is a reference or there is none; a picture without one goes with the list."""
    house.permitted = policy(max_entries=100)
    list_id = house.watchlist()

    def work_of(number: int) -> Callable[[], Any]:
        house.entry = house.add(list_id).id
        house.person_shown = number
        return lambda: house.enrol(list_id, house.entry, frame_of(number))

    for _, last in each_death(house, work_of):
        counts = "SELECT count(*) FROM {} WHERE {} = %(id)s"
        kept = house.one(counts.format("reference", "entry_id"), id=house.entry)
        assert kept == (last == "enrol_store.commit" and bool(kept)), f"died after {last}"
        house.enrol(list_id, house.entry, frame_of(house.person_shown))
        assert (
            house.one(counts.format("reference", "entry_id"), id=house.entry) == 1
        )  # the same picture is one reference
        templates = "SELECT count(*) FROM reference_template JOIN reference r ON r.id = reference_id WHERE r.entry_id"
        assert house.one(f"{templates} = %(id)s", id=house.entry) == 1
    active = house.running(list_id)
    house.stop(active.id)
    closed(house, active.id)
    assert house.deployment(active.id).state is DeploymentState.CLOSED
    assert house.enrolment.objects == {}
    assert house.one("SELECT count(*) FROM reference_template") == 0


@pytest.mark.safeguard("S23")
def test_retain_dies_after_each_act_of_closing(house: House):
    """Another run does what is left, and only what was counted to zero is certified."""

    def work_of(number: int) -> Callable[[], Any]:
        list_id, _ = house.listed(3, 4)
        house.active = house.running(list_id)
        house.see(3, 4)
        house.decide(house.candidates[-1]["id"])
        house.alert_all()
        house.stop(house.active.id)
        house.due.put(house.active.id, house.now())
        return house.retain

    for _, last in each_death(house, work_of):
        # No certificate that is not true, and none that is missing where the deployment is closed.
        state, certified = house.deployment(house.active.id).state, "SELECT count(*) FROM certificate WHERE"
        certificates = house.one(f"{certified} deployment_id = %(id)s", id=house.active.id)
        assert certificates == (state is DeploymentState.CLOSED), f"died after {last}"
        if certificates:
            nothing_left(house, last)
        house.retain()
        assert house.deployment(house.active.id).state is DeploymentState.CLOSED, f"died after {last}"
        nothing_left(house, last)
        # Only the second certificate is left to do, when the last backup has expired.
        # What wakes for a publication may be left by a death after it: it wakes once more, and is gone.
        assert set(house.due.due(house.now() + timedelta(hours=23))) <= {RECORDS_DUE}, f"died after {last}"
        assert not [name for name in house.due.objects if name.startswith(LIST_DUE)], f"died after {last}"
        actions = [act["action"] for act in acts(house, house.active.id)]
        assert actions.count("deployment_closed") == 1, f"died after {last}"
        # And it is published once (S32), as it stands in the database.
        published = house.one("SELECT body FROM published_record WHERE deployment_id = %(id)s", id=house.active.id)
        assert actions.count("record_published") == 1, f"died after {last}"
        assert house.records.objects[f"records/{house.active.id}/1.json"] == bytes(published), f"died after {last}"


def nothing_left(house: House, last: str) -> None:
    where = f"died after {last}"
    assert (house.evidence.objects, house.enrolment.objects, house.outbox.objects) == ({}, {}, {}), where
    assert house.permits.objects == {}, where
    assert house.subjects.keys == {}, where
    for table in ("reference", "reference_template", "build_reference", "runner_up"):
        assert house.one(f"SELECT count(*) FROM {table}") == 0, where
    assert house.one("SELECT count(*) FROM entry WHERE erased_at IS NULL OR label <> ''") == 0, where


@pytest.mark.safeguard("S36")
def test_the_tripwire_kills_where_it_says(crowd: House):
    """The control: each act of match is one of its deaths, in the order in which they are done."""
    seen = [last for _, last in each_death(crowd, lambda n: partial(crowd.match, crowd.message(n)))]
    assert seen == [
        "ledger.get",
        "search.connect",
        "frames.get",
        "permits.read",
        "search.was_searched",
        "search.gate",
        "search.search",
        "search.lock_entries",
        "evidence.put",
        "search.open",
        "search.record_searched",
        "search.audit",
        "search.commit",
        "search.candidates_of_frame",
        "outbox.put",
        "frames.delete",
        "search.counts_of_frame",
        "ledger.finish",
    ]
