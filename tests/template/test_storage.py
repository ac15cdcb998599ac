"""Buckets, tables, topics, logs: private, encrypted, and nothing kept that was to be deleted."""

import pytest

from tests.template.conftest import Template, listed

PURPOSES = {
    "FramesBucket": "frames",
    "PermitsBucket": "permits",
    "EvidenceBucket": "evidence",
    "EnrolmentBucket": "enrolment",
    "OutboxBucket": "outbox",
    "AnchorsBucket": "anchors",
    "RecordsBucket": "records",
}
# No person is in these two; they are to last.
LASTING = {"AnchorsBucket", "RecordsBucket"}
# Names of queues and functions only; CloudWatch cannot publish under the managed key.
TOPICS_WITHOUT_KEY = {"AlarmsTopic"}


def test_the_buckets_are_those_of_the_design(template: Template) -> None:
    assert set(template.of("AWS::S3::Bucket")) == set(PURPOSES)


@pytest.mark.parametrize(("bucket", "purpose"), PURPOSES.items())
def test_a_bucket_is_named_by_stage_account_and_region(template: Template, bucket: str, purpose: str) -> None:
    name = template.resources[bucket]["Properties"]["BucketName"]
    assert name == {"Fn::Sub": f"proviso-{purpose}-${{Stage}}-${{AWS::AccountId}}-${{AWS::Region}}"}
    longest = name["Fn::Sub"].replace("${Stage}", "s" * 12).replace("${AWS::AccountId}", "1" * 12)
    assert len(longest.replace("${AWS::Region}", "ap-southeast-2")) <= 63


@pytest.mark.parametrize("bucket", PURPOSES)
def test_a_bucket_is_private_encrypted_and_reached_by_tls_only(template: Template, bucket: str) -> None:
    properties = template.resources[bucket]["Properties"]
    block = properties["PublicAccessBlockConfiguration"]
    assert block == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (policy,) = [p for p in template.of("AWS::S3::BucketPolicy").values() if p["Bucket"] == {"Ref": bucket}]
    statement, *more = policy["PolicyDocument"]["Statement"]
    assert bool(more) == (bucket == "RecordsBucket")
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2


@pytest.mark.parametrize("bucket", sorted(set(PURPOSES) - LASTING))
def test_no_versions_and_nothing_retained_where_people_are(template: Template, bucket: str) -> None:
    resource = template.resources[bucket]
    for name in ("VersioningConfiguration", "ObjectLockEnabled", "ObjectLockConfiguration", "ReplicationConfiguration"):
        assert name not in resource["Properties"]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Delete", "Delete")


@pytest.mark.parametrize("bucket", sorted(LASTING))
def test_what_is_to_last_is_versioned_and_retained(template: Template, bucket: str) -> None:
    resource = template.resources[bucket]
    assert resource["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    # A creation that fails takes it away, or the next attempt would meet its name.
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    policy = template.resources[f"{bucket}Policy"]
    assert policy["DeletionPolicy"] == "RetainExceptOnCreate", "without it anybody of the account could write over it"


def test_anchors_are_locked(template: Template) -> None:
    properties = template.resources["AnchorsBucket"]["Properties"]
    assert properties["ObjectLockEnabled"] is True
    retention = properties["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert retention == {"Mode": {"Ref": "AnchorsRetentionMode"}, "Days": {"Ref": "AnchorsRetentionDays"}}
    assert template.raw["Parameters"]["AnchorsRetentionMode"]["AllowedValues"] == ["GOVERNANCE", "COMPLIANCE"]


def test_what_was_published_is_put_once(template: Template) -> None:
    """Nobody writes over a record: a put that does not ask that nothing lies there is denied, to everybody."""
    (policy,) = [p for p in template.of("AWS::S3::BucketPolicy").values() if p["Bucket"] == {"Ref": "RecordsBucket"}]
    denied = policy["PolicyDocument"]["Statement"][1]
    assert (denied["Effect"], denied["Principal"], denied["Action"]) == ("Deny", "*", "s3:PutObject")
    assert denied["Condition"] == {"Null": {"s3:if-none-match": "true"}}
    assert denied["Resource"] == [{"Fn::Sub": f"${{RecordsBucket.Arn}}/{folder}/*"} for folder in ("records", "groups")]


def lifecycle(template: Template, bucket: str) -> dict[str, int]:
    """Days by prefix, parameters replaced by the longest that they allow."""
    days = {}
    for rule in template.resources[bucket]["Properties"]["LifecycleConfiguration"]["Rules"]:
        assert rule["Status"] == "Enabled"
        if "ExpirationInDays" in rule:
            value = rule["ExpirationInDays"]
            value = template.raw["Parameters"][value["Ref"]]["MaxValue"] if isinstance(value, dict) else value
            days[rule.get("Prefix", "")] = value
    return days


@pytest.mark.parametrize(
    ("bucket", "expected"),
    [
        ("FramesBucket", {"": 1}),
        ("EvidenceBucket", {"": 31}),
        ("EnrolmentBucket", {"enrolment/": 31, "tests/": 31}),
        ("OutboxBucket", {"notices/": 7, "receipts/": 7}),
    ],
)
def test_backstops(template: Template, bucket: str, expected: dict[str, int]) -> None:
    assert lifecycle(template, bucket) == expected


@pytest.mark.parametrize("bucket", PURPOSES)
def test_half_uploads_do_not_stay(template: Template, bucket: str) -> None:
    rules = template.resources[bucket]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert any(r.get("AbortIncompleteMultipartUpload") == {"DaysAfterInitiation": 1} for r in rules)


def test_queues_are_encrypted(template: Template) -> None:
    for name, queue in template.of("AWS::SQS::Queue").items():
        # Not by a KMS key: S3 may not use the managed one, and the notification would be refused without a sound.
        assert queue.get("SqsManagedSseEnabled") is True, name
        assert "KmsMasterKeyId" not in queue, name


def test_topics_are_encrypted_but_the_one_that_cloudwatch_must_reach(template: Template) -> None:
    topics = template.of("AWS::SNS::Topic")
    assert set(topics) == {"ReviewersTopic", "RecipientsTopic", "AlarmsTopic"}
    assert {name for name, topic in topics.items() if "KmsMasterKeyId" not in topic} == TOPICS_WITHOUT_KEY


def test_topics_are_not_fifo(template: Template) -> None:
    assert not any("FifoTopic" in topic for topic in template.of("AWS::SNS::Topic").values())


def test_tables_are_encrypted_expire_their_rows_and_keep_no_copy(template: Template) -> None:
    tables = template.of("AWS::DynamoDB::Table")
    assert set(tables) == {"LedgerTable", "NoticesTable", "CamerasTable", "SubjectsTable"}
    # A camera is registered until it is revoked; a list's keys stay until retain deletes them.
    lasting = {"CamerasTable", "SubjectsTable"}
    for name, table in tables.items():
        assert table["SSESpecification"] == {"SSEEnabled": True}, name
        expiry = None if name in lasting else {"AttributeName": "expires_at", "Enabled": True}
        assert table.get("TimeToLiveSpecification") == expiry, name
        resource = template.resources[name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Delete", "Delete"), name
        assert table["BillingMode"] == "PAY_PER_REQUEST", name
        assert "PointInTimeRecoverySpecification" not in table, f"{name}: a backup keeps what was deleted"
        assert "StreamSpecification" not in table, name


def test_the_ledger_has_the_index_of_what_was_not_searched(template: Template) -> None:
    table = template.resources["LedgerTable"]["Properties"]
    assert table["KeySchema"] == [{"AttributeName": "frame_key", "KeyType": "HASH"}]
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by_fold"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["fold", "frame_key"]
    assert index["Projection"] == {
        "ProjectionType": "INCLUDE",
        "NonKeyAttributes": ["camera", "outcome", "reason", "received_at", "finished_at"],
    }


def test_subject_keys_are_counted_by_list_in_the_table_itself(template: Template) -> None:
    """S30: an index is read as it was a moment ago, and a certificate that says zero must not be."""
    table = template.resources["SubjectsTable"]["Properties"]
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["list", "subject"]
    assert "GlobalSecondaryIndexes" not in table


def test_every_log_ends(template: Template) -> None:
    groups = template.of("AWS::Logs::LogGroup")
    assert len(groups) == len(template.of("AWS::Lambda::Function")) + 1
    for name, group in groups.items():
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}, name
    assert template.raw["Parameters"]["LogRetentionDays"]["Default"] == 30


@pytest.mark.parametrize(
    ("subscription", "topic", "protocol", "parameter"),
    [
        ("AlarmEmailSubscription", "AlarmsTopic", "email", "AlarmEmail"),
    ],
)
def test_a_subscription_is_made_only_where_an_address_is_given(
    template: Template, subscription: str, topic: str, protocol: str, parameter: str
) -> None:
    resource = template.resources[subscription]
    properties = resource["Properties"]
    assert (properties["TopicArn"], properties["Protocol"]) == ({"Ref": topic}, protocol)
    assert properties["Endpoint"] == {"Ref": parameter}
    condition = template.raw["Conditions"][resource["Condition"]]
    assert condition == {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


def test_topics_have_no_other_subscribers(template: Template) -> None:
    """Reviewers' and recipients' subscriptions follow their contacts, and alert ends any that no contact needs."""
    assert len(template.of("AWS::SNS::Subscription")) == 1
    assert not any(listed(t.get("Subscription", [])) for t in template.of("AWS::SNS::Topic").values())
