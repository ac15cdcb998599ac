"""Functions: those of the design, started as the design says, with what their settings ask for."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from proviso.domain.contacts import LOOKED_WITHIN
from tests.template.conftest import Template, read, references, short

IN_NETWORK = {"match", "enrol", "govern", "review", "retain", "migrate"}
OUTSIDE = {"detect", "alert", "grant", "sweep", "report"}
WITH_MODELS = {"detect", "match", "enrol"}
STAGES = sorted(IN_NETWORK | OUTSIDE)
COMMON = {
    "STAGE",
    "PROVISO_PACK",
    "PROVISO_MODELS",
    "PROVISO_POLICIES",
    "PROVISO_POLICY_FOLDER",
    "SOFTWARE_BUILD",
    "TIME_ZONE",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_METRICS_NAMESPACE",
}


def name_of(stage: str) -> str:
    return f"{stage.capitalize()}Function"


def test_the_functions_are_those_of_the_design(template: Template) -> None:
    assert set(template.of("AWS::Lambda::Function")) == {name_of(stage) for stage in STAGES}


@pytest.mark.parametrize("stage", STAGES)
def test_runtime_handler_and_log(template: Template, root: Path, stage: str) -> None:
    function = template.resources[name_of(stage)]["Properties"]
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert function["Handler"] == f"functions.{stage}.app.handler"
    assert function["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": f"{stage.capitalize()}Logs"}}
    assert (root / "functions" / stage / "app.py").is_file()


@pytest.mark.parametrize("stage", STAGES)
def test_network(template: Template, stage: str) -> None:
    function = template.resources[name_of(stage)]["Properties"]
    assert ("VpcConfig" in function) == (stage in IN_NETWORK)
    if stage in IN_NETWORK:
        config = function["VpcConfig"]
        assert [s["Fn::GetAtt"] for s in config["SubnetIds"]] == [
            ["Network", "Outputs.SubnetA"],
            ["Network", "Outputs.SubnetB"],
        ]
        assert config["SecurityGroupIds"] == [{"Fn::GetAtt": ["Network", "Outputs.FunctionsSecurityGroup"]}]


@pytest.mark.parametrize("stage", STAGES)
def test_layers(template: Template, stage: str) -> None:
    function = template.resources[name_of(stage)]["Properties"]
    names = [
        next(n for n in ("Core", "Vision", "Models") if layer["Ref"].startswith(n)) for layer in function["Layers"]
    ]
    assert names == (["Core", "Vision", "Models"] if stage in WITH_MODELS else ["Core"])


@pytest.mark.parametrize("stage", STAGES)
def test_the_tracer_is_off_unless_asked_for(template: Template, stage: str) -> None:
    function = template.resources[name_of(stage)]["Properties"]
    assert "TracingConfig" not in function
    assert not [one for one in managed_policies(template, stage) if "xray" in one.lower()]
    variables = function["Environment"]["Variables"]
    assert variables["POWERTOOLS_TRACE_DISABLED"] == {"Fn::If": ["WithTracing", "false", "true"]}
    assert variables["POWERTOOLS_TRACER_CAPTURE_RESPONSE"] == "false"
    assert variables["POWERTOOLS_TRACER_CAPTURE_ERROR"] == "false"
    assert variables["POWERTOOLS_LOGGER_LOG_EVENT"] == "false"


def managed_policies(template: Template, stage: str) -> list[str]:
    role = template.resources[f"{name_of(stage)}Role"]["Properties"]
    return [str(one) for one in role.get("ManagedPolicyArns", [])]


def test_asked_for_every_function_is_traced_and_may_write_traces(root: Path) -> None:
    traced = read(root / "template.yaml", {"Tracing": "Active"})
    for stage in STAGES:
        function = traced.resources[name_of(stage)]["Properties"]
        assert function["TracingConfig"] == {"Mode": {"Ref": "Tracing"}}, stage
        assert any("WriteTraces" in one for one in managed_policies(traced, stage)), stage


@pytest.mark.parametrize("stage", STAGES)
def test_common_variables(template: Template, stage: str) -> None:
    variables = template.environment(name_of(stage))
    assert set(variables) >= COMMON
    assert variables["POWERTOOLS_SERVICE_NAME"] == stage
    assert variables["PROVISO_MODELS"] == "/opt/models"
    assert "DATABASE_URL" not in variables, "a conninfo with a password is for one machine only"


@pytest.mark.parametrize("stage", STAGES)
def test_what_the_settings_ask_for_is_there(template: Template, stage: str) -> None:
    settings = pytest.importorskip("proviso.settings", reason="the settings are not there yet")
    known = {name.lower(): c for name, c in inspect.getmembers(settings, inspect.isclass)}
    if stage not in known:
        pytest.skip(f"{stage} has no settings of its own")
    variables = template.environment(name_of(stage))
    asked = {name.upper(): field for name, field in known[stage].model_fields.items()}
    missing = [name for name, field in asked.items() if field.is_required() and name not in variables]
    assert missing == []
    if "DATABASE_HOST" in asked:
        assert {"DATABASE_HOST", "DATABASE_PORT", "DATABASE_NAME", "DATABASE_USER", "DATABASE_CA"} <= set(variables)


def test_snap_start_is_off_unless_asked_for(template: Template) -> None:
    assert template.raw["Parameters"]["SnapStart"]["Default"] == "off"
    for stage in STAGES:
        function = template.resources[name_of(stage)]["Properties"]
        if stage in WITH_MODELS:
            assert function["SnapStart"] == {"ApplyOn": {"Fn::If": ["WithSnapStart", "PublishedVersions", "None"]}}
        else:
            assert "SnapStart" not in function


# Names of resources are made of Stage, which nobody changes; of the others these three read nothing.
NOT_GONE_BY = {"Stage", "Policies", "TimeZone"}


@pytest.mark.parametrize("stage", sorted(WITH_MODELS))
def test_a_published_version_is_replaced_when_what_it_goes_by_changes(template: Template, stage: str) -> None:
    """Else the alias goes on with the version of before: with old code in old layers, or without a snapshot."""
    written = template.raw["Resources"][name_of(stage)]["Properties"]
    assert written["AutoPublishAliasAllProperties"] is True
    assert written["VersionDeletionPolicy"] == "Delete"
    for layer in ("CoreLayer", "VisionLayer", "ModelsLayer"):
        assert template.raw["Resources"][layer]["Properties"]["PublishLambdaVersion"] is True
    conditions = {name: set(references(content)) for name, content in template.raw["Conditions"].items()}
    function = template.resources[name_of(stage)]["Properties"]
    used = set(references(function)) | {one for name in conditional(function) for one in conditions[name]}
    parameters = (used & set(template.raw["Parameters"])) - NOT_GONE_BY
    (version,) = (
        one for one in template.of("AWS::Lambda::Version").values() if one["FunctionName"] == {"Ref": name_of(stage)}
    )
    # The database's address changes without a parameter of these functions, when it is restored from a snapshot.
    stacks = {name for name, resource in template.resources.items() if resource["Type"] == "AWS::CloudFormation::Stack"}
    moving = (used & stacks) - {"Network"}
    assert moving == ({"Database"} if stage in IN_NETWORK else set())
    # More must not be named either: a version with nothing new in it cannot be published.
    assert set(references(version["Description"])) == parameters | moving


@pytest.mark.parametrize("stage", sorted(WITH_MODELS))
def test_a_version_s_description_has_room_for_the_longest_values(template: Template, stage: str) -> None:
    (version,) = (
        one for one in template.of("AWS::Lambda::Version").values() if one["FunctionName"] == {"Ref": name_of(stage)}
    )
    longest = {
        "SoftwareBuild": 80,
        "ModelPack": max(map(len, template.raw["Parameters"]["ModelPack"]["AllowedValues"])),
        "SnapStart": 3,
        "Tracing": len("Disabled"),
        "DetectMemory": 4,
        "Database.Outputs.ClusterId": 63,
    }
    text = version["Description"]["Fn::Sub"]
    for name, length in longest.items():
        text = text.replace(f"${{{name}}}", "x" * length)
    assert "$" not in text
    assert len(text) <= 256, "Lambda takes no longer description"


def test_a_changed_layer_publishes_another_version(root: Path) -> None:
    """By SAM's own rule, of which AllProperties alone knows nothing."""

    def versions(content: str) -> set[str]:
        return set(read(root / "template.yaml", core_layer=content).of("AWS::Lambda::Version"))

    before, same, after = versions("s3://b/one"), versions("s3://b/one"), versions("s3://b/two")
    assert before == same
    assert not before & after


def conditional(value: Any) -> set[str]:
    """The conditions that a value hangs on."""
    if isinstance(value, dict):
        own = {value["Fn::If"][0]} if "Fn::If" in value else set()
        return own.union(*(conditional(one) for one in value.values()))
    return set().union(*(conditional(one) for one in value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("stage", ["detect", "match"])
def test_queues_call_the_published_version(template: Template, stage: str) -> None:
    mappings = template.of("AWS::Lambda::EventSourceMapping").values()
    assert {"Ref": f"{name_of(stage)}Aliaslive"} in [one["FunctionName"] for one in mappings]
    alias = template.resources[f"{name_of(stage)}Aliaslive"]["Properties"]
    assert set(references(alias["FunctionVersion"])) <= set(template.of("AWS::Lambda::Version"))


def test_what_runs_by_the_clock_is_not_tried_again(template: Template) -> None:
    rules = {}
    for rule in template.of("AWS::Events::Rule").values():
        (target,) = rule["Targets"]
        assert target["RetryPolicy"]["MaximumRetryAttempts"] == 0
        rules[short(target["Arn"])] = rule["ScheduleExpression"]
    assert rules["SweepFunction"] == "rate(1 minute)"
    # A look must not be older than a quarter of an hour when a deployment starts.
    assert rules == {"SweepFunction": "rate(1 minute)", "AlertFunction": "rate(5 minutes)"}
    assert LOOKED_WITHIN.total_seconds() >= 3 * 5 * 60
    assert template.resources["SweepFunction"]["Properties"]["Timeout"] < 60


def test_sweep_deletes_no_frame_that_a_policy_still_allows(template: Template) -> None:
    policies = pytest.importorskip("proviso.policies", reason="the policies are not there yet")
    folder = Path(policies.__file__).parent
    import tomllib

    limits = []
    for path in folder.rglob("*.toml"):
        found = _find(tomllib.loads(path.read_text(encoding="utf-8")), "frame_age_limit_s")
        limits.append(found["value"] if isinstance(found, dict) else found)
    if not limits:
        pytest.skip("no policy file states frame_age_limit_s")
    assert template.raw["Parameters"]["FrameAgeLimitSeconds"]["Default"] >= max(limits)


def _find(tree: dict, name: str) -> object:
    if name in tree:
        return tree[name]
    for inner in tree.values():
        if isinstance(inner, dict) and (found := _find(inner, name)) is not None:
            return found
    return None


def test_the_network_s_functions_wait_for_the_schema(template: Template) -> None:
    for stage in IN_NETWORK - {"migrate"}:
        assert template.resources[name_of(stage)]["DependsOn"] == "DatabaseSchema"
    assert "DependsOn" not in template.resources["MigrateFunction"]


def test_a_migration_that_ran_out_of_time_is_not_tried_again_by_itself(template: Template) -> None:
    """CloudFormation was told that it failed, and has taken the update back."""
    (config,) = (
        one
        for one in template.of("AWS::Lambda::EventInvokeConfig").values()
        if one["FunctionName"] == {"Ref": "MigrateFunction"}
    )
    assert config["MaximumRetryAttempts"] == 0
    assert config["MaximumEventAgeInSeconds"] <= template.resources["DatabaseSchema"]["Properties"]["ServiceTimeout"]


def test_the_schema_is_migrated_when_it_changes(template: Template, root: Path) -> None:
    schema = template.resources["DatabaseSchema"]
    assert schema["Type"] == "Custom::DatabaseSchema"
    properties = schema["Properties"]
    assert short(properties["ServiceToken"]) == "MigrateFunction"
    assert properties["FirstAuthoriser"] == {"Ref": "FirstAuthoriser"}
    assert properties["SoftwareBuild"] == {"Ref": "SoftwareBuild"}
    assert properties["ServiceTimeout"] > template.resources["MigrateFunction"]["Properties"]["Timeout"]
    folder = root / "layers/core/src/proviso/store/migrations"
    numbers = [int(path.name.split("_")[0]) for path in folder.glob("[0-9]*_*.sql")]
    if not numbers:
        pytest.skip("there are no migrations yet")
    assert properties["SchemaVersion"] == max(numbers), "or an update of the stack would not migrate"
