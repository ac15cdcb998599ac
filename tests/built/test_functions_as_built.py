"""Every function runs from what is deployed: under Python 3.13 and AWS's runtime client, out of its layers and archive.

The whole main job is played on such functions, and each of them is invoked with a sample event. Then parts are taken
away from a copy, to see that a part that is missing is missed.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from proviso.cli.api import Api, ApiFault
from proviso.cli.demo.scene import CANDIDATE, NORTH, scenes
from proviso.cli.demo.script import OFFICER, RECIPIENTS, REVIEWER, REVIEWERS, Demonstration
from proviso.cli.demo.verdict import outcome_of
from proviso.cli.places import Models
from proviso.local.places import built
from proviso.local.worker import Function
from scripts import images
from scripts.built_parts import ROOT, functions
from tests.built.conftest import cloud_of, copy_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(280)]
ALL = [one.name for one in functions()]

PROBE = """
import importlib.util, json, sys
import functions.{stage}.app
names = ["moto", "typer", "pytest", "proviso.local", "proviso.cli", "proviso.evaluation", "numpy", "onnxruntime"]
print(json.dumps(dict(version=list(sys.version_info[:2]), path=sys.path, package=__import__("proviso").__file__,
    cached=functions.{stage}.app.__cached__, found=[one for one in names if importlib.util.find_spec(one)])))
"""


def probe(tree: Path, name: str) -> dict[str, Any]:
    """What a function's process would be, asked in such a process."""
    own = next(one for one in functions() if one.name == name)
    function = Function(name, name, own.handler, 3.0, 128, {}, in_vpc=False, layers=own.layers)
    place = built(tree, tree / "nowhere", ROOT, (), None).place(function)
    done = subprocess.run(
        [str(place.python), "-c", PROBE.format(stage=own.stage)],
        cwd=place.folder,
        env={"PYTHONPATH": os.pathsep.join(map(str, place.path)), "POWERTOOLS_TRACE_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", ["DetectFunction", "SweepFunction"])
def test_a_function_s_process_is_python_3_13_and_sees_its_own_layers_alone(host: Path, name: str) -> None:
    seen = probe(host, name)
    assert seen["version"] == [3, 13]
    assert seen["found"] == (["numpy", "onnxruntime"] if name == "DetectFunction" else [])
    assert Path(seen["package"]).is_relative_to(host / "CoreLayer/python")
    assert seen["cached"].endswith("/__pycache__/app.cpython-313.pyc")
    inside = [one for one in seen["path"] if one and Path(one).is_relative_to(ROOT)]
    assert all(Path(one).is_relative_to(host) for one in inside)


# --- all of it works --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def play(host: Path, models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    with cloud_of(host, tmp_path_factory.mktemp("built"), models) as one:
        one.prepare()
        yield one


def test_the_main_job_runs_from_it_to_the_certificate_and_the_public_record(
    play: Demonstration, models: Models
) -> None:
    scene = next(s for s in scenes(models.smallest_face_px) if s.camera == NORTH and s.expected == CANDIDATE)
    sent = play.cameras().run(NORTH, (scene,), 60.0)
    rows = play.outcomes(sent, 60.0)
    assert [outcome_of(rows.get(one.key)) for one in sent] == [CANDIDATE]
    (candidate,) = play.candidates()
    assert len(play.wait_for_messages(REVIEWERS)) == 2
    assert all(picture.stat().st_size > 1000 for picture in play.look(candidate["id"]))
    assert play.confirm(candidate["id"])["state"] == "confirmed"
    assert len(play.wait_for_messages(RECIPIENTS)) == 2
    play.stop()
    certificate = play.close()
    assert certificate["complete"] is True
    assert {count["left"] for count in certificate["counts"]} == {0}
    assert play.audit_fault()[1] is None
    record = Api(play.cloud.api_url).get(f"/records/{play.deployment}")
    assert record["deployment"] == play.deployment
    for page in ("/console", "/console/notices", "/console/console.js", "/records/index.html"):
        assert len(Api(play.cloud.api_url).picture(page)) > 200, page


def partial(failures: int) -> Mapping[str, Any]:
    return {"batchItemFailures": failures}


SAMPLES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "DetectFunction": ("detect-frame", partial(0)),
    "MatchFunction": ("match-frame", partial(0)),
    "AlertFunction": ("alert-raised", partial(0)),
    "EnrolFunction": ("enrol-reference", {"statusCode": 404}),
    "GovernFunction": ("govern-create-watchlist", {"statusCode": 201}),
    "ReviewFunction": ("review-list", {"statusCode": 200}),
    "RetainFunction": ("retain-wake", {}),
    "SweepFunction": ("sweep-schedule", {}),
    "ReportFunction": ("report-records", {"statusCode": 200}),
    "GrantFunction": ("grant-wrong-key", {"statusCode": 401}),
    "MigrateFunction": ("migrate-create", {}),
}


@pytest.mark.parametrize("name", ALL)
def test_it_answers_a_sample_event(play: Demonstration, name: str) -> None:
    file, expected = SAMPLES[name]
    event = json.loads((ROOT / "events" / f"{file}.json").read_text("utf-8"))
    event.pop("ResponseURL", None)
    done = play.cloud.invoke(name, event)
    assert done.error is None, (done.error, done.log[-5:])
    answer = done.payload or {}
    found = {key: len(answer[key]) if isinstance(answer[key], list) else answer[key] for key in expected}
    assert found == expected, answer


# --- and it would be noticed if a part were missing -------------------------------------------------------------------


@pytest.fixture(scope="module")
def broken(host: Path, models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """A copy without one model, one module, one policy and one page."""
    tmp = tmp_path_factory.mktemp("broken")
    copy = copy_of(host, tmp / "tree")
    package = "CoreLayer/python/proviso"
    for gone in (
        "ModelsLayer/models/MobileFaceNet.onnx",
        f"{package}/stages/sweep.py",
        f"{package}/policies/files/volunteers.toml",
        "ReviewFunction/functions/review/page/console.js",
    ):
        (copy / gone).unlink()
    with cloud_of(copy, tmp, models) as one:
        yield one


def refusal(path: str, api: Api, body: Any) -> ApiFault | None:
    try:
        api.post(path, body)
    except ApiFault as fault:
        return fault
    return None


def test_a_missing_policy_is_missed(broken: Demonstration, play: Demonstration) -> None:
    wanted = {"name": "Another", "policy": "volunteers"}
    broken.register_people()
    refused = refusal("/watchlists", broken.as_person(OFFICER), wanted)
    assert refused is not None
    assert "not offered here; offered: demo" in str(refused)
    assert refusal("/watchlists", play.as_person(OFFICER), wanted) is None


def test_a_missing_model_is_missed(broken: Demonstration) -> None:
    with pytest.raises(ApiFault) as raised:
        broken.make_watchlist()
    assert raised.value.status >= 500
    log = (broken.out.parent / "data/logs/EnrolFunction.log").read_text("utf-8")
    assert "MobileFaceNet.onnx" in log


def test_a_missing_module_is_missed(broken: Demonstration) -> None:
    done = broken.cloud.run_schedule("SweepFunction")
    assert done.error is not None
    assert "proviso.stages.sweep" in done.error["errorMessage"] or "sweep" in done.error["errorMessage"]


def test_a_missing_page_is_missed(broken: Demonstration) -> None:
    with pytest.raises(ApiFault) as raised:
        Api(broken.cloud.api_url).picture("/console/console.js")
    assert raised.value.status in (404, 500)
    assert Api(broken.cloud.api_url, broken.cloud.sign_in(REVIEWER)).picture("/console")


# --- and the images would hold the same -------------------------------------------------------------------------------


def test_the_images_would_hold_what_was_run_here(host: Path, tmp_path: Path) -> None:
    """No Docker here: what the Dockerfiles copy is worked out from them, over this very tree."""
    machine = os.uname().machine
    images.prepare(machine, tmp_path)
    (tmp_path / machine).symlink_to(host)
    assert images.faults(tmp_path, machine) == []
    vision = {one.target for one in images.files(tmp_path / "Dockerfile.vision", tmp_path, machine)}
    assert "/opt/models/MobileFaceNet.onnx" in vision
    assert "/opt/certs/rds-global-bundle.pem" in vision
    for one in vision | {copied.target for copied in images.files(tmp_path / "Dockerfile.light", tmp_path, machine)}:
        assert not one.startswith(tuple(f"/opt/python/proviso/{name}/" for name in ("local", "cli", "evaluation"))), one
        assert "demo" not in one.rsplit("/", 1)[-1] or "/policies/" not in one
