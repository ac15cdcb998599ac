"""The main job from end to end, as `proviso demo` plays it, with the default pack and with the dlib pack."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from proviso.cli import logs
from proviso.cli.demo.run import DemoOptions, run_demo
from proviso.cli.demo.script import AUTHORISER, OFFICER, RECIPIENT, REQUESTER, REVIEWER
from tests.e2e.conftest import models_or_skip

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def play(options: DemoOptions) -> str:
    """Run it; everything that it says. Fails with that text when anything did not hold."""
    said = io.StringIO()
    code = run_demo(options, Console(file=said, width=160, force_terminal=False))
    text = said.getvalue()
    assert code == 0, text
    return text


def test_a_listed_person_is_found_reviewed_and_told_and_nobody_else(options: DemoOptions) -> None:
    text = play(options)
    for outcome in ("searched: candidate", "searched: none", "no_face", "refused: no_permit", "stale", "unreadable"):
        assert outcome in text
    assert "Possible match, checked by a reviewer; not proof of identity: verify first." in text
    assert text.count("SMS to") == 2
    assert text.count("E-mail to") == 2
    for written in ("evidence-*.jpg", "reference-*.jpg", "frames.png"):
        assert len(list(options.out.glob(written))) == 1, written
    assert "Grace Hopper" not in text  # the label is for the watchlist officer alone (S20)
    one_query_finds_the_way_of_the_frame(options)
    the_logs_hold_nothing_of_anybody(options)


def one_query_finds_the_way_of_the_frame(options: DemoOptions) -> None:
    """From the upload right to the close, by the filter that the saved query has."""
    lines = list(logs.read(options.data / "logs"))
    raised = next(line for line in lines if line["message"] == "raised")
    key = next(
        line["frame_key"]
        for line in lines
        if line.get("correlation_id") == raised["correlation_id"] and "frame_key" in line
    )
    frame, camera = logs.names(key)
    assert frame == raised["correlation_id"]
    way = logs.way(lines, frame, camera)
    said = [
        (line["service"], line["message"], line.get("kind") or line.get("route") or line.get("outcome")) for line in way
    ]
    in_order = [
        ("grant", "request", "POST /cameras/<camera>/grants"),
        ("detect", "frame", "received"),
        ("match", "raised", None),
        ("match", "frame", "searched"),
        ("review", "request", "GET /candidates/<candidate_id>"),
        ("review", "request", "GET /candidates/<candidate_id>/evidence"),
        ("review", "request", "POST /candidates/<candidate_id>/decision"),
        ("retain", "deployment closed", None),
    ]
    places = [said.index(one) for one in in_order]
    assert places == sorted(places)
    assert ("alert", "notice", "raised") in said
    assert ("alert", "notice", "confirmed") in said
    about = [line for line in way if line["service"] in ("alert", "review", "retain") or line["message"] == "raised"]
    assert {line["candidate_id"] for line in about} == {raised["candidate_id"]}
    assert all(line.get("request_id") for line in way)
    # The other way round: no line names this candidate without the frame's correlation id, but for those of later
    # frames on which the same entry was seen again: each is on its own frame's way.
    others = [line for line in lines if line.get("candidate_id") == raised["candidate_id"] and line not in way]
    assert {line["message"] for line in others} <= {"sighted again"}


def the_logs_hold_nothing_of_anybody(options: DemoOptions) -> None:
    """What the functions wrote, whole: no name, address or account, no token or key, nothing as long as a template."""
    everything = "\n".join(path.read_text(errors="replace") for path in (options.data / "logs").rglob("*.log"))
    assert '"message":"frame"' in everything
    people = (OFFICER, REQUESTER, REVIEWER, RECIPIENT, AUTHORISER, "Grace", "Hopper")
    found = [word for word in people if re.search(rf"\b{re.escape(word)}\b", everything)]
    assert not found
    for pattern in (r"[\w.]+@[\w-]+\.[a-z]+", r"\+\d{9,}", r"eyJ[\w-]{10,}", r"[A-Za-z0-9+/]{120,}", r"Bearer"):
        assert not re.findall(pattern, everything), pattern
    # Metrics of a batch are a list of numbers too.
    lines = "\n".join(line for line in everything.splitlines() if '"_aws"' not in line)
    assert not re.findall(r"(?:-?\d+\.\d+(?:e-?\d+)?,\s*){8,}", lines)
    assert not re.findall(r'"(?:entry|entry_id|similarity|threshold|template|sub|account)":', everything)


def test_it_goes_on_with_the_dlib_pack_where_the_default_pack_is_not_to_be_had(options: DemoOptions) -> None:
    text = play(replace(options, models=models_or_skip("dlib")))
    assert "model pack dlib" in text
