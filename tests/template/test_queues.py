"""Queues: nothing is lost silently, and nothing is kept for long."""

import pytest

from proviso.domain.retention import CLOSE_WITHIN, QUEUES, QUEUES_KEEP
from tests.template.conftest import Template, references, short

CONSUMERS = {"FramesQueue": "DetectFunction", "FacesQueue": "MatchFunction", "NoticesQueue": "AlertFunction"}
SOURCES = {"FramesQueue": "FramesBucket", "NoticesQueue": "OutboxBucket"}


def mapping(template: Template, queue: str) -> dict:
    (found,) = [
        m for m in template.of("AWS::Lambda::EventSourceMapping").values() if short(m["EventSourceArn"]) == queue
    ]
    return found


def test_the_queues_are_those_of_the_design(template: Template) -> None:
    dead = {name.replace("Queue", "DeadLetterQueue") for name in CONSUMERS}
    assert set(template.of("AWS::SQS::Queue")) == set(CONSUMERS) | dead


@pytest.mark.parametrize("queue", CONSUMERS)
def test_each_queue_has_its_own_dead_letter_queue_that_has_none(template: Template, queue: str) -> None:
    queues = template.of("AWS::SQS::Queue")
    redrive = queues[queue]["RedrivePolicy"]
    dead = short(redrive["deadLetterTargetArn"])
    assert dead == queue.replace("Queue", "DeadLetterQueue")
    assert redrive["maxReceiveCount"] >= 5, "with MaximumConcurrency, throttled messages are received and returned"
    assert "RedrivePolicy" not in queues[dead]


@pytest.mark.parametrize("queue", CONSUMERS)
def test_a_dead_letter_outlives_its_queue_but_not_the_day_of_deletion(template: Template, queue: str) -> None:
    queues = template.of("AWS::SQS::Queue")
    living = queues[queue]["MessageRetentionPeriod"]
    dead = queues[queue.replace("Queue", "DeadLetterQueue")]["MessageRetentionPeriod"]
    # The clock of a message does not start anew when it is moved: a dead letter must be kept for longer than the
    # queue keeps it, or it is gone on arrival.
    assert living < dead < 24 * 3600
    all_receives = queues[queue]["VisibilityTimeout"] * queues[queue]["RedrivePolicy"]["maxReceiveCount"]
    assert all_receives < living, "the message must become a dead letter before it expires"


def test_no_queue_keeps_a_message_for_longer_than_a_certificate_takes_for_granted(template: Template) -> None:
    """S23: after that time a queue counts as empty of a deployment without being looked at."""
    kept = [queue["MessageRetentionPeriod"] for queue in template.of("AWS::SQS::Queue").values()]
    assert len(kept) == len(QUEUES)
    assert max(kept) <= QUEUES_KEEP.total_seconds() < CLOSE_WITHIN.total_seconds()


@pytest.mark.parametrize(("queue", "function"), CONSUMERS.items())
def test_visibility_is_six_times_the_timeout_and_the_window(template: Template, queue: str, function: str) -> None:
    timeout = template.resources[function]["Properties"]["Timeout"]
    window = mapping(template, queue)["MaximumBatchingWindowInSeconds"]
    assert template.of("AWS::SQS::Queue")[queue]["VisibilityTimeout"] >= 6 * timeout + window


def test_match_has_thirty_seconds_and_its_queue_the_visibility_for_it(template: Template) -> None:
    assert template.resources["MatchFunction"]["Properties"]["Timeout"] == 30
    assert template.of("AWS::SQS::Queue")["FacesQueue"]["VisibilityTimeout"] >= 181


@pytest.mark.parametrize(("queue", "function"), CONSUMERS.items())
def test_consumers_report_partial_failures_and_are_limited_at_the_source(
    template: Template, queue: str, function: str
) -> None:
    source = mapping(template, queue)
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    parameter = source["ScalingConfig"]["MaximumConcurrency"]["Ref"]
    assert template.raw["Parameters"][parameter]["Default"] >= 2
    target = source["FunctionName"]["Ref"]
    if template.resources[target]["Type"] == "AWS::Lambda::Alias":
        target = template.resources[target]["Properties"]["FunctionName"]["Ref"]
    assert target == function


def test_a_new_account_is_not_used_up_by_the_queues(template: Template) -> None:
    limits = [template.raw["Parameters"][f"{name}Concurrency"]["Default"] for name in ("Detect", "Match", "Alert")]
    assert sum(limits) <= 8, "a new account has 10; requests, sweep and retain need theirs"


def test_no_function_reserves_concurrency(template: Template) -> None:
    for name, function in template.of("AWS::Lambda::Function").items():
        assert "ReservedConcurrentExecutions" not in function, name


@pytest.mark.parametrize(("queue", "bucket"), SOURCES.items())
def test_only_the_bucket_of_this_account_may_send(template: Template, queue: str, bucket: str) -> None:
    policy = template.resources[f"{queue}Policy"]["Properties"]
    assert policy["Queues"] == [{"Ref": queue}]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    condition = statement["Condition"]
    assert condition["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    name = template.resources[bucket]["Properties"]["BucketName"]["Fn::Sub"]
    assert condition["ArnEquals"]["aws:SourceArn"]["Fn::Sub"] == f"arn:${{AWS::Partition}}:s3:::{name}"


@pytest.mark.parametrize(("queue", "bucket"), SOURCES.items())
def test_the_bucket_waits_for_the_policy_and_the_policy_does_not_name_the_bucket(
    template: Template, queue: str, bucket: str
) -> None:
    assert template.resources[bucket]["DependsOn"] == f"{queue}Policy"
    assert bucket not in set(references(template.resources[f"{queue}Policy"]))


def test_notifications_have_no_suffix_filter(template: Template) -> None:
    frames = template.resources["FramesBucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    outbox = template.resources["OutboxBucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert [(c["Event"], short(c["Queue"]), c.get("Filter")) for c in frames] == [
        ("s3:ObjectCreated:*", "FramesQueue", None)
    ]
    # alert writes receipts and what it found of subscriptions there too: without a prefix it would call itself.
    told = {(c["Event"], c["Filter"]["S3Key"]["Rules"][0]["Value"]) for c in outbox}
    assert told == {
        ("s3:ObjectCreated:*", "notices/"),
        ("s3:ObjectCreated:*", "contacts/"),
        ("s3:ObjectRemoved:*", "contacts/"),
    }
    assert {short(c["Queue"]) for c in outbox} == {"NoticesQueue"}
    assert all([rule["Name"] for rule in c["Filter"]["S3Key"]["Rules"]] == ["prefix"] for c in outbox)
