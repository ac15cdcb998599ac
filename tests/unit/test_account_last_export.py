"""A teardown's end: all is quiet, looked at again, and the whole audit is written before anything is deleted (S29)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from samtranslator.yaml_helper import yaml_parse
from typer.testing import CliRunner, Result

from proviso.cli import session
from proviso.cli.account import gate, plan, quiet, running, teardown, tearing
from proviso.cli.account.stack import Part, Stack, needed_stack, read_stack
from proviso.cli.main import app
from tests.account import NAME, REGION, Served, account, copies, deploy, function, pretended, pretended_caller


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Served]:
    monkeypatch.setenv("PROVISO_DATA", str(tmp_path / "data"))
    pretended_caller(monkeypatch)
    monkeypatch.setattr("time.sleep", lambda _: None)
    api = Served()
    monkeypatch.setattr(session, "api", lambda *_: api)
    with pretended():
        deploy()
        boto3.client("s3", region_name=REGION).put_object(Bucket="proviso-frames-trial", Key="a.jpg", Body=b"x")
        api.anchor("d-1", "system")
        yield api


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def stack() -> Stack:
    return needed_stack(account(), NAME)


def run(file: Path, *more: str) -> Result:
    return CliRunner().invoke(
        app, ["teardown", NAME, "--region", REGION, "--audit", str(file), "--confirm", NAME, *more]
    )


def words(result: Result) -> str:
    return " ".join(result.output.split())


def schedule() -> str:
    return str(boto3.client("events", region_name=REGION).describe_rule(Name="each-minute")["State"])


def nothing_is_deleted() -> None:
    assert read_stack(account(), NAME) is not None
    assert len(list(plan.versions(account(), "proviso-frames-trial"))) == 1
    assert schedule() == "ENABLED"
    assert not list(session.here().rglob("*.json")), "and nothing is there to go on with"


def with_functions(monkeypatch: pytest.MonkeyPatch) -> dict[str, Part]:
    parts = {"GovernFunction": None, "ReviewFunction": 2, "RetainFunction": None, "MigrateFunction": None}
    made = {name: function(name, reserved) for name, reserved in parts.items()}
    real = read_stack

    def found(*given: Any) -> Stack | None:
        seen = real(*given)
        return replace(seen, parts=(*seen.parts, *made.values())) if seen else None

    monkeypatch.setattr(teardown, "read_stack", found)
    return made


def test_the_audit_is_written_by_the_teardown_itself_and_says_what_is_not_in_it(served: Served, file: Path) -> None:
    result = run(file)
    assert result.exit_code == 0, result.output
    records = [json.loads(line) for line in file.read_text().splitlines()][1:-1]
    upto = max(one["sequence"] for one in records if one["chain"] == "system")
    beyond = served.length["system"] - upto
    assert f"not in it: {beyond} records in the system chain" in words(result), "and none but these"
    assert "all hold against all that was anchored" in words(result)
    assert read_stack(account(), NAME) is None


def test_what_somebody_does_while_it_is_written_is_written_too(served: Served, file: Path) -> None:
    acts = iter([1, 1])

    def before(path: str) -> None:
        if path.startswith("/audit?chain=d-1") and schedule() == "DISABLED":
            served.length["system"] += next(acts, 0)

    served.before = before
    result = run(file)
    assert result.exit_code == 0, result.output
    assert "something was recorded meanwhile (system: #" in words(result)
    upto = sum('"chain":"system"' in line for line in file.read_text().splitlines())
    assert f"not in it: {served.length['system'] - upto} records" in words(result)


def test_while_somebody_goes_on_working_nothing_is_deleted(served: Served, file: Path) -> None:
    def before(path: str) -> None:
        if path.startswith("/audit/chains"):
            served.length["d-1"] += 1

    served.before = before
    result = run(file)
    assert result.exit_code == 1
    assert "goes on working in it" in words(result)
    assert not file.exists()
    nothing_is_deleted()


def test_a_deployment_that_starts_while_the_question_stands_is_seen(served: Served, file: Path) -> None:
    """The gate was asked before somebody is asked, who may take an hour to answer."""

    def before(path: str) -> None:
        if path == "/deployments" and served.asked.count(path) == 1:
            served.deployments.append({"id": "d-9", "state": "active"})

    served.before = before
    result = run(file)
    assert result.exit_code == 1
    assert "deployment d-9 is active" in words(result)
    assert not file.exists(), "it is not worth an export"
    assert "as they were before" in words(result)
    nothing_is_deleted()


def test_a_permit_that_was_written_last_of_all_is_seen(served: Served, file: Path) -> None:
    def before(path: str) -> None:
        if served.asked.count("/deployments") == 2 and path == "/deployments":  # the last that is asked of the API
            boto3.client("s3", region_name=REGION).put_object(
                Bucket="proviso-permits-trial", Key="permits/hall-north.json", Body=b"x"
            )

    served.before = before
    result = run(file)
    assert result.exit_code == 1
    assert "have a permit" in words(result)
    nothing_is_deleted()


def test_an_export_that_does_not_hold_against_the_anchors_stops_it(
    served: Served, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = served.get

    def changed(path: str) -> Any:
        answer = real(path)
        for one in answer.get("records", ()):
            one["body"] = one["body"].replace("somebody", "nobody")
        return answer

    monkeypatch.setattr(served, "get", changed)
    result = run(file)
    assert result.exit_code == 1
    assert "BROKEN" in result.output
    assert file.exists(), "it is evidence"
    nothing_is_deleted()


def test_an_audit_that_ends_before_its_anchor_stands_against_it(served: Served, file: Path) -> None:
    served.anchor("d-1")
    served.length["d-1"] = 2
    assert any("end before what was anchored" in one for one in gate.obstacles(account(), stack(), file))
    served.length = {"system": 30}
    assert any("end before what was anchored" in one for one in gate.obstacles(account(), stack(), file))


def test_the_file_is_a_new_one_at_a_place_that_is_there(served: Served, file: Path) -> None:
    assert list(gate.place_of_audit(file)) == []
    assert "name a new file" in next(gate.place_of_audit(None))
    assert "no folder" in next(gate.place_of_audit(file / "nowhere" / "audit.jsonl"))
    file.write_text("yesterday's")
    result = run(file)
    assert result.exit_code == 1
    assert "is there already" in words(result)
    assert file.read_text() == "yesterday's"


def test_functions_are_stopped_before_the_export_but_the_one_that_gives_it_and_then_that_one_too(
    served: Served, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = with_functions(monkeypatch)
    seen: list[dict[str, int | None]] = []

    def before(path: str) -> None:
        if path.startswith("/audit?chain=d-1"):
            seen.append({name: copies(part) for name, part in made.items()})

    served.before = before
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    monkeypatch.setattr(tearing, "delete", lambda *_, **__: tearing.FAILED)
    assert run(file).exit_code == 1
    stopped = {"GovernFunction": None, "ReviewFunction": 0, "RetainFunction": 0, "MigrateFunction": None}
    assert seen[0] == stopped
    assert {name: copies(part) for name, part in made.items()} == {**stopped, "GovernFunction": 0}
    assert waited, "what runs of them may still record"
    seen_by_doctor = replace(stack(), parts=tuple(made.values()))
    assert len(list(running.functions(account(), seen_by_doctor))) == 3


def test_a_teardown_that_does_not_begin_gives_functions_their_copies_back(
    served: Served, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = with_functions(monkeypatch)
    before = {name: copies(part) for name, part in made.items()}
    monkeypatch.setattr(gate, "faults_of", lambda *_: ["it does not hold"])
    assert run(file).exit_code == 1
    assert {name: copies(part) for name, part in made.items()} == before
    nothing_is_deleted()


def test_the_functions_that_are_named_are_those_of_the_template() -> None:
    resources = yaml_parse(Path("template.yaml").read_text("utf-8"))["Resources"]
    called = {
        one["Properties"]["ServiceToken"]["Fn::GetAtt"][0].split(".")[0]
        for one in resources.values()
        if "ServiceToken" in one.get("Properties", {})
    }
    assert called == {quiet.CALLED_BY_CLOUDFORMATION}
    events = resources[quiet.ASKED]["Properties"]["Events"].values()
    paths = {one["Properties"].get("Path") for one in events}
    assert {"/audit", "/audit/chains", "/deployments"} <= paths


def test_what_ran_is_given_the_longest_time_that_the_template_allows() -> None:
    part = Part("F", "AWS::Lambda::Function", "f", "CREATE_COMPLETE")
    for given, seconds in ((29, 29), (None, 3), ({"Ref": "X"}, 900)):
        properties = {} if given is None else {"Timeout": given}
        resources = {"F": {"Properties": properties}}
        seen = Stack("s", "s", "x", {}, {}, (part,), {"": {"Resources": resources}})
        assert quiet.longest(seen, [part]) == seconds
    assert quiet.longest(seen, []) == 0
