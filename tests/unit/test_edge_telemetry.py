"""Lines and metrics: a request's line, whose lines they are, and that no metric is written that is not in the list."""

import json
import re
from pathlib import Path

import pytest

from proviso.domain.frame import Counts, LedgerEntry, Outcome
from proviso.domain.reasons import Reason, Refused
from proviso.edge import http, telemetry
from proviso.edge.metrics import Metric, of
from tests.samples import NOW
from tests.unit.test_edge_batch import CONTEXT, fresh, s3, sqs  # noqa: F401
from tests.unit.test_edge_http import event

ROOT = Path(__file__).resolve().parents[2]
CANDIDATE = "8e195646-8ff0-572b-8a6d-ce9127af23af"
FRAME = "613b9fbc-9529-56f4-a17c-3a81a9ce95f9"


def asked(path, answer, method="GET", capsys=None):
    router = http.routes()

    @router.get("/candidates/<candidate_id>")
    def look(candidate_id: str):
        telemetry.follow(FRAME)
        return answer

    @router.get("/changes")
    def changes():
        return answer

    http.answer_request(http.api(router), event(path=path, method=method), CONTEXT)
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


def test_a_request_is_one_line_with_its_route_and_the_frame_of_the_candidate(capsys):
    (line,) = asked(f"/candidates/{CANDIDATE}", http.answer(200, {"label": "SECRET"}), capsys=capsys)
    known = {"level": "INFO", "message": "request", "correlation_id": FRAME, "candidate_id": CANDIDATE, "status": 200}
    assert known.items() <= line.items()
    assert line["route"] == "GET /candidates/<candidate_id>"
    assert line["request_id"] == "req-1"
    assert line["api_request"] == "r"
    assert line["ms"] >= 0
    assert "SECRET" not in json.dumps(line)
    assert "somebody" not in json.dumps(line)  # who asked is the audit's


def test_a_refusal_says_why_in_one_word(capsys):
    refused = http.refusal(Refused(Reason.TOO_LATE, "SECRET"))
    (line,) = asked(f"/candidates/{CANDIDATE}", refused, capsys=capsys)
    assert (line["status"], line["reason"]) == (410, "too_late")
    assert "SECRET" not in json.dumps(line)


@pytest.mark.parametrize("path", ["/candidates/Ada-Lovelace", "/Ada-Lovelace", "/candidates/a/Ada-Lovelace"])
def test_what_somebody_wrote_into_an_address_is_not_logged(path, capsys):
    (line,) = asked(path, http.answer(200, {}), capsys=capsys)
    assert "Ada" not in json.dumps(line)
    assert line["route"] in ("GET /candidates/<candidate_id>", "no route")


@pytest.mark.parametrize(
    ("outcome", "reason"), [(Outcome.REFUSED, Reason.BAD_KEY), (Outcome.UNPROCESSED, Reason.STALE)]
)
def test_a_name_that_is_no_frame_s_is_not_logged_whoever_ended_it(outcome, reason, capsys):
    """sweep ends what detect never saw, and says that it was too old."""
    telemetry.frame_line(LedgerEntry("gate-1/Ada-Lovelace.jpg", outcome, NOW, reason))
    said = capsys.readouterr().out
    assert "Ada" not in said
    assert "not a frame's name" in said


def test_one_request_s_frame_is_not_the_next_one_s(capsys):
    asked(f"/candidates/{CANDIDATE}", http.answer(200, {}), capsys=capsys)
    (line,) = asked("/changes", http.answer(500, {}), capsys=capsys)
    assert "correlation_id" not in line


def test_what_pages_ask_all_the_time_has_no_line_when_it_is_well(capsys):
    assert asked("/changes", http.answer(200, {"token": "t"}), capsys=capsys) == []


def test_a_step_is_about_its_own_frame_and_the_lines_after_it_are_not(capsys):
    with telemetry.invocation("req-1"), telemetry.correlated("this"):
        telemetry.step("evidence deleted", CANDIDATE, FRAME)
        telemetry.logger().info("after")
    step, after = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert (step["message"], step["candidate_id"], step["correlation_id"]) == ("evidence deleted", CANDIDATE, FRAME)
    assert after["correlation_id"] == "this"
    assert "candidate_id" not in after


def test_a_contact_s_line_names_no_account(capsys, monkeypatch):
    from functions.alert import app

    def alert_invocation(follow):
        def one(key):
            if key.startswith("notices/"):
                follow(FRAME)
            return "sent"

        return one

    monkeypatch.setattr(app.wiring, "alert_invocation", alert_invocation)
    keys = ("contacts/sub-77.json", f"notices/{CANDIDATE}/1-raised.json", "x/sub-77/y")
    app.handler(sqs(*(s3(key) for key in keys)), CONTEXT)
    said = capsys.readouterr().out
    assert "sub-77" not in said
    contact, notice, other = [json.loads(text) for text in said.splitlines()]
    assert "correlation_id" not in contact
    assert "correlation_id" not in other
    assert (notice["candidate_id"], notice["kind"], notice["correlation_id"]) == (CANDIDATE, "raised", FRAME)


def test_a_notice_that_fails_is_found_under_its_frame(capsys, monkeypatch):
    from functions.alert import app
    from proviso.domain.errors import TransientFault

    def alert_invocation(follow):
        def one(key):
            follow(FRAME)
            raise TransientFault("busy")

        return one

    monkeypatch.setattr(app.wiring, "alert_invocation", alert_invocation)
    app.handler(sqs(s3(f"notices/{CANDIDATE}/1-raised.json")), CONTEXT)
    failed = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (failed["message"], failed["correlation_id"]) == ("message failed and will come back", FRAME)


@pytest.mark.parametrize("reason", [None, Reason.NO_PERMIT, Reason.CAMERA_KEY])
def test_a_camera_s_name_is_logged_where_its_key_was_right(reason, capsys, monkeypatch):
    from functions.grant import app

    granted = {"url": "SECRET"} if reason is None else Refused(reason)
    monkeypatch.setattr(app.wiring, "grant", lambda: lambda camera, key: granted)
    app.app.cache_clear()
    app.handler(event("POST", "/cameras/gate-1/grants"), CONTEXT)
    said = capsys.readouterr().out
    (line,) = [json.loads(text) for text in said.splitlines()]
    assert line.get("correlation_id") == (None if reason is Reason.CAMERA_KEY else "gate-1")
    assert "SECRET" not in said
    if reason is Reason.CAMERA_KEY:
        assert "gate-1" not in said


def test_the_metrics_of_a_searched_frame(capsys):
    row = LedgerEntry("k", Outcome.SEARCHED, NOW, counts=Counts(1, 0, 1, 0, 1), finished_at=NOW)
    with telemetry.invocation("req-1"):
        telemetry.searched(row)
    blob = json.loads(capsys.readouterr().out)
    units = {one["Name"]: one["Unit"] for one in blob["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert units == {"Candidates": "Count", "FacesSearched": "Count", "UploadToSearched": "Milliseconds"}
    assert blob["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_every_metric_of_the_list_is_written_somewhere_and_no_other():
    source = "\n".join(
        path.read_text()
        for folder in ("functions", "layers/core/src/proviso")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "metrics.py"
    )
    assert {one.name for one in Metric} == set(re.findall(r"Metric\.([A-Z_]+)", source))
    assert not re.findall(r"(?<!\.)\bcount\(f?\"", source)
    assert not re.findall(r"add_metric\((?!name=one\.name)", source)
    with pytest.raises(AttributeError):
        telemetry.count("Anything")


def test_an_idle_month_has_one_custom_metric_and_a_running_trial_nine():
    """0.30 dollars each a month, by the hour in which it is written. Sweep runs each minute: what it writes must
    not be written each time."""
    assert (of("idle"), of("active")) == (1, 8)
    assert [one for one in Metric if "sweep" in one.value.services] == [Metric.WOKEN]


@pytest.mark.parametrize("woken", [0, 1])
def test_sweep_writes_no_metric_where_it_did_nothing(woken, capsys, monkeypatch):
    from functions.sweep import app

    counts = {"deleted": 0, "stale": 0, "unprocessed": 0, "woken": woken}
    monkeypatch.setattr(app.wiring, "sweep", lambda tell: counts)
    app.handler({}, CONTEXT)
    assert ("Swept.woken" in capsys.readouterr().out) is bool(woken)


def test_the_page_is_the_one_that_would_be_written_now():
    from samtranslator.yaml_helper import yaml_parse

    from scripts.telemetry import PAGE, page

    text = PAGE.read_text(encoding="utf-8")
    assert page(text, yaml_parse((ROOT / "infra/observability.yaml").read_text(encoding="utf-8"))) == text, "make docs"
    for one in Metric:
        assert f"`{one.value.name}`" in text
