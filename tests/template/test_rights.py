"""Who may do what. IAM is a gate of its own: a function that is taken over can do no more than its row here."""

import pytest

from tests.template.conftest import Template, listed, references, short

QUEUE_KINDS = ("Queue", "DeadLetterQueue")

# For each action on data: which functions may do it, and on what. Whoever is not named may not.
MAY: dict[str, dict[str, set[str]]] = {
    "s3:GetObject": {
        "DetectFunction": {"FramesBucket/*", "PermitsBucket/permits/*"},
        "MatchFunction": {"FramesBucket/*", "PermitsBucket/permits/*"},
        "AlertFunction": {
            "OutboxBucket/notices/*",
            "OutboxBucket/contacts/*",
            "OutboxBucket/members/*",
            "OutboxBucket/subscriptions/*",
            "PermitsBucket/permits/*",
        },
        "GovernFunction": {"PermitsBucket/permits/*", "OutboxBucket/subscriptions/*"},
        "GrantFunction": {"PermitsBucket/permits/*"},
        "ReviewFunction": {
            "EvidenceBucket/evidence/*",
            "EnrolmentBucket/enrolment/*",
            "EnrolmentBucket/tests/*",
            "PermitsBucket/state/candidates.json",
            "PermitsBucket/state/tests.json",
        },
        "RetainFunction": {
            "PermitsBucket/permits/*",
            "PermitsBucket/stops/*",
            "PermitsBucket/due/*",
            "PermitsBucket/state/queues.json",
            "OutboxBucket/notices/*",
            "OutboxBucket/receipts/*",
            "AnchorsBucket/heads/*",
            "AnchorsBucket/erasures/*",
            "RecordsBucket/records/*",
            "RecordsBucket/groups/*",
        },
        "SweepFunction": {"PermitsBucket/due/*", "PermitsBucket/stops/*"},
        "ReportFunction": {"RecordsBucket/records/*", "RecordsBucket/groups/*", "RecordsBucket/index.json"},
    },
    "s3:PutObject": {
        "GrantFunction": {"FramesBucket/*"},
        "MatchFunction": {
            "EvidenceBucket/evidence/*",
            "OutboxBucket/notices/*/*-raised.json",
            "PermitsBucket/state/candidates.json",
        },
        "AlertFunction": {"OutboxBucket/receipts/*", "OutboxBucket/subscriptions/*"},
        "EnrolFunction": {"EnrolmentBucket/enrolment/*", "EnrolmentBucket/tests/*"},
        "GovernFunction": {
            "PermitsBucket/permits/*",
            "PermitsBucket/stops/*",
            "PermitsBucket/due/*",
            "PermitsBucket/state/candidates.json",
            "AnchorsBucket/heads/*",
            "AnchorsBucket/erasures/entry-*",
            "OutboxBucket/contacts/*",
            "OutboxBucket/members/*",
        },
        "ReviewFunction": {
            "OutboxBucket/notices/*/*-confirmed.json",
            "OutboxBucket/notices/*/*-withdrawn.json",
            "PermitsBucket/state/candidates.json",
            "PermitsBucket/state/tests.json",
        },
        "RetainFunction": {
            "PermitsBucket/due/*",
            "PermitsBucket/state/candidates.json",
            "OutboxBucket/notices/*/*-raised.json",
            "OutboxBucket/notices/*/*-confirmed.json",
            "OutboxBucket/notices/*/*-withdrawn.json",
            "OutboxBucket/notices/*/*-suspended.json",
            "AnchorsBucket/heads/*",
            "AnchorsBucket/erasures/*",
            "RecordsBucket/records/*",
            "RecordsBucket/groups/*",
            "RecordsBucket/index.json",
        },
        "SweepFunction": {"PermitsBucket/state/queues.json"},
        "MigrateFunction": {"PermitsBucket/due/restored-1.json", "PermitsBucket/due/restored-2.json"},
    },
    "s3:DeleteObject": {
        "DetectFunction": {"FramesBucket/*"},
        "MatchFunction": {"FramesBucket/*"},
        "SweepFunction": {"FramesBucket/*"},
        "EnrolFunction": {"EnrolmentBucket/tests/*"},
        "AlertFunction": {"OutboxBucket/subscriptions/*"},
        "GovernFunction": {"PermitsBucket/permits/*", "OutboxBucket/contacts/*"},
        "RetainFunction": {
            "EvidenceBucket/evidence/*",
            "EnrolmentBucket/enrolment/*",
            "EnrolmentBucket/tests/*",
            "PermitsBucket/permits/*",
            "PermitsBucket/stops/*",
            "PermitsBucket/due/*",
            "OutboxBucket/notices/*",
            "OutboxBucket/receipts/*",
            "OutboxBucket/members/*",
        },
    },
    "s3:ListBucket": {
        "DetectFunction": {"FramesBucket", "PermitsBucket"},
        "MatchFunction": {"FramesBucket", "PermitsBucket"},
        "AlertFunction": {"OutboxBucket", "PermitsBucket"},
        "GovernFunction": {"PermitsBucket", "OutboxBucket"},
        "GrantFunction": {"PermitsBucket"},
        "ReviewFunction": {"EvidenceBucket", "EnrolmentBucket", "PermitsBucket"},
        "RetainFunction": {
            "FramesBucket",
            "PermitsBucket",
            "EvidenceBucket",
            "EnrolmentBucket",
            "OutboxBucket",
            "AnchorsBucket",
            "RecordsBucket",
        },
        "SweepFunction": {"FramesBucket", "PermitsBucket"},
        "ReportFunction": {"RecordsBucket"},
    },
    "dynamodb:GetItem": {
        "DetectFunction": {"LedgerTable"},
        "MatchFunction": {"LedgerTable"},
        "AlertFunction": {"NoticesTable"},
        "EnrolFunction": {"SubjectsTable"},
        "GovernFunction": {"SubjectsTable"},
        "GrantFunction": {"CamerasTable"},
        "RetainFunction": {"NoticesTable", "SubjectsTable"},
        "SweepFunction": {"LedgerTable"},
    },
    "dynamodb:PutItem": {
        "DetectFunction": {"LedgerTable"},
        "MatchFunction": {"LedgerTable"},
        "GovernFunction": {"CamerasTable", "SubjectsTable"},
    },
    "dynamodb:UpdateItem": {
        "DetectFunction": {"LedgerTable"},
        "MatchFunction": {"LedgerTable"},
        "AlertFunction": {"NoticesTable"},
        "SweepFunction": {"LedgerTable"},
    },
    "dynamodb:Query": {
        "RetainFunction": {"LedgerTable/index/by_fold", "SubjectsTable"},
        "SweepFunction": {"LedgerTable/index/by_fold"},
    },
    "dynamodb:Scan": {"GovernFunction": {"CamerasTable"}},
    "dynamodb:DeleteItem": {
        "RetainFunction": {"NoticesTable", "SubjectsTable"},
        "GovernFunction": {"CamerasTable"},
    },
    "sqs:SendMessage": {"DetectFunction": {"FacesQueue"}},
    "sqs:ReceiveMessage": {
        "DetectFunction": {"FramesQueue"},
        "MatchFunction": {"FacesQueue"},
        "AlertFunction": {"NoticesQueue"},
    },
    "sqs:DeleteMessage": {
        "DetectFunction": {"FramesQueue"},
        "MatchFunction": {"FacesQueue"},
        "AlertFunction": {"NoticesQueue"},
    },
    "sqs:GetQueueAttributes": {
        "DetectFunction": {"FramesQueue"},
        "MatchFunction": {"FacesQueue"},
        "AlertFunction": {"NoticesQueue"},
        "SweepFunction": {f"{name}{kind}" for name in ("Frames", "Faces", "Notices") for kind in QUEUE_KINDS},
    },
    **{
        f"sns:{action}": {"AlertFunction": {"ReviewersTopic", "RecipientsTopic"}}
        for action in ("Publish", "Subscribe", "Unsubscribe", "ListSubscriptionsByTopic")
    },
    "lambda:InvokeFunction": {"SweepFunction": {"RetainFunction"}},
}
LOGINS = {
    "MatchFunction": "proviso_match",
    "EnrolFunction": "proviso_enrol",
    "GovernFunction": "proviso_govern",
    "ReviewFunction": "proviso_review",
    "RetainFunction": "proviso_retain",
    "MigrateFunction": "Database.Outputs.MasterUser",
}


def functions(template: Template) -> list[str]:
    return sorted(template.of("AWS::Lambda::Function"))


@pytest.mark.parametrize("action", MAY)
def test_who_may(template: Template, action: str) -> None:
    found = {name: template.allowed(name, action) for name in functions(template)}
    assert {name: resources for name, resources in found.items() if resources} == MAY[action]


def test_there_is_no_right_that_the_table_above_does_not_name(template: Template) -> None:
    actions = {a for f in functions(template) for s in template.statements(f) for a in listed(s["Action"])}
    assert actions == set(MAY) | {"rds-db:connect", "logs:CreateLogStream", "logs:PutLogEvents"}


def test_no_action_or_resource_is_everything(template: Template) -> None:
    for name in functions(template):
        for statement in template.statements(name):
            assert not any("*" in action for action in listed(statement["Action"])), (name, statement["Sid"])
            assert "*" not in listed(statement["Resource"]), (name, statement["Sid"])
            assert not {"NotAction", "NotResource"} & set(statement), (name, statement["Sid"])


def test_a_right_to_list_has_no_condition_that_would_turn_gone_into_forbidden(template: Template) -> None:
    for name in functions(template):
        for statement in template.statements(name):
            if "s3:ListBucket" in listed(statement["Action"]):
                assert "Condition" not in statement, name


def test_each_function_has_a_role_of_its_own_and_no_policy_of_aws(template: Template) -> None:
    """AWSLambdaBasicExecutionRole would let each of them write into every log group of the account."""
    roles = {name: short(f["Role"]) for name, f in template.of("AWS::Lambda::Function").items()}
    assert roles == {name: f"{name}Role" for name in roles}
    assert set(roles.values()) == set(template.of("AWS::IAM::Role"))
    for name, role in template.of("AWS::IAM::Role").items():
        in_network = "VpcConfig" in template.resources[name.removesuffix("Role")]["Properties"]
        traces = {"Fn::If": ["WithTracing", {"Ref": "WriteTraces"}, {"Ref": "AWS::NoValue"}]}
        assert role["ManagedPolicyArns"] == [*([{"Ref": "InTheNetwork"}] if in_network else []), traces], name
    held = template.of("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::User")
    assert set(held) == {"InTheNetwork", "WriteTraces"}


def test_each_function_writes_its_own_log_and_no_other(template: Template) -> None:
    for name in functions(template):
        logs = name.replace("Function", "Logs")
        assert template.resources[name]["Properties"]["LoggingConfig"]["LogGroup"] == {"Ref": logs}
        assert template.allowed(name, "logs:PutLogEvents") == template.allowed(name, "logs:CreateLogStream") == {logs}


@pytest.mark.parametrize("function", LOGINS)
def test_each_function_logs_in_as_itself_only(template: Template, function: str) -> None:
    (resource,) = template.allowed(function, "rds-db:connect")
    assert resource.endswith(f"dbuser:Database.Outputs.ResourceId/{LOGINS[function]}")
    user = template.environment(function)["DATABASE_USER"]
    assert LOGINS[function] in (
        user,
        "Database." + ".".join(user["Fn::GetAtt"][1:]) if isinstance(user, dict) else user,
    )


def test_those_outside_the_network_have_no_database(template: Template) -> None:
    for name in set(functions(template)) - set(LOGINS):
        assert template.allowed(name, "rds-db:connect") == set()
        assert not [variable for variable in template.environment(name) if variable.startswith("DATABASE")]


def test_only_grant_puts_frames_and_it_reads_none(template: Template) -> None:
    """S35: no principal of a camera's own, and what grant signs can be no more than what its role may do."""
    putting = {f for f in functions(template) if any("Frames" in r for r in template.allowed(f, "s3:PutObject"))}
    assert putting == {"GrantFunction"}
    on_frames = {
        action
        for statement in template.statements("GrantFunction")
        for action in listed(statement["Action"])
        if any("Frames" in short(resource) for resource in listed(statement["Resource"]))
    }
    assert on_frames == {"s3:PutObject"}


def test_a_function_knows_only_what_it_may_use(template: Template) -> None:
    """A bucket, table, topic or queue in the environment has a right beside it, and the other way round."""
    kinds = ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SNS::Topic")
    for name in functions(template):
        told = {r for r in references(template.environment(name)) if r in template.of(*kinds)}
        used = {short(r).split("/")[0] for s in template.statements(name) for r in listed(s["Resource"])}
        assert told == used & set(template.of(*kinds)), name
