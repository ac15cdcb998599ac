"""The demonstration's verdict fails when anything is missing, and its frames are the same at each run."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from proviso.cli.demo import scene as scenes
from proviso.cli.demo.cameras import Sent
from proviso.cli.demo.show import contact_sheet, frames_table, stages_table
from proviso.cli.demo.verdict import NOT_PERMITTED, Check, Findings, judge, outcome_of
from proviso.domain.frame import MAX_FRAME_PIXELS, Counts, LedgerEntry, Outcome
from proviso.domain.reasons import Reason
from proviso.local.simulator import Message

NOW = datetime(2026, 11, 22, 20, 0, 0, tzinfo=UTC)


def row(key: str, outcome: Outcome, reason: Reason | None = None, candidates: int = 0) -> LedgerEntry:
    return LedgerEntry(
        key, outcome, NOW, reason=reason, counts=Counts(candidates=candidates), finished_at=NOW + timedelta(seconds=1)
    )


def message(protocol: str, address: str) -> Message:
    return Message(protocol, address, None, "text", "topic", NOW)


def good() -> Findings:
    """Everything as it must be."""
    return Findings(
        sent=[
            Sent("a", "a", "hall-north", scenes.CANDIDATE),
            Sent("b", "b", "hall-north", scenes.NONE),
            Sent("c", "c", "yard", scenes.NO_PERMIT),
        ],
        rows={
            "a": row("a", Outcome.SEARCHED, candidates=1),
            "b": row("b", Outcome.SEARCHED),
            "c": row("c", Outcome.REFUSED, Reason.NO_PERMIT),
        },
        candidates=[{"id": "x"}],
        before=[message("sms", "1"), message("email", "2")],
        after=[message("sms", "3"), message("email", "4")],
        decided={"state": "confirmed"},
        outside=f"yard: 0 of 1 frames were uploaded: {NOT_PERMITTED}",
        pictures=[Path("evidence-X.jpg")],
        certificate={"complete": True, "counts": [{"store": "entry", "left": 0}]},
        audit_records=9,
        audit_fault=None,
    )


def test_when_all_of_it_happened_all_of_it_holds() -> None:
    assert [check for check in judge(good(), closed=True) if not check.held] == []


@pytest.mark.parametrize(
    "change",
    [
        {"rows": {"a": row("a", Outcome.SEARCHED, candidates=1), "b": row("b", Outcome.SEARCHED)}},
        {"rows": {**good().rows, "b": row("b", Outcome.SEARCHED, candidates=1)}},
        {"rows": {**good().rows, "a": row("a", Outcome.RECEIVED)}},
        {"rows": {**good().rows, "strange": row("strange", Outcome.NO_FACE)}},
        {"sent": []},
        {"outside": ""},
        {"outside": "yard: 0 of 1 frames were uploaded: the API cannot be reached"},
        {"candidates": []},
        {"candidates": [{"id": "x"}, {"id": "y"}]},
        {"before": [message("sms", "1")]},
        {"before": [message("sms", "1"), message("sms", "1"), message("email", "2")]},
        {"told_early": [message("sms", "3")]},
        {"after": []},
        {"after": [message("sms", "3"), message("email", "4"), message("email", "4")]},
        {"decided": {"state": "expired"}},
        {"pictures": [Path("reference-X.jpg")]},
        {"frames_left": ["a"]},
        {"certificate": None},
        {"certificate": {"complete": False, "counts": [{"store": "entry", "left": 1}]}},
        {"certificate": {"complete": True, "counts": [{"store": "entry", "left": 1}]}},
        {"certificate": {"complete": True, "counts": []}},
        {"audit_records": 0},
        {"audit_fault": "x #3 was changed after it was written"},
        {"extra": [Check("played to its end", False)]},
    ],
)
def test_each_thing_that_did_not_happen_is_found(change: dict[str, Any]) -> None:
    assert not all(check.held for check in judge(replace(good(), **change), closed=True))


def test_a_deployment_left_running_is_not_judged_by_its_end() -> None:
    running = replace(good(), certificate=None, audit_records=0)
    assert all(check.held for check in judge(running, closed=False))


def test_outcomes_are_told_in_the_words_of_the_scenes() -> None:
    assert outcome_of(None) == "not in the ledger"
    assert outcome_of(row("a", Outcome.STALE, Reason.STALE)) == scenes.STALE
    assert outcome_of(row("a", Outcome.UNREADABLE, Reason.TRUNCATED)) == scenes.TRUNCATED
    assert outcome_of(row("a", Outcome.REFUSED, Reason.BAD_KEY)) == scenes.BAD_KEY
    assert outcome_of(row("a", Outcome.NO_FACE)) == scenes.NO_FACE


def test_frames_are_the_same_at_each_run_and_differ_from_each_other() -> None:
    drawn = (*scenes.scenes(60), scenes.outside_scene(), scenes.late_scene())
    assert len({scene.name for scene in drawn}) == len(drawn)
    one, two = scenes.Studio(), scenes.Studio()
    some = [scene for scene in drawn if scene.name in ("n1-empty", "n2-listed", "s6-both")]
    assert [one.jpeg(scene) for scene in some] == [two.jpeg(scene) for scene in some]
    assert len({one.jpeg(scene) for scene in some}) == len(some)
    assert scenes.Studio(seed=8).jpeg(some[0]) != one.jpeg(some[0])


def test_spoiled_frames_are_what_they_say(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    studio = scenes.Studio()
    by_name = {scene.name: scene for scene in scenes.scenes(60)}
    bomb = studio.jpeg(by_name["s5-pixel-bomb"])
    at = bomb.index(b"\xff\xc0") + 5
    height, width = int.from_bytes(bomb[at : at + 2], "big"), int.from_bytes(bomb[at + 2 : at + 4], "big")
    assert height * width > MAX_FRAME_PIXELS
    assert len(bomb) < 1_000_000
    assert not studio.jpeg(by_name["n6-truncated"]).endswith(b"\xff\xd9")
    junk = np.frombuffer(studio.jpeg(by_name["s7-no-picture"]), np.uint8)
    assert cv2.imdecode(junk, cv2.IMREAD_COLOR) is None


def test_the_contact_sheet_shows_each_frame_and_survives_spoiled_ones(tmp_path: Path) -> None:
    import cv2

    studio = scenes.Studio()
    sent = []
    for scene in scenes.scenes(60)[4:6]:
        file = tmp_path / scene.file_name
        file.write_bytes(studio.jpeg(scene))
        sent.append(Sent(scene.name, scene.name, scene.camera, scene.expected, file))
    rows = {sent[1].key: row(sent[1].key, Outcome.UNREADABLE, Reason.TRUNCATED)}
    sheet = contact_sheet(Findings(sent=sent, rows=rows), tmp_path / "out" / "frames.png")
    assert sheet is not None
    assert cv2.imread(str(sheet)).shape == (224, 1280, 3)
    assert contact_sheet(Findings(), tmp_path / "none.png") is None


@pytest.mark.parametrize("width", [80, 120])
def test_the_tables_are_whole_in_a_narrow_window_and_explain_their_words(width: int) -> None:
    drawn = (*scenes.scenes(60), scenes.outside_scene(), scenes.late_scene())
    sent = [Sent(scene.name, scene.name, scene.camera, scene.expected) for scene in drawn]
    stages = (("decode again", 1234.5), ("search", 10.0))
    rows = {one.key: replace(row(one.key, Outcome.NO_FACE), stages=stages) for one in sent}
    rows["n6-truncated"] = row("n6-truncated", Outcome.UNREADABLE, Reason.TOO_MANY_PIXELS)
    console = Console(width=width, record=True, file=io.StringIO())
    frames_table(console, Findings(sent=sent, rows=rows))
    stages_table(console, Findings(sent=sent, rows=rows))
    shown = console.export_text()
    assert "…" not in shown
    assert all(scene.name in shown for scene in drawn)
    assert "unreadable: too_many_pixels" in shown
    assert "NO" in shown
    assert max(map(len, shown.splitlines())) <= width
    assert "not a whole, plain JPEG picture" in shown
