"""The commands as somebody types them, and what they keep on disk."""

import io
import json
import re
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from proviso.cli import cameras, candidates, output, pictures, places, session
from proviso.cli.api import ApiFault
from proviso.cli.deployments import GROUNDS, read_request
from proviso.cli.main import app
from proviso.domain.deployment import Grounds
from proviso.domain.errors import ConfigurationFault
from proviso.local import cloud

ROOT = Path(__file__).resolve().parents[2]
runner = CliRunner()


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A data folder of its own, and nothing of this machine's environment."""
    monkeypatch.setenv("PROVISO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in (
        "PROVISO_API",
        "PROVISO_TOKEN",
        "PROVISO_CAMERA_KEY",
        "PROVISO_MODELS",
        "PROVISO_PACK",
        "DATABASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(ROOT)


def text(output: str) -> str:
    """Without colours and line ends, which depend on the terminal."""
    return re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", output))


@pytest.mark.parametrize(
    "command",
    [
        *("", "demo", "local", "invoke", "camera", "frames", "login", "check", "models", "stop-all", "evaluate"),
        *("people", "cameras", "watchlist", "deployment", "candidates", "notices", "audit", "policy"),
        *("watchlist add", "watchlist import", "watchlist picture", "deployment request", "candidates confirm"),
        *("candidates withdraw", "notices list", "notices show", "notices outcome", "notices hold", "notices slip"),
        *("deployment audit", "audit show", "audit export", "audit verify"),
        *("cameras register", "cameras list", "cameras revoke"),
        *("calibrate", "card", "trial", "trial plan", "trial result", "trial record", "trial list"),
        *("contacts", "contacts set", "contacts list", "contacts remove"),
    ],
)
def test_every_command_explains_itself(command: str) -> None:
    result = runner.invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage" in result.output


def test_the_help_has_a_line_for_each_command_and_each_is_in_a_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", runner.invoke(app, ["--help"]).output).splitlines()
    assert not any(line.startswith("╭─ Commands") for line in shown), "a command without a panel"
    rows = [line for line in shown if line.startswith("│ ") and "--help" not in line]
    assert len(rows) > 30
    assert [line for line in rows if line[2] == " "] == [], "a command with a second line"


def test_a_local_cloud_that_runs_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = SimpleNamespace(pid=4711, api_url="http://127.0.0.1:1")
    monkeypatch.setattr(cloud.running, "find_running", lambda data: other)
    with (
        pytest.raises(ConfigurationFault, match=r"http://127.0.0.1:1; use that one.*kill 4711"),
        cloud.local_cloud(cloud.LocalCloudOptions(ROOT, tmp_path)),
    ):
        pass


def test_square_brackets_of_a_help_are_shown() -> None:
    assert "[grounds] included" in text(runner.invoke(app, ["deployment", "request", "--help"]).output).replace(
        "│ ", ""
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"low": 1109, "high": None}, "more than 1,109 searches against a list like this"),
        ({"low": 40, "high": 2000}, "about 40 to 2,000 searches against a list like this"),
    ],
)
def test_how_rare_a_stranger_is_stands_there_in_words(
    found: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    candidates._details({"reference": "ABC", "stranger_once_in": found, "evidence": "/somewhere"})
    shown = text(capsys.readouterr().out)
    assert f"stranger once in {said}" in shown
    assert "{" not in shown
    assert "somewhere" not in shown


@pytest.mark.parametrize(
    "command",
    [
        ["people", "list"],
        ["cameras", "list"],
        ["contacts", "list"],
        ["watchlist", "show"],
        ["candidates", "list"],
        ["notices", "list"],
        ["stop-all"],
    ],
)
def test_without_a_sign_in_there_is_a_sentence_and_code_1(command: list[str]) -> None:
    result = runner.invoke(app, command)
    assert result.exit_code == 1
    assert "nobody is signed in" in text(result.output)
    assert "Traceback" not in result.output


def test_signing_in_where_no_cloud_runs_is_told_in_a_sentence() -> None:
    result = runner.invoke(app, ["login", "--as", "demo-officer"])
    assert result.exit_code == 1
    assert "no local cloud is running" in text(result.output)


def test_a_camera_without_a_cloud_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVISO_CAMERA_KEY", "k")
    result = runner.invoke(app, ["camera", "--camera", "hall", "--source", str(tmp_path)])
    assert result.exit_code == 1
    assert "no local cloud is running" in text(result.output)


def test_a_camera_without_a_key_is_told_how_to_get_one(tmp_path: Path) -> None:
    for more in ([], ["--key-file", str(tmp_path / "none.key")]):
        result = runner.invoke(app, ["camera", "--camera", "hall", "--source", str(tmp_path), *more])
        assert result.exit_code == 1
        assert "proviso cameras register hall" in text(result.output)


def test_a_camera_name_that_is_none_is_told_in_a_sentence() -> None:
    result = runner.invoke(app, ["camera", "--camera", "Hall/1", "--source", "."])
    assert result.exit_code == 1
    assert "no camera name" in text(result.output)
    for command in (["register", "../x"], ["revoke", "a/b"]):
        refused = runner.invoke(app, ["cameras", *command])
        assert refused.exit_code == 1
        assert "no camera name" in text(refused.output)


def test_a_source_that_is_none_is_told_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVISO_API", "http://127.0.0.1:1")
    monkeypatch.setenv("PROVISO_CAMERA_KEY", "k")
    result = runner.invoke(app, ["camera", "--camera", "hall", "--source", "/no/such"])
    assert result.exit_code == 1
    assert "there is no folder, video file or device /no/such" in text(result.output)


def test_uploads_that_cannot_be_made_end_with_a_count_and_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVISO_API", "http://127.0.0.1:1")
    monkeypatch.setenv("PROVISO_CAMERA_KEY", "k")
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xffx")
    command = ["camera", "--camera", "hall", "--source", str(tmp_path), "--age-limit", "1"]
    result = runner.invoke(app, command)
    assert result.exit_code == 1
    assert "1 captured, 0 uploaded, 1 dropped" in text(result.output)
    assert "cannot be reached" in text(result.output)


def test_a_camera_s_key_is_kept_for_its_owner_alone_and_printed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    answers = {"key": "the-key-of-the-camera"}
    api = type(
        "Asked",
        (),
        {
            "post": lambda _, path, body: asked.append((path, body)) or answers,
            "delete": lambda _, path: asked.append((path, None)),
        },
    )
    monkeypatch.setattr(session, "api", lambda *_: api())
    result = runner.invoke(app, ["cameras", "register", "hall-north"])
    assert result.exit_code == 0, result.output
    assert text(result.output).count("the-key-of-the-camera") == 1
    path = tmp_path / "data" / "cameras" / "hall-north.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert cameras.key_of(tmp_path / "data", "hall-north") == "the-key-of-the-camera"
    assert runner.invoke(app, ["cameras", "revoke", "hall-north"]).exit_code == 0
    assert not path.exists()
    assert asked == [("/cameras", {"camera": "hall-north"}), ("/cameras/hall-north", None)]


def test_the_key_that_is_named_goes_before_the_one_that_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras.keep(tmp_path, "hall", "kept")
    cameras.keep(tmp_path, "hall", "kept again")
    named = tmp_path / "other.key"
    named.write_text("named\n")
    assert cameras.key_of(tmp_path, "hall") == "kept again"
    monkeypatch.setenv("PROVISO_CAMERA_KEY", "of the environment")
    assert cameras.key_of(tmp_path, "hall") == "of the environment"
    assert cameras.key_of(tmp_path, "hall", named) == "named"
    named.write_text("\n")
    with pytest.raises(ApiFault, match="is empty"):
        cameras.key_of(tmp_path, "hall", named)


def test_a_database_url_that_is_none_is_told_without_quoting_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "my-secret-password")
    result = runner.invoke(app, ["invoke", "GrantFunction", "-e", "events/grant-camera.json"])
    assert result.exit_code == 1
    assert "DATABASE_URL is no address of a PostgreSQL database" in text(result.output)
    assert "my-secret" not in result.output


@pytest.mark.parametrize(("content", "sentence"), [(None, "cannot be read"), ("{", "is not JSON")])
def test_an_event_that_is_none_is_told_in_a_sentence(tmp_path: Path, content: str | None, sentence: str) -> None:
    event = tmp_path / "event.json"
    if content is not None:
        event.write_text(content)
    result = runner.invoke(app, ["invoke", "DetectFunction", "-e", str(event)])
    assert result.exit_code == 1
    assert sentence in text(result.output)


def test_tokens_are_kept_for_their_owner_alone_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    one = session.Session("http://one", "officer", "secret-token")
    session.keep(data, one)
    session.keep(data, session.Session("http://one", "reviewer", "another"))
    assert stat.S_IMODE((data / "sign-in.json").stat().st_mode) == 0o600
    assert "secret" not in repr(one)
    assert session.current(data).subject == "reviewer"
    assert session.current(data, "officer").token == "secret-token"
    with pytest.raises(ApiFault, match="nobody is signed in as somebody"):
        session.current(data, "somebody")


def test_tokens_of_another_cloud_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    session.keep(data, session.Session("http://one", "officer", "old"))
    monkeypatch.setenv("PROVISO_API", "http://two")
    with pytest.raises(ApiFault, match="nobody is signed in"):
        session.current(data, "officer")
    session.keep(data, session.Session("http://two", "reviewer", "new"))
    assert "old" not in (data / "sign-in.json").read_text()
    monkeypatch.setenv("PROVISO_TOKEN", "given")
    assert session.current(data).token == "given"


def test_the_grounds_asked_for_are_those_of_the_domain() -> None:
    assert set(GROUNDS) == set(Grounds.__dataclass_fields__)


def test_a_request_is_read_from_toml_and_json(tmp_path: Path) -> None:
    grounds = "\n".join(f'{name} = "why"' for name in GROUNDS)
    toml = tmp_path / "request.toml"
    toml.write_text(f'use = "trial"\nthreshold = "0.45"\nstarts_at = 2026-11-22T20:00:00Z\n[grounds]\n{grounds}\n')
    values = read_request(toml)
    assert values["starts_at"] == "2026-11-22T20:00:00+00:00"
    assert values["threshold"] == "0.45"
    as_json = tmp_path / "request.json"
    as_json.write_text(json.dumps({**values, "grounds": {**values["grounds"], "necessity": " "}}))
    with pytest.raises(ApiFault, match="lacks these grounds: necessity"):
        read_request(as_json)
    as_json.write_text("[")
    with pytest.raises(ApiFault, match="cannot be read"):
        read_request(as_json)


def test_pictures_go_as_jpeg_and_are_made_smaller_where_the_api_would_refuse_them() -> None:
    import cv2
    import numpy as np

    noise = np.random.default_rng(3).integers(0, 256, (2400, 3600, 3), np.uint8)
    large = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    small = cv2.imencode(".jpg", noise[:200, :200])[1].tobytes()
    assert len(large) > pictures.LARGEST_BYTES
    assert pictures.as_jpeg(small) is small
    assert pictures.as_jpeg(cv2.imencode(".png", noise[:20, :20])[1].tobytes()).startswith(b"\xff\xd8\xff")
    sent = cv2.imdecode(np.frombuffer(pictures.as_jpeg(large), np.uint8), cv2.IMREAD_COLOR)
    assert sent.shape == (2000, 3000, 3)
    for none in (b"", b"hello\n"):
        with pytest.raises(ValueError, match="is not a picture"):
            pictures.as_jpeg(none)


def test_no_entry_is_made_where_none_of_the_files_is_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "api", lambda *_: pytest.fail("the API was asked"))
    (tmp_path / "a.jpg").write_text("hello")
    command = ["watchlist", "add", "LIST", str(tmp_path / "a.jpg"), str(tmp_path / "none.jpg"), str(tmp_path)]
    for name in ("label", "category", "reason", "source", "lawful-holding"):
        command += [f"--{name}", "x"]
    result = runner.invoke(app, [*command, "--image-date", "2026-11-01"])
    assert result.exit_code == 1
    assert "a.jpg: is not a picture" in text(result.output)
    assert "No such file" in text(result.output)
    assert "nothing was sent" in text(result.output)


class _Answers:
    """An API that gives what it was told to."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def get(self, path: str) -> Any:
        return self.answers[path.rsplit("/", 1)[-1]]

    def post(self, path: str, body: Any = None) -> Any:
        return self.get(path)


def test_training_is_valid_until_the_end_of_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        session, "api", lambda *_: type("Asked", (), {"post": lambda _, path, body: asked.append(body)})()
    )
    command = ["people", "register", "reviewer-1", "--role", "reviewer", "--trained-until"]
    assert runner.invoke(app, [*command, "2027-01-01"]).exit_code == 0
    assert asked[0]["trained_until"].startswith("2027-01-01T23:59:59")
    assert asked[0]["roles"] == ["reviewer"]
    assert "write it as YYYY-MM-DD" in text(runner.invoke(app, [*command, "soon"]).output)


def test_a_stop_that_stopped_nothing_does_not_look_like_one_that_did(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"stopped": [], "permits_deleted": [], "database": "done"}
    monkeypatch.setattr(session, "api", lambda *_: _Answers(stop=answer))
    result = runner.invoke(app, ["deployment", "stop", "mistyped"])
    assert result.exit_code == 1
    assert "there is none of that name" in text(result.output)


def test_the_grounds_are_among_what_an_authoriser_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {"id": "d", "digest": "0" * 64, "grounds": {"necessity": "because of this"}}
    monkeypatch.setattr(session, "api", lambda *_: _Answers(d=shown))
    assert "because of this" in text(runner.invoke(app, ["deployment", "authorise", "d"], input="n\n").output)


@pytest.mark.parametrize("width", [40, 200])
def test_identifiers_are_never_cut_or_broken(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    monkeypatch.setattr(output, "console", console)
    name = "895f08fc-c1ef-4f46-b8b8-76091a2f8f29"
    output.table("Things", ("id", "place", "other"), [(name, "a long name of a place", name)])
    shown = console.export_text()
    assert shown.count(name) == 2
    assert "a long name of a place" in shown


def test_model_files_are_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVISO_MODELS", "/one")
    assert places.model_folders(tmp_path / "checkout") == [
        Path("/one"),
        tmp_path / "checkout" / "models",
        tmp_path / "shared" / "models",
    ]


def test_models_that_are_nowhere_end_in_one_line_with_code_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "model_folders", lambda root: [tmp_path])
    result = runner.invoke(app, ["models", "--no-download"])
    assert result.exit_code == 3
    assert "model files of the pack mobilefacenet not found" in text(result.output)


def test_a_model_file_with_a_wrong_hash_does_not_count_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "MobileFaceNet.onnx").write_bytes(b"swapped")
    monkeypatch.setattr(places, "model_folders", lambda root: [tmp_path])
    result = runner.invoke(app, ["models", "--no-download"])
    assert result.exit_code == 1
    assert "SHA-256" in text(result.output)


def test_files_in_several_folders_are_gathered_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one" / "a.onnx", tmp_path / "two" / "b.onnx"
    for path in (one, two):
        path.parent.mkdir()
        path.write_bytes(path.name.encode())
    for _ in range(2):
        folder = places._one_folder({"detector": one, "embedder": two}, tmp_path / "data")
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.onnx": b"a.onnx", "b.onnx": b"b.onnx"}
    assert places._one_folder({"detector": one}, tmp_path / "data") == one.parent


def test_outside_a_checkout_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(places, "__file__", str(tmp_path / "places.py"))
    with pytest.raises(ConfigurationFault, match=r"template\.yaml"):
        places.checkout()
