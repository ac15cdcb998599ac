"""`proviso teardown`: what stands against it, what it takes away and leaves, and that it goes on where it ended."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from typer.testing import CliRunner, Result

from proviso.cli import session
from proviso.cli.account import gate, plan, teardown, tearing
from proviso.cli.account.stack import Part, Stack, needed_stack, read_stack
from proviso.cli.api import ApiFault
from proviso.cli.main import app
from proviso.domain.errors import ConfigurationFault
from tests.account import NAME, REGION, Served, account, deploy, pretended, pretended_caller

GOING = {"proviso-frames-trial", "proviso-permits-trial"}
STAYING = {"proviso-anchors-trial", "proviso-records-trial"}


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("PROVISO_DATA", str(tmp_path / "data"))
    pretended_caller(monkeypatch)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pretended():
        deploy()
        yield


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    api = Served()
    monkeypatch.setattr(session, "api", lambda *_: api)
    return api


@pytest.fixture
def audit(tmp_path: Path, served: Served) -> Path:
    """Where the audit is to be written; and its heads in the anchors bucket."""
    served.anchor("d-1", "system")
    return tmp_path / "audit.jsonl"


def s3() -> Any:
    return boto3.client("s3", region_name=REGION)


def put(bucket: str, *keys: str) -> None:
    for key in keys:
        s3().put_object(Bucket=bucket, Key=key, Body=b"x")


def buckets() -> set[str]:
    return {one["Name"] for one in s3().list_buckets()["Buckets"]}


def stack() -> Stack:
    return needed_stack(account(), NAME)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["teardown", NAME, "--region", REGION, *arguments])


def words(result: Result) -> str:
    return " ".join(result.output.split())


def test_a_dry_run_says_both_lists_and_changes_nothing(served: Served) -> None:
    put("proviso-frames-trial", "a.jpg")
    put("proviso-records-trial", "records/d-1.json")
    before = stack()
    result = run("--dry-run")
    assert result.exit_code == 0, result.output
    said = words(result)
    assert "proviso-frames-trial 1 objects, deleted first" in said
    assert "proviso-records-trial" in said.split("Remains")[1]
    assert "proviso-anchors-trial" in said.split("Remains")[1]
    assert "name a new file for it" in said, "what stands against it is said too"
    assert "nothing was changed" in said
    assert stack() == before
    assert buckets() == GOING | STAYING


def test_all_goes_but_anchors_and_records(served: Served, audit: Path, tmp_path: Path) -> None:
    put("proviso-frames-trial", "a.jpg", "b.jpg")
    put("proviso-permits-trial", "state/queues.json")
    put("proviso-records-trial", "records/d-1.json")
    result = run("--audit", str(audit), "--confirm", NAME)
    assert result.exit_code == 0, result.output
    assert "nothing stands against it" in result.output
    assert read_stack(account(), NAME) is None
    assert buckets() & GOING == set()
    assert not list((tmp_path / "data").rglob("*.json")), "nothing is left to go on with"
    assert audit.exists()


@pytest.mark.parametrize("typed", ["", "other", f"{NAME} "])
def test_another_name_deletes_nothing(served: Served, audit: Path, typed: str) -> None:
    put("proviso-frames-trial", "a.jpg")
    result = CliRunner().invoke(
        app, ["teardown", NAME, "--region", REGION, "--audit", str(audit)], input=f"{typed.strip() or 'no'}x\n"
    )
    assert result.exit_code == 1
    assert "nothing was changed" in result.output
    assert read_stack(account(), NAME) is not None
    assert len(list(plan.versions(account(), "proviso-frames-trial"))) == 1


@pytest.mark.parametrize("state", ["requested", "authorised", "warming", "active", "stopped", "ended"])
def test_a_deployment_that_is_not_closed_stands_against_it(served: Served, audit: Path, state: str) -> None:
    served.deployments.append({"id": "d-2", "state": state})
    result = run("--audit", str(audit), "--confirm", NAME)
    assert result.exit_code == 1
    assert f"deployment d-2 is {state}" in words(result)
    assert "refused" in result.output
    assert read_stack(account(), NAME) is not None


def test_a_permit_stands_against_it_whatever_the_api_says(served: Served, audit: Path) -> None:
    put("proviso-permits-trial", "permits/hall-north.json")
    assert "proviso stop-all" in words(run("--audit", str(audit), "--confirm", NAME))
    assert read_stack(account(), NAME) is not None


@pytest.mark.parametrize(
    ("held", "stands"),
    [
        ({"until": "2026-11-28T00:00:00Z"}, True),
        ({"overdue": True}, True),
        ({"until": "2026-11-28T00:00:00Z", "count": 0}, False),
        ({"what": "not looked at: no time was left", "count": 0, "overdue": True}, True),
        ({}, False),
    ],
)
def test_what_is_held_for_a_time_stands_against_it(
    served: Served, audit: Path, held: dict[str, Any], stands: bool
) -> None:
    line = {"store": "evidence", "what": "pictures", "count": 2, "until": None, "overdue": False, "why": "S24"}
    served.holdings.append({**line, **held})
    found = gate.obstacles(account(), stack(), audit)
    assert [one for one in found if "evidence" in one] == found
    assert bool(found) == stands


def test_nobody_signed_in_or_signed_in_elsewhere_is_no_certificate(
    served: Served, audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.url = "https://other.example"
    (found,) = gate.obstacles(account(), stack(), audit)
    assert f"proviso login --stack {NAME}" in found

    def nobody(*_: Any) -> Any:
        raise ApiFault("nobody is signed in here")

    monkeypatch.setattr(session, "api", nobody)
    (found,) = gate.obstacles(account(), stack(), audit)
    assert "not known: nobody is signed in" in found


def test_uncertified_needs_other_words_and_then_goes_on(served: Served) -> None:
    served.deployments.append({"id": "d-2", "state": "ended"})
    refused = run("--uncertified", "--confirm", NAME)
    assert refused.exit_code == 1
    assert read_stack(account(), NAME) is not None
    done = run("--uncertified", "--confirm", f"{NAME} without certificates")
    assert done.exit_code == 0, done.output
    assert "against it stands" in done.output


def test_a_stack_that_never_came_to_stand_needs_no_certificates(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = read_stack(account(), NAME)
    assert real is not None
    monkeypatch.setattr(teardown, "read_stack", lambda *_: replace(real, status="ROLLBACK_COMPLETE"))
    done = run("--confirm", NAME)
    assert done.exit_code == 0, done.output


def test_a_stack_that_changes_is_left_alone(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    real = read_stack(account(), NAME)
    assert real is not None
    monkeypatch.setattr(teardown, "read_stack", lambda *_: replace(real, status="UPDATE_IN_PROGRESS"))
    assert "wait until that is done" in words(run("--dry-run"))


def test_a_fault_before_anything_was_begun_says_that_nothing_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://x")

    monkeypatch.setattr(teardown, "read_stack", broken)
    said = words(run("--dry-run"))
    assert "nothing was changed" in said
    assert "goes on" not in said


def test_it_goes_on_where_it_was_interrupted_without_asking_again(
    served: Served, audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("proviso-frames-trial", "a.jpg")
    real = tearing.delete

    def broken(*_: Any, **__: Any) -> str:
        raise EndpointConnectionError(endpoint_url="https://x")

    monkeypatch.setattr(tearing, "delete", broken)
    first = run("--audit", str(audit), "--confirm", NAME)
    assert first.exit_code == 1
    assert "goes on from here" in words(first)
    assert list(plan.versions(account(), "proviso-frames-trial")) == []
    monkeypatch.setattr(tearing, "delete", real)
    put("proviso-frames-trial", "late.jpg")  # an upload right that was still out
    second = run()
    assert second.exit_code == 0, second.output
    assert read_stack(account(), NAME) is None


def test_what_was_allowed_once_is_asked_again_after_a_day_while_the_stack_stands(
    served: Served, audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody began, it failed, and the stack went on working: what was certified then is not certified now."""
    with monkeypatch.context() as failing:
        failing.setattr(tearing, "delete", lambda *_, **__: tearing.FAILED)
        assert run("--audit", str(audit), "--confirm", NAME).exit_code == 1
    path = tearing.journal_path(session.here(), REGION, NAME)
    written = tearing.written(path)
    assert written is not None
    tearing.write(path, replace(written, allowed_at=(datetime.now(UTC) - timedelta(hours=25)).isoformat()))
    served.deployments.append({"id": "d-2", "state": "active"})
    again = run()
    assert again.exit_code == 1
    assert "deployment d-2 is active" in words(again)
    assert read_stack(account(), NAME) is not None


@pytest.mark.parametrize("where", ["", "Database"])
def test_without_the_template_nobody_knows_what_is_kept_and_nothing_is_emptied(
    served: Served, audit: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Who may not read the template would else have the heads of the audit emptied with the rest."""
    put("proviso-frames-trial", "a.jpg")
    put("proviso-records-trial", "records/d-1.json")
    real = stack()
    unread = replace(real, templates={**real.templates, where: {}})
    if where:
        unread = replace(
            unread, parts=(*real.parts, Part("Database/Bucket", "AWS::S3::Bucket", "b", "CREATE_COMPLETE"))
        )
    monkeypatch.setattr(teardown, "read_stack", lambda *_: unread)
    result = run("--audit", str(audit), "--confirm", NAME)
    assert result.exit_code == 1
    assert "template" in words(result)
    for bucket in ("proviso-frames-trial", "proviso-records-trial", "proviso-anchors-trial"):
        assert list(plan.versions(account(), bucket)), bucket


def test_a_failure_names_its_parts_and_the_next_attempt_goes_on(
    served: Served, audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tearing, "delete", lambda *_, **__: tearing.FAILED)
    monkeypatch.setattr(tearing, "failures", lambda *_: ["FramesBucket: it is not empty"])
    result = run("--audit", str(audit), "--confirm", NAME)
    assert result.exit_code == 1
    assert "FramesBucket: it is not empty" in result.output
    monkeypatch.undo()


def test_what_was_allowed_for_one_stack_is_not_for_a_younger_one_of_that_name(tmp_path: Path, served: Served) -> None:
    path = tearing.journal_path(session.here(), REGION, NAME)
    tearing.write(
        path, replace(tearing.Journal.of(stack(), REGION, datetime.now(UTC)), stack_id="arn:aws:cloudformation:old")
    )
    result = run("--confirm", NAME)
    assert result.exit_code == 1
    assert "refused" in result.output


def test_what_is_left_though_it_should_be_gone_is_told(served: Served, audit: Path) -> None:
    journal = tearing.Journal.of(stack(), REGION, datetime.now(UTC))
    assert set(journal.buckets) == GOING
    assert set(journal.kept) == STAYING
    assert list(tearing.unexpected(account(), journal)) == [
        f"the bucket {name} is still there" for name in journal.buckets
    ]
    s3().delete_bucket(Bucket="proviso-records-trial")
    assert "the bucket proviso-records-trial was to be kept and is gone" in list(tearing.unexpected(account(), journal))


def test_what_is_outside_of_the_stack_is_found() -> None:
    logs = boto3.client("logs", region_name=REGION)
    logs.create_log_group(logGroupName=f"sns/{REGION}/123456789012/DirectPublishToPhoneNumber")
    logs.create_log_group(logGroupName=f"/aws/lambda/{NAME}-x")
    boto3.client("cloudformation", region_name=REGION).create_stack(
        StackName="aws-sam-cli-managed-default",
        TemplateBody=json.dumps(
            {
                "Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "sams"}}},
                "Outputs": {"SourceBucket": {"Value": "sams"}},
            }
        ),
    )
    found = {one.what: one for one in plan.plan(account(), stack(), plan.today()).remains}
    assert found["logs of SMS delivery"].until == "for ever"
    assert "telephone numbers" in found["logs of SMS delivery"].why
    assert "log group" in found
    assert f"aws s3 rm s3://sams/{NAME}/" in found["artefacts"].why


def test_what_the_template_keeps_is_known_by_either_word() -> None:
    seen = stack()
    for policy, kept in {"Retain": True, "RetainExceptOnCreate": True, "Delete": False, "Snapshot": False}.items():
        part = Part("X", "AWS::S3::Bucket", "x", "CREATE_COMPLETE")
        given = replace(seen, templates={"": {"Resources": {"X": {"DeletionPolicy": policy}}}})
        assert given.kept(part) == kept


def test_anchors_say_until_when_they_are_locked() -> None:
    put("proviso-anchors-trial", "heads/2026-11-27/1.json")
    found = {one.what: one for one in plan.plan(account(), stack(), plan.today()).remains}
    assert found["anchors"].until == f"{datetime.now(UTC) + timedelta(days=365):%Y-%m-%d}"


def test_a_bucket_is_emptied_of_versions_and_unfinished_uploads() -> None:
    name = "proviso-records-trial"  # a versioned one
    s3().put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    put(name, "a", "a", "b")
    s3().delete_object(Bucket=name, Key="b")
    s3().create_multipart_upload(Bucket=name, Key="c")
    assert tearing.empty(account(), name) == 4
    assert list(plan.versions(account(), name)) == []
    assert not s3().list_multipart_uploads(Bucket=name).get("Uploads")
    assert tearing.empty(account(), "no-such-bucket") == 0


def test_no_stack_and_no_beginning_is_told() -> None:
    result = CliRunner().invoke(app, ["teardown", "other", "--region", REGION, "--dry-run"])
    assert result.exit_code == 1
    assert "no stack other" in words(result)


def test_a_journal_that_cannot_be_understood_is_told(tmp_path: Path) -> None:
    path = tmp_path / "j.json"
    assert tearing.written(path) is None
    path.write_text("{}")
    with pytest.raises(ConfigurationFault, match="delete it"):
        tearing.written(path)
