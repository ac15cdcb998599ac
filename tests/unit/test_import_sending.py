"""An import goes on where it was, whenever it was killed; asks no more than it must; and ends with a sentence."""

import json
import threading
from pathlib import Path

import pytest

from proviso.cli.api import ApiFault
from proviso.cli.imports.journal import Journal, Settled
from proviso.cli.imports.plan import Picture, Plan, WantedEntry
from proviso.cli.imports.sending import Outcome, Sender, Sent
from tests.fakes.enrolment_api import EnrolmentApi, Killed

AWAY = {"status": 503, "reason": "database_away"}


def wanted(number: str, **changed) -> WantedEntry:
    given = {"label": f"volunteer {number}", "category": "volunteer", "reason": "x", "source": "x",
             "lawful_holding": "x", "image_date": "2026-11-01"}  # fmt: skip
    return WantedEntry(reference_no=number, **{**given, **changed})


def plan(folder: Path, **files: str) -> Plan:
    """Files by name: `R1_a="good 1"` is the picture a of R1."""
    import hashlib

    pictures = []
    entries = {name.split("_")[0]: wanted(name.split("_")[0]) for name in files}
    for line, (name, content) in enumerate(files.items(), 2):
        path = folder / name
        path.write_text(content)
        digest = hashlib.sha256(content.encode()).hexdigest()
        pictures.append(Picture(path, name, line, entries[name.split("_")[0]], digest, len(content)))
    return Plan(tuple(pictures))


@pytest.fixture
def five(tmp_path) -> Plan:
    """Of two people: three good ones (one of them twice), one poor, and one that is no picture."""
    return plan(
        tmp_path, R1_a="good 1", R1_b="bad not_sharp", R2_a="good 2", R2_b="good 1 of two", R2_c="good 2", R2_d="none"
    )


def convert(data: bytes) -> bytes:
    if not data.startswith((b"good", b"bad")):
        raise ValueError("is not a picture")
    return data


def run(api: EnrolmentApi, given: Plan, folder: Path, **changed) -> Sent:
    settings = {"at_once": 1, "wait": lambda pause: None, **changed}
    return Sender(api, "list-1", given, Journal(folder / "journal.jsonl"), convert, **settings).run()


def outcomes(sent: Sent) -> list[tuple[str, str, str]]:
    return [(one.picture.name, one.outcome.name, one.reason) for one in sent.results]


def state(api: EnrolmentApi) -> tuple[set, set]:
    return set(api.entries), set(api.references)


def test_each_picture_has_an_end_with_its_reason(tmp_path, five):
    api = EnrolmentApi()
    sent = run(api, five, tmp_path)
    assert outcomes(sent) == [
        ("R1_a", "ACCEPTED", ""),
        ("R1_b", "REJECTED", "not_sharp"),
        ("R2_a", "ACCEPTED", ""),
        ("R2_b", "ACCEPTED", ""),
        ("R2_c", "ALREADY", ""),
        ("R2_d", "REJECTED", "not_an_image"),
    ]
    assert (sent.ended, sent.bare) == ("", ())
    assert api.calls.count("GET /watchlists/list-1") == 1
    assert len(api.entries) == 2


@pytest.mark.parametrize("late", [False, True], ids=["before the server did it", "after the server did it"])
@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("die_at", range(1, 9))
def test_killed_at_any_call_and_run_again_it_comes_to_the_same_end(tmp_path, five, die_at, late, at_once):
    whole = EnrolmentApi()
    straight = run(whole, five, tmp_path / "straight")
    api = EnrolmentApi(die_at=die_at, late=late)
    try:
        run(api, five, tmp_path / "killed", at_once=at_once)
    except Killed:
        pass
    else:
        assert len(api.calls) < die_at  # it needed no more
    api.die_at = 0
    again = run(api, five, tmp_path / "killed", at_once=at_once)
    assert state(api) == state(whole)
    assert [one[0::2] for one in outcomes(again)] == [one[0::2] for one in outcomes(straight)]
    assert {one.outcome for one in again.results} <= {Outcome.ACCEPTED, Outcome.ALREADY, Outcome.REJECTED}
    assert len(api.judged) <= len(whole.judged) + (
        at_once if late else 0
    )  # at most what was on its way is judged twice


def test_killed_again_and_again_it_still_arrives(tmp_path, five):
    api = EnrolmentApi(late=True)
    for _ in range(50):
        api.die_at = len(api.calls) + 3  # reads the list, does one thing, dies at the next
        try:
            sent = run(api, five, tmp_path)
            break
        except Killed:
            continue
    whole = EnrolmentApi()
    run(whole, five, tmp_path / "straight")
    assert not sent.ended
    assert state(api) == state(whole)


def test_a_second_run_asks_only_for_the_list(tmp_path, five):
    api = EnrolmentApi()
    run(api, five, tmp_path)
    api.calls.clear()
    again = run(api, five, tmp_path)
    assert api.calls == ["GET /watchlists/list-1"]
    assert [one.outcome.name for one in again.results] == ["ALREADY", "REJECTED", *["ALREADY"] * 3, "REJECTED"]
    assert again.results[1].judged  # the rate of failures is that of all pictures, not of this run's


def test_without_its_journal_nothing_is_there_twice_all_the_same(tmp_path, five):
    api = EnrolmentApi()
    run(api, five, tmp_path)
    before = state(api)
    (tmp_path / "journal.jsonl").unlink()
    again = run(api, five, tmp_path)
    assert state(api) == before
    assert Outcome.ACCEPTED not in {one.outcome for one in again.results}


def test_asked_to_it_sends_everything_once_more(tmp_path, five):
    api = EnrolmentApi()
    run(api, five, tmp_path)
    api.calls.clear()
    run(api, five, tmp_path, anew=True)
    assert sum(call.startswith("PICTURE") for call in api.calls) == 5


def test_with_another_pipeline_what_was_settled_is_judged_again(tmp_path, five):
    api = EnrolmentApi()
    run(api, five, tmp_path)
    api.pipeline, api.judged = "q" * 64, []
    again = run(api, five, tmp_path)
    assert len(api.judged) == 4
    assert again.results[0].outcome is Outcome.ACCEPTED


def test_a_journal_that_knows_more_than_the_list_is_not_believed(tmp_path, five):
    """As after the database was put back to an earlier day."""
    api = EnrolmentApi()
    run(api, five, tmp_path)
    api.references.clear()
    run(api, five, tmp_path)
    assert len(api.references) == 3


@pytest.mark.parametrize("torn", ['{"entry": "e-R1", "digest', "[]", "5", '{"entry": 5}', "\x00", "{}"])
def test_a_torn_or_foreign_line_of_the_journal_is_passed_over(tmp_path, torn):
    journal = Journal(tmp_path / "sub" / "journal.jsonl")
    whole = Settled("e", "d", "p", True)
    journal.add(whole)
    journal.close()
    with journal.path.open("a") as out:
        out.write(torn)
    assert journal.read() == {whole.key: whole}
    later = Settled("e", "d", "p", False, "not_sharp", "s")
    journal.add(later)
    journal.close()
    assert journal.read() == {whole.key: later}


def test_the_journal_holds_no_label_and_no_file_name(tmp_path, five):
    run(EnrolmentApi(), five, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert len(lines) == 5
    assert "volunteer" not in str(lines)
    assert {"entry", "digest", "pipeline", "accepted", "reason", "sentence", "judged"} == set(lines[0])
    assert (tmp_path / "journal.jsonl").stat().st_mode & 0o077 == 0


# --- what is wrong with one does not end the batch --------------------------------------------------------------------


def test_an_entry_that_the_policy_refuses_is_told_for_each_of_its_pictures(tmp_path):
    api = EnrolmentApi(cap=1)
    sent = run(api, plan(tmp_path, R1_a="good 1", R2_a="good 2", R2_b="good 3", R1_b="good 4"), tmp_path)
    assert [(one.outcome.name, one.reason) for one in sent.results] == [
        ("ACCEPTED", ""),
        ("REJECTED", "policy_forbids"),
        ("REJECTED", "policy_forbids"),
        ("ACCEPTED", ""),
    ]
    assert not any(one.judged for one in sent.results if one.outcome is Outcome.REJECTED)
    assert sum(call.startswith("POST") for call in api.calls) == 2  # not once a picture
    api.cap = 2
    assert [one.outcome.name for one in run(api, plan(tmp_path, R2_a="good 2"), tmp_path).results] == ["ACCEPTED"]


def test_what_the_server_warns_of_is_passed_on(tmp_path):
    class Warns(EnrolmentApi):
        def _add(self, body):
            return {**super()._add(body), "warnings": ["the picture is 7 years old"]}

    api = Warns()
    assert run(api, plan(tmp_path, R1_a="good 1"), tmp_path).warnings == (("R1", "the picture is 7 years old"),)
    api.entries["R1"]["waits_for_approval"] = True
    assert "approved" in dict(run(api, plan(tmp_path, R1_a="good 1"), tmp_path).warnings)["R1"]


def test_no_entry_is_made_whose_files_are_no_pictures(tmp_path):
    api = EnrolmentApi()
    sent = run(api, plan(tmp_path, R1_a="none", R1_b="nothing"), tmp_path)
    assert [one.reason for one in sent.results] == ["not_an_image", "not_an_image"]
    assert api.entries == {}


def test_an_entry_left_without_a_reference_is_named(tmp_path):
    api = EnrolmentApi()
    sent = run(api, plan(tmp_path, R1_a="bad no_face", R2_a="good 1"), tmp_path)
    assert sent.bare == ("R1",)
    assert run(api, plan(tmp_path, R1_a="bad no_face", R2_a="good 1"), tmp_path).bare == ("R1",)


def test_a_number_whose_entry_was_removed_takes_no_picture(tmp_path):
    api = EnrolmentApi()
    run(api, plan(tmp_path, R1_a="good 1"), tmp_path)
    api.entries["R1"]["removed_at"] = "2026-11-22T10:00:00Z"
    sent = run(api, plan(tmp_path, R1_a="good 1", R1_b="good 2"), tmp_path)
    assert [one.reason for one in sent.results] == ["entry_removed", "entry_removed"]
    assert len(api.references) == 1


@pytest.mark.parametrize("name", ["label", "category"])
def test_a_number_that_is_another_persons_takes_no_picture(tmp_path, name):
    api = EnrolmentApi()
    run(api, plan(tmp_path, R1_a="good 1"), tmp_path)
    api.entries["R1"][name] = "Somebody Else"
    sent = run(api, plan(tmp_path, R1_a="good 1", R1_b="good 2"), tmp_path)
    assert [one.reason for one in sent.results] == ["entry_differs", "entry_differs"]
    assert "Somebody Else" not in sent.results[0].sentence
    assert name in sent.results[0].sentence
    assert len(api.references) == 1


def test_a_number_taken_meanwhile_is_looked_up_and_compared(tmp_path):
    """Or the answer to our own request got lost: the entry is there, and must not be given up."""
    lost = EnrolmentApi()

    class Loses(EnrolmentApi):
        def post(self, path, body=None):
            super().post(path, body)
            lost.calls.append("lost")
            raise ApiFault("gone", unreachable=True) if len(lost.calls) == 1 else AssertionError

        def _add(self, body):
            if lost.calls and body["reference_no"] in self.entries:
                raise ApiFault("taken", status=409, reason="taken")
            return super()._add(body)

    api = Loses()
    assert [one.outcome.name for one in run(api, plan(tmp_path, R1_a="good 1"), tmp_path).results] == ["ACCEPTED"]
    other = EnrolmentApi(faults=[])
    given = plan(tmp_path, R1_a="good 1")

    class Quicker(EnrolmentApi):
        def post(self, path, body=None):
            super().post(path, {**body, "label": "Somebody Else"})
            raise ApiFault("taken", status=409, reason="taken")

    other = Quicker()
    assert run(other, given, tmp_path / "other").results[0].reason == "entry_differs"
    assert other.references == {}


def test_a_picture_that_breaks_the_function_does_not_end_the_batch(tmp_path):
    api = EnrolmentApi()
    given = plan(tmp_path, R1_a="good 1", R1_b="good 2", R1_c="good 3")
    run(api, plan(tmp_path, R1_z="good 0"), tmp_path)
    api.faults = []

    class Breaks(EnrolmentApi):
        def _enrol(self, entry, jpeg):
            if jpeg == b"good 2":
                raise ApiFault("answered with 500", status=500)
            return super()._enrol(entry, jpeg)

    broken = Breaks()
    sent = run(broken, given, tmp_path / "broken")
    assert [one.outcome.name for one in sent.results] == ["ACCEPTED", "FAILED", "ACCEPTED"]
    assert sent.results[1].reason == "fault"
    assert sum(call.startswith("PICTURE") for call in broken.calls) == 5  # three tries of the one
    whole = EnrolmentApi(entries=broken.entries, references=broken.references)
    again = run(whole, given, tmp_path / "broken")
    assert [one.outcome.name for one in again.results] == ["ALREADY", "ACCEPTED", "ALREADY"]


def test_a_file_that_changed_or_went_after_the_check_is_not_sent(tmp_path):
    given = plan(tmp_path, R1_a="good 1", R1_b="good 2", R1_c="good 3")
    (tmp_path / "R1_a").write_text("good 9")
    (tmp_path / "R1_b").unlink()
    api = EnrolmentApi()
    sent = run(api, given, tmp_path)
    assert [one.reason for one in sent.results] == ["file_changed", "file_unreadable", ""]
    assert api.judged == ["good 3"]


# --- trouble that would meet every picture ----------------------------------------------------------------------------


def test_what_passes_by_itself_is_waited_for_with_growing_pauses(tmp_path):
    waited, told = [], []
    api = EnrolmentApi(faults=[ApiFault("away", **AWAY)] * 3 + [ApiFault("gone", unreachable=True)])
    sent = run(api, plan(tmp_path, R1_a="good 1"), tmp_path, wait=waited.append, notify=told.append)
    assert [one.outcome.name for one in sent.results] == ["ACCEPTED"]
    assert waited == [1, 2, 4, 8]
    assert told[0] == "away; trying again in 1 s"


@pytest.mark.parametrize("fault", [AWAY, {"unreachable": True}, {"status": 429}])
def test_its_patience_ends_with_a_sentence_and_the_rest_is_left(tmp_path, fault):
    waited = []
    api = EnrolmentApi()
    given = plan(tmp_path, R1_a="good 1", R1_b="good 2", R1_c="good 3")

    def watch(tally):
        api.faults = [ApiFault("nobody answers", **fault)] * 100

    sent = run(api, given, tmp_path, watch=watch, wait=waited.append, patience_s=40)
    assert sent.ended == "nobody answers"
    assert outcomes(sent) == [("R1_a", "ACCEPTED", "")]
    assert sum(waited) <= 40
    api.faults = []
    assert [one.outcome.name for one in run(api, given, tmp_path).results] == ["ALREADY", "ACCEPTED", "ACCEPTED"]


@pytest.mark.parametrize("status", [401, 403])
def test_without_the_right_to_it_nothing_more_is_tried(tmp_path, status):
    api = EnrolmentApi(faults=[ApiFault("sign in first", status=status)] * 9)
    sent = run(api, plan(tmp_path, R1_a="good 1"), tmp_path)
    assert (sent.ended, sent.results) == ("sign in first", ())
    assert len(api.calls) == 1


def test_a_list_that_is_not_there_ends_it(tmp_path):
    sender = Sender(EnrolmentApi(), "another", plan(tmp_path, R1_a="good 1"), Journal(tmp_path / "j"), convert)
    sent = sender.run()
    assert "there is nothing of that name" in sent.ended
    assert sent.results == ()


def test_an_api_that_fails_for_every_picture_ends_it(tmp_path):
    class Fails(EnrolmentApi):
        def _enrol(self, entry, jpeg):
            raise ApiFault("answered with 500", status=500)

    files = {f"R1_{number}": f"good {number}" for number in range(9)}
    sent = run(Fails(), plan(tmp_path, **files), tmp_path)
    assert sent.ended == "3 pictures in a row failed at the API: answered with 500"
    assert [one.outcome for one in sent.results] == [Outcome.FAILED] * 3


def test_an_interruption_ends_it_with_what_was_done(tmp_path):
    """Ctrl-C reaches the thread that waits; a sender in the middle of a picture may end it."""
    given = plan(tmp_path, R1_a="good 1", R1_b="good 2", R1_c="good 3")
    api = EnrolmentApi()
    reached = threading.Event()

    class Slow(EnrolmentApi):
        def post_picture(self, path, jpeg):
            reached.set()
            sender.stop.wait(10)
            return super().post_picture(path, jpeg)

    api = Slow()
    sender = Sender(api, "list-1", given, Journal(tmp_path / "journal.jsonl"), convert, at_once=1)
    send = sender._send

    def interrupted() -> None:
        import _thread

        threading.Thread(target=lambda: (reached.wait(10), _thread.interrupt_main()), daemon=True).start()
        send()

    sender._send = interrupted
    sent = sender.run()
    assert (sent.ended, sent.interrupted) == ("interrupted", True)
    # The picture under way may end in time or not; either way another run comes to the same end.
    assert outcomes(sent) in ([], [("R1_a", "ACCEPTED", "")])
    again = run(EnrolmentApi(entries=api.entries, references=api.references), given, tmp_path)
    assert {one.outcome.name for one in again.results} <= {"ALREADY", "ACCEPTED"}
    assert [one.outcome.name for one in again.results][1:] == ["ACCEPTED", "ACCEPTED"]
    assert len(api.references) == 3


# --- memory ---


class Counted(bytes):
    """A picture in memory that knows how many of its kind there are."""

    there = 0
    most = 0
    lock = threading.Lock()

    def __new__(cls, data: bytes) -> "Counted":
        made = super().__new__(cls, data)
        with cls.lock:
            Counted.there += 1
            Counted.most = max(Counted.most, Counted.there)
        return made

    def __del__(self) -> None:
        with Counted.lock:
            Counted.there -= 1


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_never_are_more_pictures_in_memory_than_are_on_their_way(tmp_path, at_once):
    Counted.there = Counted.most = 0
    files = {f"R{one % 5}_{one}": f"{'bad no_face' if one % 7 == 0 else 'good'} {one}" for one in range(300)}
    given = plan(tmp_path, **files)
    settings = {"at_once": at_once, "wait": lambda pause: None}
    journal = Journal(tmp_path / "journal.jsonl")
    sent = Sender(EnrolmentApi(), "list-1", given, journal, lambda data: Counted(data), **settings).run()
    assert len(sent.results) == 300
    assert 1 <= Counted.most <= at_once
    assert Counted.there == 0
