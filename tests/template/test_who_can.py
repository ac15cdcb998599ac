"""Who can do what, for an auditor: the table says what each function's code may do, and whatever it does not say is
denied, tried action by action on every place that there is.

The answers are of `proviso.local.iam`, from the compiled template: roles, policies of resources, the endpoints of the
network, and whether there is a way at all. `docs/rights.md` is the same as a page.
"""

import pytest

from proviso.local.iam import Statement
from proviso.local.rights import System
from proviso.local.template import ACCOUNT, REGION
from tests.contract.test_store_rights import RIGHTS
from tests.template.attempts import ACCOUNT_WIDE, FUNCTIONS, LOGINS, OBJECTS, Places, function_of
from tests.template.conftest import compiled

LIST, GET, PUT, DELETE = "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"
ROW = {name: f"dynamodb:{name}" for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")}
NOTICES = {"a raised notice", "a confirmed notice", "a withdrawn notice", "a notice of a suspension"}
POLL = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
TOLD = {"reviewers' topic", "recipients' topic"}

# What the code of each function may do. Whatever is not here is denied.
MAY: dict[str, dict[str, set[str]]] = {
    "detect": {
        LIST: {"the bucket of frames", "the bucket of permits"},
        GET: {"a frame", "a permit"},
        DELETE: {"a frame"},
        ROW["GetItem"]: {"the ledger"},
        ROW["PutItem"]: {"the ledger"},
        ROW["UpdateItem"]: {"the ledger"},
        "sqs:SendMessage": {"faces queue"},
        **{action: {"frames queue"} for action in POLL},
    },
    "match": {
        LIST: {"the bucket of frames", "the bucket of permits"},
        GET: {"a frame", "a permit"},
        DELETE: {"a frame"},
        PUT: {"an evidence picture", "a raised notice", "the mark of candidates"},
        ROW["GetItem"]: {"the ledger"},
        ROW["PutItem"]: {"the ledger"},
        ROW["UpdateItem"]: {"the ledger"},
        "rds-db:connect": {"the login proviso_match"},
    },
    "alert": {
        LIST: {"the bucket of outbox", "the bucket of permits"},
        GET: NOTICES | {"a permit", "a contact", "who is told", "a subscription's state", "a notice of no kind"},
        PUT: {"a receipt", "a subscription's state"},
        DELETE: {"a subscription's state"},
        ROW["GetItem"]: {"the notices' rows"},
        ROW["UpdateItem"]: {"the notices' rows"},
        **{action: {"notices queue"} for action in POLL},
        "sns:Publish": TOLD,
        "sns:Subscribe": TOLD,
        "sns:Unsubscribe": TOLD,
        "sns:ListSubscriptionsByTopic": TOLD,
    },
    "enrol": {
        PUT: {"an enrolment picture", "a test picture"},
        DELETE: {"a test picture"},
        ROW["GetItem"]: {"the subjects' keys"},
        "rds-db:connect": {"the login proviso_enrol"},
    },
    "govern": {
        LIST: {"the bucket of permits", "the bucket of outbox"},
        GET: {"a permit", "a subscription's state"},
        PUT: {
            "a permit",
            "a stop",
            "what is due",
            "a restored database",
            "the mark of candidates",
            "a contact",
            "who is told",
            "an anchored head",
            "an entry's erasure",
        },
        DELETE: {"a permit", "a contact"},
        ROW["GetItem"]: {"the subjects' keys"},
        ROW["PutItem"]: {"the subjects' keys", "the cameras"},
        ROW["DeleteItem"]: {"the cameras"},
        ROW["Scan"]: {"the cameras"},
        "rds-db:connect": {"the login proviso_govern"},
    },
    "review": {
        LIST: {"the bucket of permits", "the bucket of evidence", "the bucket of enrolment"},
        GET: {
            "an evidence picture",
            "an enrolment picture",
            "a test picture",
            "the mark of candidates",
            "the mark of tests",
        },
        PUT: {"a confirmed notice", "a withdrawn notice", "the mark of candidates", "the mark of tests"},
        "rds-db:connect": {"the login proviso_review"},
    },
    "retain": {
        LIST: {
            f"the bucket of {one}"
            for one in ("frames", "permits", "evidence", "enrolment", "outbox", "anchors", "records")
        },
        GET: NOTICES
        | {
            "a permit",
            "a stop",
            "what is due",
            "a restored database",
            "how long the queues are",
            "a receipt",
            "a notice of no kind",
            "an anchored head",
            "an entry's erasure",
            "another erasure",
            "a public record",
            "a table of groups",
        },
        PUT: NOTICES
        | {
            "what is due",
            "a restored database",
            "the mark of candidates",
            "an anchored head",
            "an entry's erasure",
            "another erasure",
            "a public record",
            "a table of groups",
            "the index of records",
        },
        DELETE: NOTICES
        | {
            "an evidence picture",
            "an enrolment picture",
            "a test picture",
            "a permit",
            "a stop",
            "what is due",
            "a restored database",
            "a receipt",
            "who is told",
            "a notice of no kind",
        },
        ROW["GetItem"]: {"the notices' rows", "the subjects' keys"},
        ROW["DeleteItem"]: {"the notices' rows", "the subjects' keys"},
        ROW["Query"]: {"what was not searched", "the subjects' keys"},
        "rds-db:connect": {"the login proviso_retain"},
    },
    "sweep": {
        LIST: {"the bucket of frames", "the bucket of permits"},
        GET: {"what is due", "a restored database", "a stop"},
        PUT: {"how long the queues are"},
        DELETE: {"a frame"},
        ROW["GetItem"]: {"the ledger"},
        ROW["UpdateItem"]: {"the ledger"},
        ROW["Query"]: {"what was not searched"},
        "sqs:GetQueueAttributes": {
            f"{one} {kind}" for one in ("frames", "faces", "notices") for kind in ("queue", "dead letters")
        },
        "lambda:InvokeFunction": {"retain"},
    },
    "report": {
        LIST: {"the bucket of records"},
        GET: {"a public record", "a table of groups", "the index of records"},
    },
    "grant": {
        LIST: {"the bucket of permits"},
        GET: {"a permit"},
        PUT: {"a frame"},
        ROW["GetItem"]: {"the cameras"},
    },
    "migrate": {"rds-db:connect": {"the login proviso_owner"}, PUT: {"a restored database"}},
}
OUTSIDE = ("detect", "alert", "sweep", "report", "grant")
for _name in OUTSIDE:  # those in the network reach no log by themselves: Lambda writes what they print
    MAY[_name] |= {action: {f"the log of {_name}"} for action in ("logs:CreateLogStream", "logs:PutLogEvents")}


@pytest.fixture(scope="module")
def places(system: System) -> Places:
    return Places(system)


def may(system: System, places: Places, who: str, action: str, place: str) -> bool:
    """Tried as favourably as can be: a put asks that nothing lies there."""
    more = {"s3__if_none_match": "*"} if action == PUT else {}
    return system.code(function_of(who), action, places.arns[place], **more).allowed


@pytest.mark.parametrize("who", FUNCTIONS)
def test_the_code_of_each_function_may_do_what_the_table_says_and_nothing_else(
    system: System, places: Places, who: str
) -> None:
    found: dict[str, set[str]] = {}
    for place in places.arns:
        for action in places.actions(place):
            if may(system, places, who, action, place):
                found.setdefault(action, set()).add(place)
    assert found == MAY[who]


@pytest.mark.parametrize("who", FUNCTIONS)
def test_nobody_changes_the_account(system: System, who: str) -> None:
    """Roles, keys, code, users, stacks, alarms, the network: by no action and under no name."""
    names = ["*", *(role.arn for role in system.roles.values()), f"arn:aws:kms:{REGION}:{ACCOUNT}:key/x"]
    for action in ACCOUNT_WIDE:
        for name in names:
            assert not system.code(function_of(who), action, name).allowed, (action, name)


def test_lambda_itself_polls_writes_logs_and_makes_interfaces_and_a_function_s_code_makes_none(
    system: System, places: Places
) -> None:
    polled = {"detect": "frames queue", "match": "faces queue", "alert": "notices queue"}
    for who in FUNCTIONS:
        name = function_of(who)
        for queue in [one for one, kind in places.kinds.items() if kind == "queue"]:
            for action in POLL[:2]:
                answer = system.platform(name, action, places.arns[queue])
                assert answer.allowed == (polled.get(who) == queue), (who, action, queue)
        for log in [one for one, kind in places.kinds.items() if kind == "log"]:
            answer = system.platform(name, "logs:PutLogEvents", places.arns[log])
            assert answer.allowed == (log == f"the log of {who}"), (who, log)
        in_network = who not in OUTSIDE
        assert system.platform(name, "ec2:CreateNetworkInterface", "*").allowed == in_network
        assert not system.code(name, "ec2:CreateNetworkInterface", "*").allowed
        # Even where there were a way out of the network, the code is denied what its role allows to Lambda.
        if in_network:
            context = {"lambda:SourceFunctionArn": system.functions[name].arn}
            statements = system.functions[name].role.statements
            assert any(not one.allow and one.applies("ec2:CreateNetworkInterface", "*", context) for one in statements)


def test_traces_are_the_one_right_that_a_parameter_adds(system: System) -> None:
    traced = compiled(Tracing="Active")
    for name, function in traced.functions.items():
        more = set(function.role.statements) - set(system.functions[name].role.statements)
        assert {(one.allow, one.actions) for one in more} == {
            (True, ("xray:PutTraceSegments", "xray:PutTelemetryRecords"))
        }
        assert set(system.functions[name].role.statements) < set(function.role.statements)
        assert not system.platform(name, "xray:PutTraceSegments", "*").allowed


# --- the promises, each by name ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", OUTSIDE)
def test_those_outside_cannot_reach_the_database(system: System, places: Places, who: str) -> None:
    assert not system.functions[function_of(who)].in_network
    for login in LOGINS:
        assert not may(system, places, who, "rds-db:connect", f"the login {login}")
        assert not system.platform(function_of(who), "rds-db:connect", places.arns[f"the login {login}"]).allowed


def who_may(system: System, places: Places, action: str, place: str) -> set[str]:
    return {who for who in FUNCTIONS if may(system, places, who, action, place)}


def test_nobody_but_govern_writes_a_permit(system: System, places: Places) -> None:
    assert who_may(system, places, PUT, "a permit") == {"govern"}
    assert who_may(system, places, DELETE, "a permit") == {"govern", "retain"}


def test_match_only_raises_review_only_confirms_and_withdraws_and_retain_puts_again(
    system: System, places: Places
) -> None:
    assert who_may(system, places, PUT, "a raised notice") == {"match", "retain"}
    assert who_may(system, places, PUT, "a confirmed notice") == {"review", "retain"}
    assert who_may(system, places, PUT, "a withdrawn notice") == {"review", "retain"}
    assert who_may(system, places, PUT, "a notice of a suspension") == {"retain"}
    assert who_may(system, places, PUT, "a notice of no kind") == set()


def test_who_opens_pictures_of_people(system: System, places: Places) -> None:
    assert who_may(system, places, GET, "a frame") == {"detect", "match"}
    for place in ("an evidence picture", "an enrolment picture", "a test picture"):
        assert who_may(system, places, GET, place) == {"review"}, place


def test_whoever_holds_a_camera_s_form_puts_frames_and_nothing_else(system: System, places: Places) -> None:
    """A form is signed by grant: it can be no more than grant's role may do on the frames bucket. Its own policy holds
    it to one prefix of one camera, for minutes (tests/safeguards/test_s35_upload_right.py tries forms)."""
    grant = system.functions["GrantFunction"]
    for place in ("a frame", "the bucket of frames"):
        for action in places.actions(place):
            assert system.code("GrantFunction", action, places.arns[place]).allowed == (action == PUT), action
    assert not any("*" in action for one in grant.role.statements for action in one.actions)


LASTING = ("an anchored head", "an entry's erasure", "another erasure", "a public record", "a table of groups")


@pytest.mark.parametrize("place", LASTING)
def test_nobody_takes_back_what_is_anchored_or_published(system: System, places: Places, place: str) -> None:
    """No function, and no administrator either, before the bucket's policy is gone."""
    everything = administrator()
    taking = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    taking += ["s3:BypassGovernanceRetention", "s3:PutObjectRetention"] if OBJECTS[place][0] == "AnchorsBucket" else []
    for action in taking:
        assert who_may(system, places, action, place) == set(), action
        assert not system.anybody(everything, action, places.arns[place]).allowed, action
    assert not system.anybody(everything, PUT, places.arns[place]).allowed, "over what lies there"
    assert system.anybody(everything, PUT, places.arns[place], s3__if_none_match="*").allowed
    for who in FUNCTIONS:
        assert not system.code(function_of(who), PUT, places.arns[place]).allowed, "over what lies there"


def test_nobody_reads_logs_and_nobody_deletes_them(system: System, places: Places) -> None:
    for log in [one for one, kind in places.kinds.items() if kind == "log"]:
        for action in places.actions(log):
            if action not in ("logs:CreateLogStream", "logs:PutLogEvents"):
                assert who_may(system, places, action, log) == set(), (action, log)


def test_migrate_reaches_no_store_and_may_only_have_retain_woken_for_a_restored_database(
    system: System, places: Places
) -> None:
    assert MAY["migrate"] == {"rds-db:connect": {"the login proviso_owner"}, PUT: {"a restored database"}}
    for place in [one for one, kind in places.kinds.items() if kind in ("object", "bucket", "table")]:
        for action in places.actions(place):
            allowed = system.platform("MigrateFunction", action, places.arns[place]).allowed
            assert allowed == ((action, place) == (PUT, "a restored database")), (action, place)


def test_who_publishes(system: System, places: Places) -> None:
    for topic in TOLD:
        assert who_may(system, places, "sns:Publish", topic) == {"alert"}
        for action in ("sns:Publish", "sns:Subscribe"):
            assert not system.anybody(administrator(), action, places.arns[topic]).allowed, "people act on what it says"
    assert who_may(system, places, "sns:Publish", "alarms' topic") == set()


def test_nobody_changes_the_audit() -> None:
    """In SQL: no login role may change or delete a row, or insert one but by the function that appends at the end.
    `tests/contract/test_store_rights.py` holds the table against the grants of the database, and tries it by role."""
    for role, tables in RIGHTS.items():
        assert set(tables.get("audit_event", "")) <= {"S"}, role
        assert set(tables.get("audit_head", "")) <= {"S"}, role


# --- services of AWS, other accounts ----------------------------------------------------------------------------------


def administrator() -> tuple[Statement, ...]:
    return (Statement(("*",), ("*",), sid="Administrator"),)


def test_a_service_does_what_it_must_for_what_is_ours(system: System, places: Places) -> None:
    alarm = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:SweepSilent"
    rows = (
        ("s3.amazonaws.com", "sqs:SendMessage", "frames queue", system.arn("FramesBucket")),
        ("s3.amazonaws.com", "sqs:SendMessage", "notices queue", system.arn("OutboxBucket")),
        ("cloudwatch.amazonaws.com", "sns:Publish", "alarms' topic", alarm),
    )
    for service, action, place, source in rows:
        assert system.service(service, action, places.arns[place], source).allowed, place
        others = [one for one, kind in places.kinds.items() if kind in ("queue", "topic") and one != place]
        for other in others:
            assert not system.service(service, action, places.arns[other], source).allowed, other
        # A confused deputy: the same service, asked by another account, or for another bucket of that name's owner.
        assert not system.service(service, action, places.arns[place], source, account="999999999999").allowed
        assert not system.service(service, action, places.arns[place], source + "x", "999999999999").allowed
        for unlike in places.actions(place):
            assert system.service(service, unlike, places.arns[place], source).allowed == (unlike == action), unlike


INVOKED_BY = {
    "apigateway.amazonaws.com": {"enrol", "govern", "review", "retain", "report", "grant"},
    "events.amazonaws.com": {"alert", "sweep"},
}


def test_who_invokes_which_function(system: System) -> None:
    """Beside sweep, which wakes retain, and Lambda itself, which polls queues for detect, match and alert; migrate is
    called by CloudFormation with the rights of whoever deploys."""
    found: dict[str, set[str]] = {}
    for name, one in system.policies:
        if any("lambda:" in action for action in one.actions):
            ((kind, service),) = one.principals
            function = one.resources[0].split("-local-")[1].split("Function")[0].lower()
            assert kind == "Service", name
            found.setdefault(service, set()).add(function)
    assert found == INVOKED_BY


def test_a_permission_to_invoke_is_for_our_own_api_and_rules_alone(system: System) -> None:
    for name, one in system.policies:
        if any("lambda:" in action for action in one.actions):
            (condition,) = one.conditions
            assert (condition.operator, condition.key) == ("ArnLike", "aws:sourcearn"), name
            (source,) = condition.values
            # The account and the API or the rule stand in it, so another account's API of any name is another ARN.
            *_, region, account, rest = source.split(":", 5)
            assert (region, account) == (REGION, ACCOUNT), name
            assert "*" not in rest.split("/")[0], name
            ((_, service),) = one.principals
            ours = source.replace("*", "x")
            assert system.service(service, "lambda:InvokeFunction", one.resources[0], ours).allowed, name
            for theirs in (ours.replace(ACCOUNT, "999999999999"), ours.replace("proviso-local", "another")):
                assert not system.service(service, "lambda:InvokeFunction", one.resources[0], theirs).allowed, theirs


def test_a_permission_a_route_still_fits_into_what_lambda_keeps_of_a_function(system: System) -> None:
    """SAM writes a permission for each route, and Lambda keeps 20,480 bytes of them a function: past that nothing
    can be deployed. Reckoned for a stack's name of 20 characters."""
    import json

    sizes: dict[str, int] = {}
    for name, one in system.policies:
        if any("lambda:" in action for action in one.actions):
            function = one.resources[0]
            statement = {
                "Sid": f"{'s' * 20}-{name}-{'x' * 12}",
                "Effect": "Allow",
                "Principal": {"Service": one.principals[0][1]},
                "Action": "lambda:InvokeFunction",
                "Resource": function.replace("proviso-local", "s" * 20) + "-" + "x" * 12,
                "Condition": {"ArnLike": {"AWS:SourceArn": one.conditions[0].values[0]}},
            }
            sizes[function] = sizes.get(function, 80) + len(json.dumps(statement, separators=(",", ":"))) + 1
    assert max(sizes.values()) < 20_480, sizes


def test_only_lambda_takes_a_role(system: System) -> None:
    for role in system.roles.values():
        (statement,) = role.trust
        assert statement.allow
        assert statement.principals == (("Service", "lambda.amazonaws.com"),)
        assert statement.actions == ("sts:AssumeRole",)


def test_another_account_may_nothing_whatever_its_own_rights(system: System, places: Places) -> None:
    for place in places.arns:
        for action in places.actions(place):
            answer = system.anybody(administrator(), action, places.arns[place], "999999999999", s3__if_none_match="*")
            assert not answer.allowed, (action, place)


def test_nothing_without_tls(system: System, places: Places) -> None:
    for place in [*OBJECTS, *(one for one, kind in places.kinds.items() if kind == "bucket"), *TOLD]:
        for action in places.actions(place):
            more = {"aws__SecureTransport": "false"}
            if action == "sns:Publish" or action.startswith("s3:"):
                assert not system.anybody(administrator(), action, places.arns[place], **more).allowed, (action, place)
