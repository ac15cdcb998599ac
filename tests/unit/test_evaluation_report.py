"""From folders to JSON and page, with a pipeline of the tests: pictures are lines of text."""

import json
import multiprocessing
import os
import re
import sqlite3
import stat
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from proviso.domain.calibration import Calibration, CalibrationPoint
from proviso.domain.calibration_json import to_json as calibration_json
from proviso.domain.errors import Fault
from proviso.domain.face import Template
from proviso.domain.frame import Image
from proviso.domain.reasons import Reason, Refused
from proviso.evaluation.cache import Cache, clear
from proviso.evaluation.conditions import _Outcomes, _row
from proviso.evaluation.dataset import DataFault, read_dataset
from proviso.evaluation.faces import measure
from proviso.evaluation.page import page
from proviso.evaluation.pictures import det
from proviso.evaluation.results import Machine, Options, evaluate, read_thresholds, to_json
from proviso.evaluation.verification import Compared, best_threshold, verify
from tests.doubles import FakePipeline, face

DIMENSION = 32


class Words(Image):
    """A picture that remembers its line."""

    __slots__ = ("words",)


class TextPipeline(FakePipeline):
    """A picture is `person number`; its template lies near the person's direction. `none`: no face; `poor`: refused."""

    dimension = DIMENSION

    def decode(self, jpeg):
        if not jpeg.data.startswith(b"picture "):
            return Refused(Reason.NOT_AN_IMAGE)
        image = Words(np.full((8, 8, 3), 128, np.uint8), 1280, 720)
        image.words = jpeg.data.decode().split()[1:]
        return image

    def detect(self, image):
        if image.words == ["none"]:
            return []
        return [face(100.0, sharpness=1.0 if "poor" in image.words else 210.0)]

    def templates(self, image, faces):
        words = image.words if len(image.words) > 1 else ["0", "0"]
        own = np.random.default_rng(int(words[0])).normal(size=DIMENSION)
        vector = own + 0.3 * np.random.default_rng([int(words[0]), int(words[1])]).normal(size=DIMENSION)
        packed = (vector / np.linalg.norm(vector)).astype("<f4").tobytes()
        return [Template(packed, DIMENSION, self.digest) for _ in faces]


@pytest.fixture
def faces(tmp_path):
    """120 people: sixty with three pictures, sixty with one; one file that is no picture, one without a face."""
    folder = tmp_path / "press"
    for person in range(120):
        (folder / f"p{person:03}").mkdir(parents=True)
        for number in range(3 if person < 60 else 1):
            (folder / f"p{person:03}" / f"{number}.jpg").write_text(f"picture {person} {number}")
    (folder / "p000" / "broken.jpg").write_bytes(b"\x00nothing")
    (folder / "p001" / "poor.jpg").write_text("picture 1 9 poor")
    (folder / "p002" / "empty.jpg").write_text("picture none")
    labels = tmp_path / "labels.csv"
    labels.write_text("identity,gender\n" + "".join(f"p{p:03},{'fm'[p % 2]}\n" for p in range(120)))
    pairs = tmp_path / "pairs.csv"
    rows = [f"{p % 3},1,p{p:03}/0.jpg,p{p:03}/1.jpg\n{p % 3},0,p{p:03}/0.jpg,p{p + 60:03}/0.jpg\n" for p in range(60)]
    pairs.write_text("fold,same,file1,file2\n" + "".join(rows))
    return tmp_path


def machine(**named):
    made = Machine(
        make=TextPipeline,
        workers=1,
        cache=None,
        progress=lambda what, done, total: None,
        digest=TextPipeline().digest,
        dimension=DIMENSION,
        software="0",
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    return replace(made, **named)


def options(faces, **named):
    asked = Options(
        folders=[faces / "press"],
        pack="test",
        pairs=faces / "pairs.csv",
        labels=[faces / "labels.csv"],
        fpir=(0.1, 0.01),
        list_sizes=(10, 20),
        lists=3,
        conditions=False,
    )
    return replace(asked, **named)


def test_everything_is_in_the_json_and_nothing_of_a_template(faces):
    done = evaluate(options(faces), machine())
    figures = json.loads(to_json(done.figures))
    assert figures["format"] == "proviso-evaluation/1"
    assert (figures["data"]["images"], figures["data"]["people"]) == (243, 120)
    assert figures["data"]["failures_to_acquire"]["reasons"] == {"no_face": 1, "not_an_image": 1, "not_sharp": 1}
    assert figures["verification"]["accuracy"] > 0.9
    assert figures["verification"]["tmr_at_fmr"][1]["refused"]
    told = {(row["list"], row["list_size"], row["fpir_wanted"]): row for row in figures["identification"]}
    assert not told["mixed", 20, 0.1]["refused"]
    assert told["mixed", 20, 0.01]["refused"]
    assert {row["value"] for row in figures["groups"]} == {"f", "m"}
    assert all(row["p_corrected_fpir"] is None or row["p_corrected_fpir"] >= row["p_fpir"] for row in figures["groups"])
    assert {row["list"] for row in figures["strangers"]} == {"mixed", "gender=f", "gender=m"}
    longest = max((value for value in _lists(figures)), key=len)
    assert len(longest) != DIMENSION


def _lists(value):
    if isinstance(value, dict):
        for each in value.values():
            yield from _lists(each)
    elif isinstance(value, list):
        yield value
        for each in value:
            yield from _lists(each)


def test_the_same_seed_gives_the_same_figures(faces):
    one, two = (evaluate(options(faces), machine()).figures for _ in range(2))
    assert to_json(one) == to_json(two)
    assert to_json(evaluate(options(faces, seed=1), machine()).figures) != to_json(one)


def test_frozen_thresholds_are_applied_to_everybody(faces):
    frozen = json.loads(to_json(evaluate(options(faces), machine()).figures))
    again = evaluate(options(faces, thresholds=frozen), machine()).figures
    before = next(row for row in frozen["identification"] if not row["refused"])
    after = next(
        row for row in again["identification"] if row["list_size"] == before["list_size"] and not row["refused"]
    )
    assert after["threshold"] == before["threshold"]
    assert after["non_mated_people"] > before["non_mated_people"]
    assert again["thresholds_from"] == "2026-01-01T00:00:00Z"
    with pytest.raises(DataFault, match="two pipelines cannot be compared"):
        evaluate(options(faces, thresholds=frozen), machine(digest="another"))
    with pytest.raises(DataFault, match=r"holds none for references 1, .* it has 10 at 0.1, 20 at 0.1"):
        evaluate(options(faces, thresholds=frozen, list_sizes=(15,)), machine())


def test_the_lowest_thresholds_of_a_calibration_are_applied(faces):
    pipeline = evaluate(options(faces), machine()).figures["pipeline"]
    steps = [(8, 1, "0.2"), (30, 1, "0.4"), (30, 2, "0.9")]
    points = tuple(CalibrationPoint(size, Decimal(floor), 0.0, 0.2, frames_per_probe=n) for size, n, floor in steps)
    made = datetime(2026, 1, 1, tzinfo=UTC)
    given = calibration_json(Calibration("c-1", pipeline, "laboratory", "", made, points, fpir_wanted=0.2))
    rows = evaluate(options(faces, thresholds=given, list_sizes=(8, 12), fpir=(0.2,)), machine()).figures
    found = {row["list_size"]: row["threshold"] for row in rows["identification"] if row["list"] == "mixed"}
    assert found == {8: 0.2, 12: 0.4}  # the next longer list's; never that of bursts
    with pytest.raises(DataFault, match="pipeline"):
        evaluate(options(faces, thresholds={**given, "pipeline": "b" * 64}), machine())


def test_a_thresholds_file_that_is_none_is_refused(tmp_path):
    for text in ("", "[]", '{"format": "other"}'):
        (tmp_path / "t.json").write_text(text)
        with pytest.raises(DataFault, match="not the JSON of an evaluation"):
            read_thresholds(tmp_path / "t.json")


def test_the_page_stands_alone_and_escapes_what_it_shows(faces, tmp_path):
    (faces / "press").rename(faces / "<b>press")
    done = evaluate(options(faces, folders=[faces / "<b>press"], pairs=None, labels=()), machine())
    text = page(done)
    assert "<b>press" not in text
    assert "&lt;b&gt;press" in text
    assert "<script" not in text
    assert not re.findall(r"(?:src|srcset|href)=\"(?!data:image/png;base64,)", text)
    assert "url(" not in text
    pictures = re.findall(r"<img [^>]*>", text)
    assert len(pictures) == 2
    assert all(re.search(r'alt="[^"]{20,}"', picture) for picture in pictures)
    assert text.count("<table") == text.count("<caption>")


def test_a_set_too_small_for_any_list_says_so(tmp_path):
    (tmp_path / "press" / "a").mkdir(parents=True)
    (tmp_path / "press" / "a" / "1.jpg").write_text("picture 1 1")
    done = evaluate(Options(folders=[tmp_path / "press"], pack="test", lists=2), machine())
    assert done.figures["identification"] == []
    assert "No list could be drawn" in page(done)


def test_pictures_without_a_single_face_are_refused(tmp_path):
    (tmp_path / "press" / "a").mkdir(parents=True)
    (tmp_path / "press" / "a" / "1.jpg").write_bytes(b"\x00")
    with pytest.raises(DataFault, match="no face was found in any of the 1 pictures"):
        evaluate(Options(folders=[tmp_path / "press"], pack="test"), machine())


def test_an_unreadable_file_is_counted_and_never_cached(faces):
    broken = faces / "press" / "p003" / "gone.jpg"
    broken.symlink_to(faces / "nowhere.jpg")
    with Cache(faces / "cache", "digest") as cache:
        done = evaluate(options(faces), machine(cache=cache))
    assert done.figures["data"]["failures_to_acquire"]["reasons"]["unreadable"] == 1


def test_the_cache_is_private_nameless_and_used(faces):
    asked = []

    class Counting(TextPipeline):
        def detect(self, image):
            asked.append(1)
            return super().detect(image)

    folder = faces / "cache"
    for _ in range(2):
        with Cache(folder, "digest") as cache:
            evaluate(options(faces), machine(cache=cache, make=Counting))
    assert len(asked) == 242
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"p001" not in file.read_bytes()
    assert clear(folder) == 1
    assert not folder.exists()


def test_a_damaged_cache_is_begun_anew(tmp_path):
    Cache(tmp_path, "digest").close()
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"no database" * 1000)
    with Cache(tmp_path, "digest") as cache:
        assert cache.get("a", "") is None
    assert sqlite3.connect(file).execute("SELECT count(*) FROM measured").fetchone() == (0,)


def test_several_processes_give_what_one_gives(faces):
    data = read_dataset([faces / "press"])
    jobs = [(number, "") for number in range(40)]
    one = measure(data.pictures, jobs, make=TextPipeline, workers=1)
    two = measure(data.pictures, jobs, make=TextPipeline, workers=2)
    assert one == two


def dies():
    os._exit(3)


def test_a_worker_that_dies_is_told(faces):
    data = read_dataset([faces / "press"])
    with pytest.raises(Fault, match="--workers 1"):
        measure(data.pictures, [(number, "") for number in range(40)], make=dies, workers=2)


def test_an_interruption_calls_off_what_was_not_begun(faces):
    data = read_dataset([faces / "press"])
    seen = []

    def stop(done, total):
        seen.append(done)
        if done:
            raise KeyboardInterrupt

    jobs = [(number, "") for number in range(len(data.pictures))]
    with pytest.raises(KeyboardInterrupt):
        measure(data.pictures, jobs, make=TextPipeline, workers=2, progress=stop)
    until = time.monotonic() + 20
    while multiprocessing.active_children() and time.monotonic() < until:
        time.sleep(0.05)  # they have been told; ending takes a busy machine a moment
    assert not multiprocessing.active_children()


def test_what_was_measured_shows_no_template(faces):
    data = read_dataset([faces / "press"])
    result = measure(data.pictures, [(0, "")], make=TextPipeline, workers=1)[0, ""]
    assert len(result.vector) == 4 * DIMENSION
    assert "vector" not in repr(result)


def test_a_threshold_is_learned_on_the_other_folds_and_ties_are_not_parted():
    similarity = np.array([0.1, 0.2, 0.5, 0.5, 0.8, 0.9])
    same = np.array([False, False, False, True, True, True])
    threshold = best_threshold(similarity, same)
    right = ((similarity >= threshold) == same).sum()
    assert right == 5 == max(((similarity >= cut) == same).sum() for cut in [*similarity, 2.0])


def test_pairs_without_a_template_count_as_wrong():
    similarity = np.array([0.9, 0.1, 0.9, 0.1, np.nan, np.nan, 0.9, 0.1])
    same = np.array([True, False, True, False, True, False, True, False])
    fold = np.array(["1", "1", "1", "1", "1", "2", "2", "2"])
    figures = verify(Compared(similarity, same, fold))
    assert figures["pairs_not_compared"] == 2
    assert figures["folds"] == [pytest.approx(4 / 5), pytest.approx(2 / 3)]


def test_the_trade_off_counts_both_errors_at_each_threshold():
    false, missed = det(np.array([0.1, 0.2, 0.6]), np.array([-2.0, 0.5, 0.9, 0.9]))
    assert false.tolist() == pytest.approx([1, 2 / 3, 1 / 3, 1 / 3, 0])
    assert missed.tolist() == [0.25, 0.25, 0.25, 0.5, 0.5]


def test_a_condition_is_compared_with_the_same_people_as_they_were():
    before = _Outcomes([True] * 6, [""] * 6, [True] * 5 + [False], [True] * 6, [True] * 5 + [False])
    reasons = ["too small"] * 4 + ["", ""]
    now = _Outcomes([True] * 6, reasons, [False] * 4 + [True, False], [True] * 6, [True] * 5 + [False])
    row = _row("face_size", 24, now, before, 0.4, 10)
    assert (row["n"], row["tpir"], row["failures_to_acquire"]) == (5, 0.2, 4)
    assert row["tpir_without_gate"] == 1
    assert row["p_tpir"] == pytest.approx(2 / 16)
    assert row["reasons"] == {"too small": 4}
