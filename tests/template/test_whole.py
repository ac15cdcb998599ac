"""The templates as a whole: they can be created in some order, and refer to nothing that is not there."""

import re
import shutil
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from proviso.cli.account import before
from proviso.domain.policy import Policy
from proviso.domain.reasons import Refused
from proviso.policies import load
from tests.template.conftest import Template, listed, references

POLICIES_REFUSED = [
    "demo",
    "volunteers,demo",
    "demo,volunteers",
    "my-demo",
    "demo2",
    "volunteers,x-demo-y",
    "",
    ",",
    "Demo",
]
POLICIES_TAKEN = ["volunteers", "uk-police", "volunteers,uk-police,eu"]


def test_no_resource_waits_for_itself(everything: list[Template]) -> None:
    for template in everything:
        names = set(template.resources)
        graph = {
            name: {r for r in references(resource.get("Properties", {})) if r in names}
            | set(listed(resource.get("DependsOn", [])))
            for name, resource in template.resources.items()
        }
        order = list(TopologicalSorter(graph).static_order())  # CycleError names the circle
        assert set(order) == names, template.name


def test_a_circle_would_be_found() -> None:
    from graphlib import CycleError

    bucket = {"DependsOn": "Policy", "Properties": {}}
    policy = {"Properties": {"Resource": {"Fn::Sub": "${Bucket.Arn}/*"}}}
    graph = {
        name: set(references(r["Properties"])) | set(listed(r.get("DependsOn", [])))
        for name, r in {"Bucket": bucket, "Policy": policy}.items()
    }
    with pytest.raises(CycleError):
        TopologicalSorter(graph).prepare()


def test_every_reference_has_something_at_its_end(everything: list[Template]) -> None:
    for template in everything:
        known = set(template.resources) | set(template.raw.get("Parameters", {}))
        found = set(references(template.expanded["Resources"])) | set(references(template.raw.get("Outputs", {})))
        assert {f for f in found - known if not f.startswith("AWS::")} == set(), template.name


def test_every_parameter_is_used(everything: list[Template]) -> None:
    for template in everything:
        used = set(references(template.raw))
        assert set(template.raw.get("Parameters", {})) <= used, template.name


def taken(template: Template, parameter: str, value: str) -> bool:
    return re.fullmatch(template.raw["Parameters"][parameter]["AllowedPattern"], value) is not None


@pytest.mark.parametrize("value", POLICIES_REFUSED)
def test_no_deployment_can_name_the_demo_policy(template: Template, value: str) -> None:
    assert not taken(template, "Policies", value)


@pytest.mark.parametrize("value", POLICIES_TAKEN)
def test_other_policies_can_be_named(template: Template, value: str) -> None:
    assert taken(template, "Policies", value)


def test_the_default_policy_is_volunteers(template: Template) -> None:
    assert template.raw["Parameters"]["Policies"]["Default"] == "volunteers"


def test_the_variable_of_policies_comes_from_the_parameter_alone(template: Template) -> None:
    for name in template.of("AWS::Lambda::Function"):
        assert template.environment(name)["PROVISO_POLICIES"] == {"Ref": "Policies"}


def test_the_folder_of_local_policies_is_that_of_the_layer(template: Template) -> None:
    for name in template.of("AWS::Lambda::Function"):
        assert template.environment(name)["PROVISO_POLICY_FOLDER"] == "/opt/policies"


@pytest.fixture
def layer(root: Path, tmp_path: Path) -> Path:
    """A copy of the core layer's folder, as sam build sees it."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    copy = tmp_path / "layers/core"
    shutil.copytree(root / "layers/core", copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(root / "layers/layer.mk", copy.parent / "layer.mk")
    return copy


def package(layer: Path) -> tuple[int, str, Path]:
    """The core layer's own recipe, without the step that fetches packages: exit code, output, what was built."""
    built = layer.parent / "built"
    command = ["make", "-C", str(layer), "-o", "dependencies", "package", f"ARTIFACTS_DIR={built}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, built


def local_policy(name: str = "short", extends: str = "uk-police") -> str:
    return f'''
name = "{name}"
version = "2026.12.1"
extends = "{extends}"
purpose = "As {extends}, but shorter."

[values]
max_entries = {{ value = 3, source = "Our policy document, section 4." }}
'''


def test_the_demo_policy_is_in_no_layer(layer: Path) -> None:
    source = layer / "src/proviso"
    assert list((source / "policies").rglob("*demo*")), "the demo policy is gone, and this test proves nothing"
    code, said, built = package(layer)
    assert code == 0, said
    assert (built / "python/proviso/policies/files/uk-police.toml").is_file()
    assert not list(built.rglob("*demo*"))
    assert not [name for name in ("local", "evaluation", "cli") if (built / "python/proviso" / name).exists()]


def test_the_words_of_notices_are_in_the_layer(layer: Path) -> None:
    code, said, built = package(layer)
    assert code == 0, said
    folder = built / "python/proviso/notices"
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.txt"))
    assert found == ["cy/email.txt", "cy/sms.txt", "en/email.txt", "en/sms.txt"]


def test_the_local_sign_in_is_in_no_layer(layer: Path) -> None:
    """It gives anybody's token to whoever asks."""
    mark = "/local/oauth2/authorize"
    assert holding(layer / "src", mark), "the sign-in is elsewhere, and this test proves nothing"
    code, said, built = package(layer)
    assert code == 0, said
    assert holding(built, mark) == []
    assert [path for path in built.rglob("*") if {"local", "oauth.py", "sign_in.py"} & set(path.parts)] == []


def test_the_local_sign_in_in_a_layer_stops_the_build(layer: Path) -> None:
    """Should the recipe forget to leave it out, its own look at what was built must find it."""
    recipe = layer / "Makefile"
    text = recipe.read_text(encoding="utf-8")
    forgotten = text.replace('"$(TARGET)/proviso/local" ', "", 1)
    assert forgotten != text
    recipe.write_text(forgotten, encoding="utf-8")
    code, said, _ = package(layer)
    assert code != 0
    assert "proviso/local/sign_in.py" in said
    assert "these must not be in the layer" in said


def holding(folder: Path, mark: str) -> list[Path]:
    """The files that hold this text."""
    return [path for path in folder.rglob("*") if path.is_file() and mark.encode() in path.read_bytes()]


def test_local_policies_go_into_the_layer_and_can_be_loaded_from_it(layer: Path) -> None:
    (layer / "policies/short.toml").write_text(local_policy(), encoding="utf-8")
    code, said, built = package(layer)
    assert code == 0, said
    assert sorted(path.name for path in (built / "policies").iterdir()) == ["short.toml"]
    found = load("short", {"short"}, built / "policies")
    assert isinstance(found, Policy)
    assert found.title == "short 2026.12.1 (uk-police 2026.11.3, tightened)"


def test_a_local_policy_that_was_taken_away_does_not_stay_in_the_layer(layer: Path) -> None:
    (layer / "policies/short.toml").write_text(local_policy(), encoding="utf-8")
    package(layer)
    (layer / "policies/short.toml").unlink()
    code, said, built = package(layer)
    assert code == 0, said
    assert list((built / "policies").iterdir()) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("demo.toml", local_policy()),
        ("my-Demo.toml", local_policy()),
        ("short.toml", local_policy(name="demo")),
        ("short.toml", local_policy(extends="demo")),
        ("short.toml", local_policy(extends="demo 2026.11.3")),
        ("short.toml", local_policy().replace('extends = "uk-police"', "'extends' = 'demo'")),
        ("short.toml", local_policy().replace('extends = "uk-police"', 'EXTENDS="Demo"')),
    ],
)
def test_a_local_policy_of_the_demo_stops_the_build(layer: Path, file: str, text: str) -> None:
    (layer / "policies" / file).write_text(text, encoding="utf-8")
    code, said, built = package(layer)
    assert code != 0
    assert file in said
    assert "take them out of layers/core/policies" in said
    assert not list((built / "policies").iterdir())
    assert not list(built.rglob("*demo*"))


def test_what_the_build_cannot_read_the_loader_refuses(layer: Path) -> None:
    """The word written otherwise passes a search for it; the file is still no policy."""
    text = local_policy().replace('extends = "uk-police"', 'extends = "\\u0064emo"')
    (layer / "policies/short.toml").write_text(text, encoding="utf-8")
    code, _, built = package(layer)
    assert code == 0
    refused = load("short", {"short"}, built / "policies")
    assert isinstance(refused, Refused)
    assert "nothing may extend demo" in refused.detail


@pytest.mark.parametrize(
    ("value", "good"),
    [("https://example.com/console", True), ("", False), ("http://example.com/console", False), ("example.com", False)],
)
def test_the_consoles_address_is_a_safe_one(template: Template, value: str, good: bool) -> None:
    assert taken(template, "ConsoleUrl", value) is good


def test_nobody_is_told_by_a_parameter(template: Template) -> None:
    """Contacts are records, with their deployments, places and categories."""
    addresses = [name for name in template.raw["Parameters"] if name.endswith(("Email", "Phone"))]
    assert addresses == ["AlarmEmail"]


def test_alarms_watch_every_queue_and_reach_somebody(observability: Template) -> None:
    alarms = observability.of("AWS::CloudWatch::Alarm")
    assert all(a["AlarmActions"] == [{"Ref": "AlarmsTopicArn"}] for a in alarms.values())
    watched = {
        (a["MetricName"], a["Dimensions"][0]["Value"]["Ref"])
        for a in alarms.values()
        if a.get("Namespace") == "AWS/SQS"
    }
    expected = {("ApproximateNumberOfMessagesVisible", f"{q}DeadLetterQueue") for q in ("Frames", "Faces", "Notices")}
    expected |= {("ApproximateAgeOfOldestMessage", f"{q}Queue") for q in ("Frames", "Faces", "Notices")}
    assert watched == expected


@pytest.mark.parametrize(
    ("stage", "fits"),
    [("trial", True), ("a", True), ("live2", True), ("2live", False), ("myaws", False), ("cognito", False)],
)
def test_a_stage_fits_into_every_name_that_it_is_part_of(template: Template, stage: str, fits: bool) -> None:
    """Cognito takes no domain with aws, amazon or cognito in it."""
    assert bool(re.search(template.raw["Parameters"]["Stage"]["AllowedPattern"], stage)) is fits
    assert template.of("AWS::Cognito::UserPoolDomain")["SignInDomain"]["Domain"]["Fn::Sub"].count("${Stage}") == 1


def test_doctor_looks_for_what_the_templates_would_ask_for(template: Template, database: Template) -> None:
    """Before a first deployment there is no stack to read it from."""
    parameters = template.raw["Parameters"]
    copies = {name: one["Default"] for name, one in parameters.items() if name.endswith("Concurrency")}
    assert copies == before.NEEDED_COPIES
    assert parameters["DatabaseEngineVersion"]["Default"] == before.VERSION
    assert tuple(parameters["ModelPack"]["AllowedValues"]) == before.PACKS
    (writer,) = database.of("AWS::RDS::DBInstance").values()
    assert (writer["Engine"], writer["DBInstanceClass"]) == (before.ENGINE, before.CLASS)
