"""What somebody might try on AWS: places by what they are to people, and the actions that a role could have on them."""

from proviso.local.rights import System
from proviso.local.template import ACCOUNT, REGION

_ID = "0190c1f2-7d3e-7b1a-9a55-3f1c2d4e5f60"
OBJECTS = {
    "a frame": ("FramesBucket", "cam-entrance/2026-11-27/101500.000Z_1.jpg"),
    "a permit": ("PermitsBucket", "permits/cam-entrance.json"),
    "a stop": ("PermitsBucket", f"stops/{_ID}.json"),
    "what is due": ("PermitsBucket", f"due/{_ID}.json"),
    "a restored database": ("PermitsBucket", "due/restored-2.json"),
    "how long the queues are": ("PermitsBucket", "state/queues.json"),
    "the mark of candidates": ("PermitsBucket", "state/candidates.json"),
    "the mark of tests": ("PermitsBucket", "state/tests.json"),
    "an evidence picture": ("EvidenceBucket", f"evidence/{_ID}/{_ID}.jpg"),
    "an enrolment picture": ("EnrolmentBucket", f"enrolment/{_ID}/{_ID}/{_ID}.jpg"),
    "a test picture": ("EnrolmentBucket", f"tests/{_ID}-probe.jpg"),
    "a raised notice": ("OutboxBucket", f"notices/{_ID}/1-raised.json"),
    "a confirmed notice": ("OutboxBucket", f"notices/{_ID}/2-confirmed.json"),
    "a withdrawn notice": ("OutboxBucket", f"notices/{_ID}/3-withdrawn.json"),
    "a notice of a suspension": ("OutboxBucket", f"notices/{_ID}/1-suspended.json"),
    "a receipt": ("OutboxBucket", f"receipts/{_ID}/1-raised.json"),
    "a contact": ("OutboxBucket", "contacts/somebody.json"),
    "who is told": ("OutboxBucket", f"members/{_ID}.json"),
    "a subscription's state": ("OutboxBucket", "subscriptions/somebody.json"),
    "an anchored head": ("AnchorsBucket", "heads/2026-11-27/101500.000Z_0123456789abcdef.json"),
    "an entry's erasure": ("AnchorsBucket", f"erasures/entry-{_ID}.json"),
    "another erasure": ("AnchorsBucket", f"erasures/candidate_evidence-{_ID}.json"),
    "a public record": ("RecordsBucket", f"records/{_ID}/1.json"),
    "a table of groups": ("RecordsBucket", "groups/2026-11.json"),
    "the index of records": ("RecordsBucket", "index.json"),
}
# Names that nothing here uses: a right that reaches them reaches too far.
STRAY = {
    f"something else in {bucket}": (bucket, "elsewhere/x.json")
    for bucket in (
        "PermitsBucket",
        "EvidenceBucket",
        "EnrolmentBucket",
        "OutboxBucket",
        "AnchorsBucket",
        "RecordsBucket",
    )
} | {
    "a notice of no kind": ("OutboxBucket", f"notices/{_ID}/1-other.json"),
    "a state of no kind": ("PermitsBucket", "state/other.json"),
}
BUCKETS = {
    f"the bucket of {name}": f"{name.capitalize()}Bucket"
    for name in ("frames", "permits", "evidence", "enrolment", "outbox", "anchors", "records")
}
TABLES = {
    "the ledger": "LedgerTable",
    "the notices' rows": "NoticesTable",
    "the cameras": "CamerasTable",
    "the subjects' keys": "SubjectsTable",
}
QUEUES = {
    f"{queue} {kind}": f"{queue.capitalize()}{logical}"
    for queue in ("frames", "faces", "notices")
    for kind, logical in (("queue", "Queue"), ("dead letters", "DeadLetterQueue"))
}
TOPICS = {"reviewers' topic": "ReviewersTopic", "recipients' topic": "RecipientsTopic", "alarms' topic": "AlarmsTopic"}
FUNCTIONS = ("detect", "match", "alert", "enrol", "govern", "review", "retain", "sweep", "report", "grant", "migrate")
LOGINS = ("proviso_match", "proviso_enrol", "proviso_govern", "proviso_review", "proviso_retain", "proviso_owner")

ACTIONS = {
    "object": "s3: GetObject GetObjectVersion GetObjectAcl GetObjectTagging GetObjectAttributes GetObjectTorrent"
    " PutObject PutObjectAcl PutObjectTagging PutObjectRetention PutObjectLegalHold BypassGovernanceRetention"
    " DeleteObject DeleteObjectVersion DeleteObjectTagging RestoreObject AbortMultipartUpload ListMultipartUploadParts"
    " ReplicateObject ObjectOwnerOverrideToBucketOwner",
    "bucket": "s3: ListBucket ListBucketVersions ListBucketMultipartUploads GetBucketPolicy PutBucketPolicy"
    " DeleteBucketPolicy PutLifecycleConfiguration PutBucketNotification PutBucketVersioning PutBucketAcl"
    " PutBucketObjectLockConfiguration PutEncryptionConfiguration PutBucketPublicAccessBlock PutBucketOwnershipControls"
    " PutReplicationConfiguration PutBucketLogging PutBucketCORS PutBucketWebsite DeleteBucket",
    "table": "dynamodb: GetItem BatchGetItem PutItem UpdateItem DeleteItem BatchWriteItem Query Scan ConditionCheckItem"
    " PartiQLSelect PartiQLInsert PartiQLUpdate PartiQLDelete DeleteTable UpdateTable UpdateTimeToLive"
    " UpdateContinuousBackups CreateBackup ExportTableToPointInTime PutResourcePolicy",
    "queue": "sqs: SendMessage ReceiveMessage DeleteMessage ChangeMessageVisibility GetQueueAttributes PurgeQueue"
    " SetQueueAttributes DeleteQueue AddPermission StartMessageMoveTask",
    "topic": "sns: Publish Subscribe Unsubscribe ListSubscriptionsByTopic GetTopicAttributes SetTopicAttributes"
    " SetSubscriptionAttributes AddPermission DeleteTopic",
    "function": "lambda: InvokeFunction InvokeAsync GetFunction UpdateFunctionCode UpdateFunctionConfiguration"
    " AddPermission DeleteFunction PublishVersion UpdateAlias PutFunctionConcurrency PutFunctionEventInvokeConfig"
    " UpdateEventSourceMapping",
    "log": "logs: CreateLogStream PutLogEvents GetLogEvents FilterLogEvents StartQuery StartLiveTail CreateLogGroup"
    " DeleteLogGroup DeleteLogStream PutRetentionPolicy DeleteRetentionPolicy PutSubscriptionFilter",
    "login": "rds-db: connect",
}
# On the account itself, whatever the resource is called.
ACCOUNT_WIDE = [
    f"{service}:{action}"
    for service, actions in {
        "iam": "PassRole PutRolePolicy AttachRolePolicy CreateRole UpdateAssumeRolePolicy CreateUser CreateAccessKey",
        "sts": "AssumeRole",
        "kms": "Decrypt CreateGrant PutKeyPolicy ScheduleKeyDeletion",
        "rds": "ModifyDBCluster DeleteDBCluster CreateDBClusterSnapshot CopyDBClusterSnapshot",
        "rds-data": "ExecuteStatement",
        "cognito-idp": "AdminCreateUser AdminSetUserPassword AdminSetUserMFAPreference UpdateUserPool",
        "secretsmanager": "GetSecretValue",
        "ssm": "GetParameter",
        "cloudformation": "UpdateStack DeleteStack",
        "events": "DisableRule PutTargets",
        "cloudwatch": "DisableAlarmActions DeleteAlarms",
        "apigateway": "PATCH",
        "s3": "ListAllMyBuckets",
        "sqs": "ListQueues",
        "sns": "ListTopics",
        "ec2": "CreateNetworkInterface CreateRoute ModifyVpcEndpoint AuthorizeSecurityGroupEgress",
    }.items()
    for action in actions.split()
]


def function_of(name: str) -> str:
    return f"{name.capitalize()}Function"


class Places:
    """The ARN of each place, and the actions that there are on it."""

    def __init__(self, system: System) -> None:
        found: dict[str, tuple[str, str]] = {}
        for name, (bucket, key) in (OBJECTS | STRAY).items():
            found[name] = ("object", f"{system.arn(bucket)}/{key}")
        found |= {name: ("bucket", system.arn(bucket)) for name, bucket in BUCKETS.items()}
        found |= {name: ("table", system.arn(table)) for name, table in TABLES.items()}
        found["what was not searched"] = ("table", f"{system.arn('LedgerTable')}/index/by_fold")
        found |= {name: ("queue", system.arn(queue)) for name, queue in QUEUES.items()}
        found |= {name: ("topic", system.arn(topic)) for name, topic in TOPICS.items()}
        found |= {name: ("function", system.arn(function_of(name))) for name in FUNCTIONS}
        for name in FUNCTIONS:
            log = system.arn(f"{name.capitalize()}Logs").removesuffix(":*")
            found[f"the log of {name}"] = ("log", f"{log}:log-stream:2026/11/27/x")
        found["the API's log"] = ("log", system.arn("ApiLogs").removesuffix("*") + "log-stream:x")
        found["another log"] = ("log", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/other:log-stream:x")
        database = system.stack.nested["Database"].output("ResourceId")
        for name in LOGINS:
            found[f"the login {name}"] = ("login", f"arn:aws:rds-db:{REGION}:{ACCOUNT}:dbuser:{database}/{name}")
        self.arns = {name: arn for name, (_, arn) in found.items()}
        self.kinds = {name: kind for name, (kind, _) in found.items()}

    def actions(self, place: str) -> list[str]:
        service, *names = ACTIONS[self.kinds[place]].split()
        return [service + name for name in names]
