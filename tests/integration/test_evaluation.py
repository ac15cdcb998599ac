"""proviso evaluate on real faces: from the folder to the page, as somebody types it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.vision_scenes import SHARED, model_folders
from proviso.cli.main import app
from proviso.domain.errors import ConfigurationFault
from proviso.vision.locate import find_files
from proviso.vision.pack import load_manifest

FACES = SHARED / "faces" / "orl_att"
PEOPLE, PICTURES = 20, 3


@pytest.fixture(scope="module")
def subset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not FACES.is_dir():
        pytest.skip("the pictures are absent; they belong into ../shared/faces beside the checkout")
    try:
        find_files(load_manifest("mobilefacenet"), model_folders())
    except ConfigurationFault as absent:
        pytest.skip(str(absent))
    folder = tmp_path_factory.mktemp("faces") / "orl"
    for identity in sorted(path for path in FACES.iterdir() if path.is_dir())[:PEOPLE]:
        (folder / identity.name).mkdir(parents=True)
        for picture in sorted(identity.glob("*.jpg"))[:PICTURES]:
            (folder / identity.name / picture.name).symlink_to(picture)
    (folder / sorted(folder.iterdir())[0].name / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    return folder


@pytest.mark.integration
def test_real_faces_from_the_folder_to_the_page(subset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PROVISO_MODELS", str(SHARED / "models"))
    arguments = ["evaluate", str(subset), "--out", str(tmp_path / "out"), "--list-size", "5", "--fpir", "0.5"]
    arguments += ["--lists", "4", "--no-conditions", "--workers", "1"]
    first = CliRunner().invoke(app, arguments)
    assert first.exit_code == 0, first.output
    figures = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert figures["data"]["people"] == PEOPLE
    assert figures["data"]["failures_to_acquire"]["reasons"].get("truncated") == 1
    row = figures["identification"][0]
    assert row["non_mated_people"] >= 6
    assert row["rank_1"] > 0.8
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert "Evaluation of mobilefacenet on orl" in page

    # The same again, now from the cache, and with its own thresholds.
    frozen = ["--thresholds", str(tmp_path / "out" / "evaluation.json"), "--json", str(tmp_path / "again.json")]
    again = CliRunner().invoke(app, [*arguments[:2], *arguments[4:], *frozen])
    assert again.exit_code == 0, again.output
    assert json.loads((tmp_path / "again.json").read_text())["identification"][0]["threshold"] == row["threshold"]
    cleared = CliRunner().invoke(app, ["evaluate", "--clear-cache"])
    assert cleared.output.startswith("1 caches deleted")
