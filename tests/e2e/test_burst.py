"""A burst from the camera agent to the reviewer, on the local cloud: one upload, one row, one candidate."""

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from proviso.cli.camera.agent import AgentOptions, Tally, run_agent
from proviso.cli.camera.sources import FolderSource
from proviso.cli.demo.scene import CANDIDATE, NORTH, Studio, scenes
from proviso.cli.demo.script import Demonstration
from proviso.cli.places import Models
from proviso.domain.frame import FrameKey, LedgerEntry, Outcome
from proviso.domain.reasons import Reason

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def filmed(folder: Path, models: Models, number: int) -> Path:
    """Frames of the listed person and a passer-by who walk through the hall, a tenth of a second apart."""
    drawn = scenes(models.smallest_face_px)
    scene = next(one for one in drawn if one.camera == NORTH and one.expected == CANDIDATE and len(one.people) == 2)
    studio = Studio()
    folder.mkdir(parents=True)
    for n in range(number):
        people = tuple(replace(one, x=one.x + 14 * n) for one in scene.people)
        (folder / f"{n}.jpg").write_bytes(studio.jpeg(replace(scene, name=f"walk-{n}", people=people)))
    return folder


def upload(play: Demonstration, folder: Path, burst: int) -> tuple[Tally, list[str]]:
    keys: dict[str, None] = {}
    tally = run_agent(
        FolderSource(folder),
        AgentOptions(NORTH, 1.0, burst=burst),
        put=play.cameras().put(NORTH),
        clock=lambda: datetime.now(UTC),
        random=random.random,
        stop=threading.Event(),
        on_captured=lambda key, name: keys.update({str(key): None}),
    )
    return tally, list(keys)


def outcome(play: Demonstration, key: str) -> LedgerEntry:
    def final() -> LedgerEntry | None:
        row = play.ledger().get(key)
        return row if row is not None and row.outcome is not Outcome.RECEIVED else None

    return play.until(final, 60.0, "the outcome of the burst")


def test_a_listed_person_in_a_burst_is_one_candidate(
    begin: Callable[[], Demonstration], models: Models, tmp_path: Path
) -> None:
    play = begin()
    tally, (key,) = upload(play, filmed(tmp_path / "three", models, 3), burst=3)
    assert (tally.captured, tally.uploaded) == (1, 1)
    row = outcome(play, key)
    counts = row.counts
    assert (row.outcome, counts.detected, counts.searched, counts.candidates) == (Outcome.SEARCHED, 2, 2, 1)
    (candidate,) = play.candidates()
    (picture, *_) = play.look(candidate["id"])
    assert picture.stat().st_size > 1000
    with psycopg.connect(play.cloud.database_url) as master:
        rows = master.execute("SELECT frame_key, detected, searched, candidates FROM searched_frame").fetchall()
    assert rows == [(key, 2, 2, 1)]
    assert play.frames_left() == []

    # One frame more than was authorised: refused by detect, deleted, and nothing else comes of it.
    parsed = FrameKey.parse(key)
    assert isinstance(parsed, FrameKey)
    _, (longer,) = upload(play, filmed(tmp_path / "four", models, 4), burst=4)
    refused = outcome(play, longer)
    assert (refused.outcome, refused.reason) == (Outcome.REFUSED, Reason.TOO_MANY_FRAMES)
    assert play.frames_left() == []
    assert len(play.candidates()) == 1
