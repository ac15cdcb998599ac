"""Each check of `proviso doctor` where all is well and where it is not; moto plays the account where it can."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore import exceptions
from botocore.exceptions import ClientError, NoCredentialsError
from moto import mock_aws
from typer.testing import CliRunner

from proviso.cli.account import before, doctor, running, sms
from proviso.cli.account.finding import Finding, Level, attention, ok, run, wrong
from proviso.cli.account.stack import Account, Part, Stack, needed_stack, read_stack, sentence
from proviso.cli.main import app
from proviso.domain.errors import ConfigurationFault
from tests.account import NAME, REGION, account, deploy, pretended_caller

OK, ATTENTION, WRONG = Level.OK, Level.ATTENTION, Level.WRONG
DESCRIBED = json.loads((files("proviso.edge") / "openapi.json").read_text("utf-8"))


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    pretended_caller(monkeypatch)
    with mock_aws():
        yield


@pytest.fixture
def stack() -> Stack:
    deploy()
    return needed_stack(account(), NAME)


def aws(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


def levels(found: Finding | Iterator[Finding]) -> dict[str, Level]:
    lines = [found] if isinstance(found, Finding) else list(found)
    assert all(bool(one.mend) == (one.level is not OK) for one in lines), "whatever is not well says what to do"
    return {one.name: one.level for one in lines}


def with_parts(stack: Stack, *parts: Part, **changed: Any) -> Stack:
    return replace(stack, parts=(*stack.parts, *parts), **changed)


def answering(**answers: Any) -> Account:
    """An account whose every service answers that: for what moto does not play."""

    def saying(value: Any) -> Callable[..., Any]:
        return lambda **_: value

    client = SimpleNamespace(**{name: saying(value) for name, value in answers.items()})
    return Account(lambda service: client, REGION)


# --- how it is run ---------------------------------------------------------------------------------------------------


def test_a_check_that_fails_breaks_no_other_and_shows_nothing_of_its_fault() -> None:
    def broken() -> Finding:
        raise RuntimeError("secret-token-123")

    found = list(run([("a", broken), ("b", lambda: ok("b", "well"))], doctor.explain))
    assert [(one.name, one.level) for one in found] == [("a", ATTENTION), ("b", OK)]
    assert "secret" not in found[0].found


@pytest.mark.parametrize(
    ("code", "words"),
    [("AccessDenied", "use a role"), ("ExpiredToken", "sign in again"), ("Throttling", "refused (Throttling)")],
)
def test_what_aws_refuses_is_told_without_its_own_text(code: str, words: str) -> None:
    said = sentence(ClientError({"Error": {"Code": code, "Message": "arn of somebody"}}, "ListThings"))
    assert words in said
    assert "somebody" not in said


def test_no_credentials_are_told_with_what_to_do() -> None:
    assert "aws configure sso" in sentence(NoCredentialsError())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            exceptions.EndpointConnectionError(endpoint_url="x"),
            "AWS cannot be reached (EndpointConnectionError)",
        ),
        (exceptions.ReadTimeoutError(endpoint_url="x"), "AWS cannot be reached (ReadTimeoutError)"),
        (exceptions.InvalidRegionError(region_name="eu west"), "that is no name of a region"),
        (exceptions.InvalidConfigError(error_msg="x"), "the AWS configuration cannot be used (InvalidConfigError)"),
        (exceptions.ConfigParseError(path="x"), "the AWS configuration cannot be used (ConfigParseError)"),
        (exceptions.CredentialRetrievalError(provider="x", error_msg="token"), "credential_process"),
        (exceptions.MissingDependencyException(msg="crt"), "aws configure export-credentials"),
        (exceptions.LoginTokenLoadError(error_msg="x"), "aws configure export-credentials"),
        (exceptions.SSOTokenLoadError(error_msg="x"), "aws sso login"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_what_is_wrong_with_the_configuration_is_not_told_as_a_network_that_fails(error: Exception, said: str) -> None:
    assert said in sentence(error)


@pytest.mark.parametrize(
    "command", [["doctor", "--stack", "p"], ["teardown", "p", "--dry-run"], ["login", "--stack", "p"]], ids=" ".join
)
def test_a_profile_that_is_none_and_a_file_that_cannot_be_read_are_sentences(
    command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    result = CliRunner().invoke(app, command)
    assert "profile (nobody) could not be found" in " ".join(result.output.split())
    assert isinstance(result.exception, SystemExit)
    (tmp_path / "config").write_text("[broken\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    result = CliRunner().invoke(app, command)
    assert "the AWS configuration cannot be used (ConfigParseError)" in " ".join(result.output.split())
    assert isinstance(result.exception, SystemExit)


def test_the_command_ends_with_1_when_something_is_wrong_and_with_0_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [ok("a", "well"), attention("b", "hm", "look")]
    monkeypatch.setattr(doctor, "findings", lambda *_: iter(lines))
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0
    lines.append(wrong("c", "bad", "mend it"))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "do: mend it" in result.output
    assert "1 ok, 1 attention, 1 wrong" in result.output


def test_a_stack_that_is_not_there_is_a_line_and_the_rest_is_looked_at() -> None:
    found = {one.name: one for one in doctor.findings("other", REGION, False, False)}
    assert found["stack"].level is WRONG
    assert "credentials" in found


def test_without_a_region_what_is_here_is_looked_at_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    found = {one.name: one for one in doctor.findings("", "", False, False)}
    assert found["credentials"].level is WRONG
    assert "--region" in found["credentials"].mend
    assert "model files" in found


def test_the_region_of_the_environment_counts_as_the_guide_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_REGION", "eu-west-2")  # which boto3 by itself does not read
    assert Account.of().region == "eu-west-2"
    assert Account.of("us-east-1").region == "us-east-1"


def test_without_credentials_it_is_said_once_is_wrong_and_nothing_more_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(account: Account) -> Iterator[Finding]:
        raise NoCredentialsError

    monkeypatch.setattr(before, "credentials", none)
    for stack in ("", NAME):
        found = list(doctor.findings(stack, REGION, False, False))
        assert sum("credentials of AWS" in one.found for one in found) == 1
        assert found[-1].name == "credentials"
        assert found[-1].level is WRONG


@pytest.mark.parametrize(
    ("said", "level"), [("aws-cli/2.15.0 Python/3.11", OK), ("aws-cli/1.45.11 Python/3.11", ATTENTION), ("", ATTENTION)]
)
def test_the_command_line_of_aws_is_version_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, level: Level
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert levels(before.command_line()) == {"AWS command line": ATTENTION}
    pretended = tmp_path / "aws"
    pretended.write_text(f"#!/bin/sh\necho '{said}'\n")
    pretended.chmod(0o755)
    assert levels(before.command_line()) == {"AWS command line": level}


def test_a_look_at_a_whole_stack_gives_a_line_for_each_check_and_changes_nothing(stack: Stack) -> None:
    found = list(doctor.findings(NAME, REGION, False, False))
    names = {one.name for one in found}
    for wanted in ("credentials", "stack", "ConsoleUrl", "queue FramesQueue", "topic AlarmsTopic", "SMS delivery"):
        assert wanted in names
    assert not any("pretended" in one.found + one.mend for one in found)
    assert read_stack(account(), NAME) == stack


# --- before a deployment ---------------------------------------------------------------------------------------------


def test_python_is_found_by_the_script_of_the_build(tmp_path: Path) -> None:
    assert levels(before.python313(tmp_path)) == {"Python 3.13": ATTENTION}
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "python313.py"
    script.write_text("print('/opt/python3.13')")
    assert before.python313(tmp_path) == ok("Python 3.13", "/opt/python3.13")
    script.write_text("import sys; print('get one', file=sys.stderr); sys.exit(3)")
    assert levels(before.python313(tmp_path)) == {"Python 3.13": WRONG}


def test_a_build_is_there_and_not_older_than_the_template(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text("x")
    assert levels(before.built(tmp_path)) == {"build": ATTENTION}
    made = tmp_path / ".aws-sam" / "build" / "template.yaml"
    made.parent.mkdir(parents=True)
    made.write_text("x")
    assert levels(before.built(tmp_path)) == {"build": OK}
    later = time.time() + 60
    os.utime(tmp_path / "template.yaml", (later, later))
    assert levels(before.built(tmp_path)) == {"build": ATTENTION}


def authority(name: str, until: datetime) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(until)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    ("name", "days", "level"),
    [
        ("Amazon RDS eu-west-2 Root CA", 4000, OK),
        ("Amazon RDS eu-west-2 Root CA", 30, ATTENTION),
        ("Amazon RDS eu-west-2 Root CA", -1, WRONG),
        ("Amazon RDS us-east-1 Root CA", 4000, WRONG),
        ("stand-in", 4000, WRONG),
    ],
)
def test_the_database_s_authorities_are_the_region_s_and_not_about_to_expire(
    tmp_path: Path, name: str, days: int, level: Level
) -> None:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    bundle = tmp_path / "bundle.pem"
    assert levels(before.certificates(bundle, REGION, now)) == {"certificates of the database": ATTENTION}
    bundle.write_bytes(authority(name, now + timedelta(days=days)))
    assert levels(before.certificates(bundle, REGION, now)) == {"certificates of the database": level}


def test_the_root_user_is_pointed_out() -> None:
    assert levels(before.credentials(account()))["credentials"] is OK
    root = answering(get_caller_identity={"Account": "1", "Arn": "arn:aws:iam::1:root"})
    assert levels(before.credentials(root))["credentials"] is ATTENTION


@pytest.mark.parametrize(("offered", "level"), [([{}], OK), ([], WRONG)])
def test_a_region_without_the_engine_is_wrong(offered: list[Any], level: Level) -> None:
    given = answering(describe_orderable_db_instance_options={"OrderableDBInstanceOptions": offered})
    assert before.engine(given, {}).level is level
    deployed = before.engine(given, {"DatabaseEngineVersion": "16.12"})
    assert deployed.level is (OK if offered else ATTENTION), "a database that is there has been raised since"
    assert "16.12" in deployed.found


def test_the_role_that_rds_needs_is_looked_for() -> None:
    assert levels(before.rds_role(account())) == {"role of RDS": ATTENTION}
    assert levels(before.rds_role(answering(get_role={}))) == {"role of RDS": OK}


def test_whether_budgets_are_open_to_this_role_is_asked() -> None:
    assert levels(before.billing(account())) == {"billing": OK}

    def client(code: str) -> Callable[[str], Any]:
        def refuse(**_: Any) -> None:
            raise ClientError({"Error": {"Code": code}}, "DescribeBudgets")

        return lambda service: SimpleNamespace(
            get_caller_identity=lambda: {"Account": "1"}, describe_budgets=refuse, name=service
        )

    assert levels(before.billing(Account(client("AccessDeniedException"), REGION))) == {"billing": ATTENTION}
    with pytest.raises(ClientError):
        before.billing(Account(client("ThrottlingException"), REGION))


@pytest.mark.parametrize(
    ("limit", "detect", "level"), [(1000, "3", OK), (10, "3", ATTENTION), (10, "6", WRONG), (50, "", ATTENTION)]
)
def test_copies_are_held_against_what_the_account_has(limit: int, detect: str, level: Level) -> None:
    given = answering(get_account_settings={"AccountLimit": {"ConcurrentExecutions": limit}})
    assert before.concurrency(given, {"DetectConcurrency": detect}).level is level


# --- people who are told ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("inside", "level"), [(True, ATTENTION), (False, OK)])
def test_the_sandbox_is_told(inside: bool, level: Level) -> None:
    assert sms.sandbox(answering(get_sms_sandbox_account_status={"IsInSandbox": inside})).level is level


def test_a_fresh_account_s_sms_settings_each_want_something() -> None:
    assert set(levels(sms.settings(account())).values()) == {ATTENTION}


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"MonthlySpendLimit": "1"}, "SMS spending limit"),
        ({"MonthlySpendLimit": "much"}, "SMS spending limit"),
        ({"DeliveryStatusIAMRole": ""}, "SMS delivery"),
        ({"DeliveryStatusSuccessSamplingRate": "10"}, "SMS delivery"),
        ({"DefaultSMSType": "Promotional"}, "SMS type"),
        ({}, ""),
    ],
)
def test_each_sms_setting_is_looked_at(changed: dict[str, str], line: str) -> None:
    well = {
        "MonthlySpendLimit": "50",
        "DeliveryStatusIAMRole": "arn:aws:iam::1:role/sms",
        "DeliveryStatusSuccessSamplingRate": "100",
        "DefaultSMSType": "Transactional",
    }
    found = levels(sms.settings(answering(get_sms_attributes={"attributes": {**well, **changed}})))
    assert {name for name, level in found.items() if level is not OK} == ({line} if line else set())


def test_an_address_that_was_not_confirmed_and_alarms_that_nobody_hears(stack: Stack) -> None:
    assert levels(sms.topics(account(), stack)) == {"topic ReviewersTopic": OK, "topic AlarmsTopic": WRONG}
    sns = aws("sns")
    for name in ("ReviewersTopic", "AlarmsTopic"):
        part = stack.one(name)
        assert part is not None
        sns.subscribe(TopicArn=part.id, Protocol="email", Endpoint="desk@example.org")
    found = list(sms.topics(account(), stack))
    assert {one.name: one.level for one in found}["topic AlarmsTopic"] is OK
    assert not any("desk@" in one.found for one in found), "no address is shown"
    pending = {"Subscriptions": [{"SubscriptionArn": "PendingConfirmation"}]}
    pages = answering(get_paginator=SimpleNamespace(paginate=lambda **_: [pending]))
    pages.client("sns").get_paginator = lambda _: SimpleNamespace(paginate=lambda **_: [pending])
    assert levels(sms.topics(pages, stack)) == {"topic ReviewersTopic": ATTENTION, "topic AlarmsTopic": WRONG}


def test_telephones_that_answered_stop_are_counted_and_not_named() -> None:
    found = sms.opted_out(account())  # moto makes some up
    assert found.level is ATTENTION
    assert "+" not in found.found
    nobody = answering(x=None)
    nobody.client("sns").get_paginator = lambda _: SimpleNamespace(paginate=lambda: [{"phoneNumbers": []}])
    assert sms.opted_out(nobody).level is OK


# --- a stack that stands ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "level"),
    [
        ("CREATE_COMPLETE", OK),
        ("UPDATE_COMPLETE", OK),
        ("UPDATE_ROLLBACK_COMPLETE", ATTENTION),
        ("UPDATE_IN_PROGRESS", ATTENTION),
        ("ROLLBACK_COMPLETE", WRONG),
        ("DELETE_FAILED", WRONG),
    ],
)
def test_the_stack_s_state(stack: Stack, status: str, level: Level) -> None:
    assert running.state(replace(stack, status=status)).level is level


def test_parameters_that_are_known_only_after_the_first_deployment(stack: Stack) -> None:
    assert levels(running.parameters(stack)) == {"ConsoleUrl": OK}
    given = {**stack.parameters, "ConsoleUrl": "https://localhost/console", "AlarmEmail": ""}
    later = levels(running.parameters(replace(stack, parameters=given)))
    assert later == {"ConsoleUrl": WRONG, "AlarmEmail": ATTENTION}
    restored = replace(stack, parameters={**stack.parameters, "RestoreFromSnapshot": "s"})
    assert levels(running.parameters(restored))["RestoreFromSnapshot"] is ATTENTION


def test_the_schema_is_held_against_the_checkout(stack: Stack, tmp_path: Path) -> None:
    assert running.schema(stack, None).level is WRONG
    part = Part("DatabaseSchema", "Custom::DatabaseSchema", "proviso-schema", "UPDATE_COMPLETE")
    resources = {"Resources": {"DatabaseSchema": {"Properties": {"SchemaVersion": 12}}}}
    deployed = with_parts(stack, part, templates={"": resources})
    (tmp_path / "template.yaml").write_text(
        "Resources: {DatabaseSchema: {Type: Custom::DatabaseSchema, Properties: {SchemaVersion: 12}}}"
    )
    assert running.schema(deployed, tmp_path).level is OK
    (tmp_path / "template.yaml").write_text(
        "Resources: {DatabaseSchema: {Type: Custom::DatabaseSchema, Properties: {SchemaVersion: 13}}}"
    )
    assert running.schema(deployed, tmp_path).level is ATTENTION
    failed = with_parts(stack, replace(part, status="UPDATE_FAILED"), templates={"": resources})
    assert running.schema(failed, tmp_path).level is WRONG


CLUSTER = Part("Database/Cluster", "AWS::RDS::DBCluster", "proviso-db", "CREATE_COMPLETE")


def make_cluster(**changed: Any) -> None:
    aws("rds").create_db_cluster(
        DBClusterIdentifier="proviso-db",
        Engine="aurora-postgresql",
        MasterUsername="proviso_owner",
        MasterUserPassword="pretended-password",
        EnableIAMDatabaseAuthentication=True,
        ServerlessV2ScalingConfiguration={"MinCapacity": 0, "MaxCapacity": 2},
        **{"BackupRetentionPeriod": 1, **changed},
    )


def test_the_database_is_looked_at_without_being_asked(stack: Stack) -> None:
    assert levels(running.database(account(), stack)) == {"database": WRONG}
    make_cluster()
    (line,) = running.database(account(), with_parts(stack, CLUSTER))
    assert line.level is OK
    aws("cloudwatch").put_metric_data(
        Namespace="AWS/RDS",
        MetricData=[
            {
                "MetricName": "ServerlessDatabaseCapacity",
                "Dimensions": [{"Name": "DBClusterIdentifier", "Value": "proviso-db"}],
                "Value": 0.0,
                "Timestamp": datetime.now(UTC) - timedelta(minutes=2),
            }
        ],
    )
    (line,) = running.database(account(), with_parts(stack, CLUSTER))
    assert "asleep" in line.found


def test_backups_for_longer_than_certificates_say_are_wrong(stack: Stack) -> None:
    make_cluster(BackupRetentionPeriod=7)
    assert levels(running.database(account(), with_parts(stack, CLUSTER)))["backups"] is WRONG


def test_a_database_that_cannot_be_signed_in_to_or_never_sleeps(stack: Stack) -> None:
    found = {
        "Status": "stopped",
        "EngineVersion": "16.10",
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 2},
        "IAMDatabaseAuthenticationEnabled": False,
    }
    given = answering(describe_db_clusters={"DBClusters": [found]}, get_metric_statistics={"Datapoints": []})
    assert levels(running.database(given, with_parts(stack, CLUSTER))) == {
        "database": WRONG,
        "database sleeps": ATTENTION,
        "database sign-in": WRONG,
    }


def test_a_snapshot_by_hand_is_wrong(stack: Stack) -> None:
    make_cluster()
    seen = with_parts(stack, CLUSTER)
    assert running.snapshots(account(), seen).level is OK
    aws("rds").create_db_cluster_snapshot(DBClusterIdentifier="proviso-db", DBClusterSnapshotIdentifier="mine")
    found = running.snapshots(account(), seen)
    assert found.level is WRONG
    assert "mine" in found.mend


def test_the_sign_in_asks_for_a_second_factor_and_the_first_authoriser_is_known(stack: Stack) -> None:
    assert levels(running.sign_in(account(), stack)) == {"sign-in": WRONG}
    cognito = aws("cognito-idp")
    made = cognito.create_user_pool(PoolName="p", AdminCreateUserConfig={"AllowAdminCreateUserOnly": True})
    pool = made["UserPool"]["Id"]
    seen = with_parts(stack, Part("People", "AWS::Cognito::UserPool", pool, "CREATE_COMPLETE"))
    assert levels(running.sign_in(account(), seen)) == {"second factor": WRONG, "first authoriser": ATTENTION}
    cognito.set_user_pool_mfa_config(
        UserPoolId=pool, SoftwareTokenMfaConfiguration={"Enabled": True}, MfaConfiguration="ON"
    )
    unknown = replace(seen, parameters={"FirstAuthoriser": "nobody"})
    assert levels(running.sign_in(account(), unknown)) == {"second factor": OK, "first authoriser": WRONG}
    user = cognito.admin_create_user(UserPoolId=pool, Username="first")["User"]
    sub = next(one["Value"] for one in user["Attributes"] if one["Name"] == "sub")
    known = replace(seen, parameters={"FirstAuthoriser": sub})
    assert levels(running.sign_in(account(), known))["first authoriser"] is ATTENTION, "has not signed in yet"
    cognito.admin_set_user_password(UserPoolId=pool, Username="first", Password="Long-enough-1!", Permanent=True)
    assert levels(running.sign_in(account(), known))["first authoriser"] is OK


def test_routes_are_held_against_the_description_and_so_is_their_sign_in(stack: Stack) -> None:
    """What an import left out, or took in without its authorizer, is seen before anybody is let in."""
    assert levels(running.routes(account(), stack)) == {"routes": WRONG}, "no Api"
    client = aws("apigatewayv2")
    api = client.create_api(Name="p", ProtocolType="HTTP")["ApiId"]
    seen = with_parts(stack, Part("Api", "AWS::ApiGatewayV2::Api", api, "CREATE_COMPLETE"))
    ids: dict[str, str] = {}

    def put(key: str, authorization: str) -> None:
        ids[key] = client.create_route(ApiId=api, RouteKey=key, AuthorizationType=authorization)["RouteId"]

    def line() -> Finding:
        return running.routes(account(), seen)

    for path, operations in DESCRIBED["paths"].items():
        for method, operation in operations.items():
            name = re.sub(r"\{[^}]*\}", "{another_name}", path)
            put(f"{method.upper()} {name}", "NONE" if operation.get("security") == [] else "JWT")
    assert (line().level, line().found) == (OK, "76, of which 65 ask for a sign-in")

    put("GET /later", "JWT")
    assert line().level is ATTENTION
    client.update_route(ApiId=api, RouteId=ids["GET /records"], AuthorizationType="JWT")
    assert line().level is WRONG
    assert line().found == "ask for a sign-in and should not: GET /records"
    client.delete_route(ApiId=api, RouteId=ids["GET /audit"])
    assert line().level is WRONG
    assert line().found == "1 of 76 are not there: GET /audit"
    put("GET /now", "NONE")
    client.update_route(ApiId=api, RouteId=ids["POST /deployments"], AuthorizationType="NONE")
    assert line().level is WRONG
    assert line().found == "answered to anybody, signed in or not: GET /now, POST /deployments"
    assert "stop-all" in line().mend


def test_dead_letters_are_wrong_and_an_old_message_wants_attention(stack: Stack) -> None:
    assert set(levels(running.queues(account(), stack)).values()) == {OK}
    dead = stack.one("FramesDeadLetterQueue")
    assert dead is not None
    aws("sqs").send_message(QueueUrl=dead.id, MessageBody="{}")
    aws("cloudwatch").put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Dimensions": [{"Name": "QueueName", "Value": "frames"}],
                "Value": 90.0,
                "Timestamp": datetime.now(UTC) - timedelta(minutes=2),
            }
        ],
    )
    found = list(running.queues(account(), stack))
    assert [(one.name, one.level) for one in found] == [
        ("queue FramesQueue", ATTENTION),
        ("queue FramesDeadLetterQueue", WRONG),
    ]
    assert [one.mend for one in found] == [
        "docs/operations.md#alarm-frameslate",
        "docs/operations.md#alarm-framesdeadletters",
    ]


@pytest.mark.parametrize(("state", "level"), [("Enabled", OK), ("Disabled", WRONG)])
def test_an_event_source_that_is_off_is_wrong(stack: Stack, state: str, level: Level) -> None:
    part = Part("DetectFrames", "AWS::Lambda::EventSourceMapping", "u-1", "CREATE_COMPLETE")
    given = answering(get_event_source_mapping={"State": state})
    assert levels(running.mappings(given, with_parts(stack, part))) == {"event source DetectFrames": level}


def test_a_schedule_that_is_off_is_wrong(stack: Stack) -> None:
    assert levels(running.schedule(account(), stack)) == {"schedule EachMinute": OK}
    aws("events").disable_rule(Name="each-minute")
    assert levels(running.schedule(account(), stack)) == {"schedule EachMinute": WRONG}


def private(stack: Stack) -> None:
    for part in stack.of("AWS::S3::Bucket"):
        aws("s3").put_public_access_block(
            Bucket=part.id,
            PublicAccessBlockConfiguration=dict.fromkeys(
                ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
            ),
        )


def test_a_bucket_that_could_be_made_public_is_wrong(stack: Stack) -> None:
    private(stack)
    assert levels(running.buckets(account(), stack)) == {"buckets": OK}
    aws("s3").delete_public_access_block(Bucket="proviso-frames-trial")
    (line,) = running.buckets(account(), stack)
    assert (line.level, "proviso-frames-trial" in line.mend) == (WRONG, True)


def test_a_restored_database_in_which_retain_has_not_been_is_told(stack: Stack) -> None:
    part = stack.one("PermitsBucket")
    assert part is not None
    assert list(running.restored(account(), stack)) == []
    stack = replace(stack, parameters={**stack.parameters, "RestoreFromSnapshot": "s"})
    for key in ("due/restored-1.json", "due/restored-2.json", "due/d-1.json"):
        aws("s3").put_object(Bucket=part.id, Key=key)
    (line,) = running.restored(account(), stack)
    assert (line.level, "2 of 2" in line.found) == (ATTENTION, True)
    for key in ("due/restored-1.json", "due/restored-2.json"):
        aws("s3").delete_object(Bucket=part.id, Key=key)
    assert levels(running.restored(account(), stack)) == {"restored": OK}


def test_anchors_without_a_lock_are_wrong(stack: Stack) -> None:
    assert running.anchors(account(), stack).level is WRONG
    aws("s3").create_bucket(
        Bucket="locked",
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": REGION},
    )
    locked = replace(stack, parts=(Part("AnchorsBucket", "AWS::S3::Bucket", "locked", "CREATE_COMPLETE"),))
    assert running.anchors(account(), locked).level is WRONG, "a lock without days locks nothing by itself"
    aws("s3").put_object_lock_configuration(
        Bucket="locked",
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 365}},
        },
    )
    assert running.anchors(account(), locked).level is OK


def test_an_alarm_that_rings_or_tells_nobody_is_wrong(stack: Stack) -> None:
    assert levels(running.alarms(account(), stack)) == {"alarms": WRONG}
    cloudwatch = aws("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="proviso-trial-NotClosed",
        MetricName="NotClosed",
        Namespace="Proviso",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Period=300,
        Statistic="Maximum",
        Threshold=0,
    )
    part = Part("Observability/NotClosed", "AWS::CloudWatch::Alarm", "proviso-trial-NotClosed", "CREATE_COMPLETE")
    seen = with_parts(stack, part)
    assert levels(running.alarms(account(), seen)) == {"alarms": OK}
    cloudwatch.set_alarm_state(AlarmName=part.id, StateValue="ALARM", StateReason="x")
    (line,) = running.alarms(account(), seen)
    assert (line.level, line.mend) == (WRONG, "docs/operations.md#alarm-notclosed")
    gone = with_parts(stack, replace(part, id="no-such"))
    assert levels(running.alarms(account(), gone)) == {"alarms": WRONG}


def test_a_budget_is_asked_for(stack: Stack) -> None:
    assert running.budget(stack).level is ATTENTION
    part = Part("Observability/Budget", "AWS::Budgets::Budget", "proviso-trial", "CREATE_COMPLETE")
    assert running.budget(with_parts(stack, part)).level is OK


def test_logs_that_keep_for_ever_are_wrong_telephone_numbers_among_them(stack: Stack) -> None:
    assert levels(running.logs(account(), stack)) == {"logs": OK}
    aws("logs").create_log_group(logGroupName=f"sns/{REGION}/123456789012/DirectPublishToPhoneNumber")
    assert levels(running.logs(account(), stack)) == {"logs": OK, "logs of SMS delivery": WRONG}


def test_every_link_to_the_guide_leads_somewhere() -> None:
    """Each `docs/operations.md#...` that a line names is an anchor or a heading of the guide."""
    root = Path(__file__).resolve().parents[2]
    guide = (root / "docs" / "operations.md").read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", guide, re.MULTILINE)
    there = set(re.findall(r'<a id="([^"]+)"></a>', guide))
    there |= {re.sub(r"[^\w -]", "", one.lower()).strip().replace(" ", "-") for one in headings}
    named: set[str] = set()
    sources: list[Path] = [
        *(root / "layers/core/src/proviso/cli/account").glob("*.py"),
        *(root / "infra").glob("*.yaml"),
    ]
    for path in sources:
        named |= set(re.findall(r"docs/operations\.md#([a-z0-9-]+)", path.read_text("utf-8")))
    assert named - {"alarm-"} <= there
    logical = (root / "infra" / "observability.yaml").read_text("utf-8")
    alarms = re.findall(r"^  (\w+):\n    Type: AWS::CloudWatch::Alarm$", logical, re.MULTILINE)
    assert alarms
    assert {f"alarm-{name.lower()}" for name in alarms} <= there, "each alarm has its place in the guide"


def test_the_local_cloud_is_looked_at_when_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_running", lambda _: None)
    with pytest.raises(ConfigurationFault, match="proviso local"):
        list(doctor.findings("", "", True, False))
