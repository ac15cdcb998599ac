"""`proviso logs`: the same filter as the saved query, on the local cloud's files."""

import json

from typer.testing import CliRunner

from proviso.cli import logs
from proviso.cli.main import app
from proviso.domain.candidate import correlation_id
from tests.samples import CAMERA, frame_key

KEY = frame_key()
FRAME = correlation_id(KEY)
CANDIDATE = "8e195646-8ff0-572b-8a6d-ce9127af23af"
LINES = [
    {"message": "frame", "service": "match", "timestamp": "2026-11-27 09:00:03,000+0000", "correlation_id": FRAME},
    {"message": "request", "service": "grant", "timestamp": "2026-11-27 09:00:01,000+0000", "correlation_id": CAMERA},
    {"message": "frame", "service": "detect", "timestamp": "2026-11-27 09:00:02,000+0000", "frame_key": KEY}
    | {"correlation_id": FRAME, "outcome": "received", "stages_ms": {"permit": 4.4}},
    {"message": "raised", "service": "match", "timestamp": "2026-11-27 09:00:02,500+0000", "candidate_id": CANDIDATE}
    | {"correlation_id": FRAME},
    {"message": "frame", "service": "detect", "timestamp": "2026-11-27 09:00:02,000+0000", "correlation_id": "other"},
]


def write(folder):
    (folder / "logs").mkdir(parents=True)
    noise = ["INIT_START", "{}", '{"_aws": {}}', "[1]", "REPORT RequestId: x"]
    text = "\n".join([*noise, *(json.dumps(line) for line in LINES)])
    (folder / "logs" / "AnyFunction.log").write_text(text)


def test_one_frame_s_lines_in_the_order_of_time(tmp_path):
    write(tmp_path)
    said = list(logs.read(tmp_path / "logs"))
    assert len(said) == len(LINES)
    way = logs.way(said, *logs.names(KEY))
    assert [(line["service"], line["message"]) for line in way] == [
        ("grant", "request"),
        ("detect", "frame"),
        ("match", "raised"),
        ("match", "frame"),
    ]
    assert logs.shown(way[1]) == ("09:00:02,000", "detect", "frame", "received", "permit 4")
    assert [line["service"] for line in logs.way(said, KEY, logs.NO_CAMERA)] == ["detect"]  # a key for the frame


def test_a_candidate_leads_to_the_frame_that_raised_it(tmp_path):
    write(tmp_path)
    assert logs.frame_of(logs.read(tmp_path / "logs"), CANDIDATE) == FRAME
    assert logs.frame_of(logs.read(tmp_path / "logs"), FRAME) == FRAME


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(logs.session, "here", lambda: tmp_path)
    runner = CliRunner()
    nothing = runner.invoke(app, ["logs", KEY])
    assert nothing.exit_code == 1
    write(tmp_path)
    done = runner.invoke(app, ["logs", KEY])
    assert done.exit_code == 0, done.output
    assert FRAME in done.output
    assert runner.invoke(app, ["logs", "gate-9/2026-11-27/093201.120Z_000003.jpg"]).exit_code == 1
    listed = runner.invoke(app, ["logs"])
    assert listed.exit_code == 0
    assert KEY in "".join(listed.output.split())
    (tmp_path / "demo").mkdir()
    (tmp_path / "logs").rename(tmp_path / "demo" / "logs")
    assert runner.invoke(app, ["logs", KEY]).exit_code == 0  # the demo's, where there is no other
    query = runner.invoke(app, ["logs", KEY, "--query"])
    assert f'correlation_id in ["{FRAME}", "{CAMERA}"] or frame_key = "{FRAME}"' in " ".join(query.output.split())
    assert "{{" not in query.output
    for wrong in ('a"b', "a b", "x" * 301, "line\nbreak"):
        refused = runner.invoke(app, ["logs", wrong, "--query"])
        assert refused.exit_code == 1
        assert "that is no frame's key" in refused.output
