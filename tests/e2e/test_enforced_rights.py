"""The main job once more, with rights enforced: each function has the credentials of its own role and nothing else.

moto holds each request against the role's policies, and the evaluator of `local/iam.py` against everything else of the
template (policies of buckets and topics, the endpoints of the network). The job must pass whole; it must fail where a
right is missing; and a function's own credentials are refused what that function must not do.
"""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from proviso.cli.demo import run
from proviso.cli.demo.run import DemoOptions, cloud_options, run_demo
from proviso.local.cloud import LocalCloud, local_cloud
from proviso.local.enforcement import Enforced
from proviso.local.keys import ANYBODY

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def test_the_main_job_passes_with_the_rights_of_the_template_and_with_no_others(
    options: DemoOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds: list[LocalCloud] = []

    @contextmanager
    def with_rights(*given: Any, **more: Any) -> Iterator[LocalCloud]:
        cloud_options_given, *rest = given
        with local_cloud(replace(cloud_options_given, enforce_rights=True), *rest, **more) as cloud:
            clouds.append(cloud)
            yield cloud

    monkeypatch.setattr(run, "local_cloud", with_rights)
    said = io.StringIO()
    code = run_demo(options, Console(file=said, width=160, force_terminal=False))
    (cloud,) = clouds
    assert cloud.rights is not None
    assert code == 0, f"{cloud.rights.refused}\n{said.getvalue()}"
    assert cloud.rights.refused == [], "nothing that a function needs is refused"
    used = set(cloud.rights.allowed)
    for needed in (
        ("DetectFunction", "s3:GetObject"),
        ("DetectFunction", "sqs:SendMessage"),
        ("MatchFunction", "s3:PutObject"),
        ("MatchFunction", "sqs:ReceiveMessage"),
        ("AlertFunction", "sns:Publish"),
        ("AlertFunction", "dynamodb:UpdateItem"),
        ("GovernFunction", "s3:PutObject"),
        ("GrantFunction", "dynamodb:GetItem"),
        ("GrantFunction", "s3:PutObject"),
        ("RetainFunction", "s3:DeleteObject"),
        ("RetainFunction", "dynamodb:Query"),
        ("ReviewFunction", "s3:GetObject"),
        ("SweepFunction", "sqs:GetQueueAttributes"),
        ("SweepFunction", "lambda:InvokeFunction"),
    ):
        assert needed in used, needed


@pytest.fixture
def cloud(options: DemoOptions) -> Iterator[LocalCloud]:
    """With sweep alone: no pictures, no database."""
    wanted = replace(cloud_options(options), functions=frozenset({"SweepFunction"}), enforce_rights=True)
    with local_cloud(wanted) as started:
        yield started


def rights(cloud: LocalCloud) -> Enforced:
    assert cloud.rights is not None
    return cloud.rights


def test_where_a_right_is_missing_the_function_fails_and_says_what_it_was_refused(cloud: LocalCloud) -> None:
    assert cloud.run_schedule("SweepFunction").ok
    assert rights(cloud).refused == []
    role = rights(cloud).system.functions["SweepFunction"].role
    (name,) = role.documents
    document = dict(role.documents[name])
    without = [one for one in document["Statement"] if one["Sid"] != "KnowGoneFromForbidden"]
    assert len(without) == len(document["Statement"]) - 1
    changed = json.dumps({**document, "Statement": without})
    cloud.client("iam").put_role_policy(RoleName=role.name, PolicyName=name, PolicyDocument=changed)
    answer = cloud.run_schedule("SweepFunction")
    assert not answer.ok or any("AccessDenied" in line for line in answer.log), answer
    assert {(one.function, one.action, one.by) for one in rights(cloud).refused} == {
        ("SweepFunction", "s3:ListBucket", "moto")
    }


def client_of(cloud: LocalCloud, function: str, service: str) -> Any:
    return cloud._simulator.client(service, rights(cloud).code[function])


def test_a_function_that_is_taken_over_is_refused_what_it_must_not_do(cloud: LocalCloud) -> None:
    """By moto, from the role alone; and by the evaluator, where a policy of the bucket or of the network says no."""
    permits, records = cloud.physical("PermitsBucket"), cloud.physical("RecordsBucket")
    outbox, ledger = cloud.physical("OutboxBucket"), cloud.physical("LedgerTable")
    detect, match, retain = (client_of(cloud, f"{one}Function", "s3") for one in ("Detect", "Match", "Retain"))
    subjects = cloud.physical("SubjectsTable")
    tries = [
        ("moto", lambda: detect.put_object(Bucket=permits, Key="permits/cam.json", Body=b"{}")),
        ("moto", lambda: match.put_object(Bucket=outbox, Key="notices/x/2-confirmed.json", Body=b"{}")),
        ("moto", lambda: retain.get_object(Bucket=cloud.physical("EvidenceBucket"), Key="evidence/x/y.jpg")),
        ("moto", lambda: client_of(cloud, "SweepFunction", "dynamodb").scan(TableName=ledger)),
        ("moto", lambda: client_of(cloud, "DetectFunction", "dynamodb").get_item(
            TableName=subjects, Key={"list": {"S": "x"}, "subject": {"S": "y"}})),
        ("moto", lambda: client_of(cloud, "DetectFunction", "sns").publish(
            TopicArn=cloud.physical("RecipientsTopic"), Message="stop them")),
        ("moto", lambda: client_of(cloud, "ReportFunction", "sqs").purge_queue(QueueUrl=cloud.physical("FramesQueue"))),
        ("moto", lambda: client_of(cloud, "GovernFunction", "iam").list_users()),
        # The role allows it: the bucket's own policy does not, as it would be put over what lies there.
        ("proviso", lambda: retain.put_object(Bucket=records, Key="records/x/1.json", Body=b"{}")),
        # The role allows it to Lambda, which polls; from within the network there is no way to SQS.
        ("proviso", lambda: client_of(cloud, "MatchFunction", "sqs").receive_message(
            QueueUrl=cloud.physical("FacesQueue"))),
    ]  # fmt: skip
    for number, (by, attempt) in enumerate(tries, 1):
        with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
            attempt()
        refused = rights(cloud).refused
        assert len(refused) == number
        assert refused[-1].by == by, refused[-1]
    retain.put_object(Bucket=records, Key="records/x/1.json", Body=b"{}", IfNoneMatch="*")
    nobody = cloud._simulator.client("s3", ANYBODY)
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        nobody.list_objects_v2(Bucket=permits)
