"""The local cloud end to end, with a small template and handlers of its own: real moto, PostgreSQL, awslambdaric."""

import base64
import json
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.local.cloud import LocalCloud, LocalCloudOptions, local_cloud
from proviso.local.invoke import invoke_once
from proviso.local.oauth import FORM, challenge_of
from proviso.local.running import find_running

pytestmark = pytest.mark.integration

NETWORK = """
Parameters:
  Stage: {Type: String}
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.0.0.0/24}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: !Select [0, !Cidr [!GetAtt Vpc.CidrBlock, 2, 6]]}
Outputs:
  SubnetId: {Value: !Ref Subnet}
  Label: {Value: !Sub "net-${Stage}"}
"""

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: trial}
  Phone: {Type: String, Default: "+447700900123"}
Globals:
  Function:
    Runtime: python3.13
    CodeUri: .
    Timeout: 10
    Environment:
      Variables: {STAGE: !Ref Stage, PROVISO_POLICIES: volunteers, PROVISO_MODELS: /opt/models}
Resources:
  Network:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: ./infra/network.yaml, Parameters: {Stage: !Ref Stage}}
  DropBucket:
    Type: AWS::S3::Bucket
    DependsOn: DropQueue
    Properties:
      BucketName: !Sub "proviso-drop-${Stage}-${AWS::AccountId}-${AWS::Region}"
      NotificationConfiguration:
        QueueConfigurations:
          - Event: s3:ObjectCreated:*
            Queue: !GetAtt DropQueue.Arn
            Filter: {S3Key: {Rules: [{Name: prefix, Value: in/}]}}
      LifecycleConfiguration: {Rules: [{Id: backstop, Status: Enabled, ExpirationInDays: 1}]}
      PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: true}
  LockedBucket:
    Type: AWS::S3::Bucket
    Properties:
      ObjectLockEnabled: true
      ObjectLockConfiguration:
        {ObjectLockEnabled: Enabled, Rule: {DefaultRetention: {Mode: GOVERNANCE, Days: 3}}}
  DropQueue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 1
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DropDeadLetterQueue.Arn, maxReceiveCount: 2}
  DropDeadLetterQueue: {Type: AWS::SQS::Queue}
  ClosedQueue: {Type: AWS::SQS::Queue}
  Seen:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}, {AttributeName: hour, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      GlobalSecondaryIndexes:
        - IndexName: by_hour
          KeySchema: [{AttributeName: hour, KeyType: HASH}, {AttributeName: pk, KeyType: RANGE}]
          Projection: {ProjectionType: ALL}
      TimeToLiveSpecification: {AttributeName: expires_at, Enabled: true}
  Topic: {Type: AWS::SNS::Topic}
  Sms:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Topic, Protocol: sms, Endpoint: !Ref Phone}
  Mail:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref Topic
      Protocol: email
      Endpoint: desk@example.org
      FilterPolicy: {kind: [mail]}
  TakeFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: functions.take.app.handler
      AutoPublishAlias: live
      Environment:
        Variables:
          TABLE: !Ref Seen
          BUCKET: !Ref DropBucket
          TOPIC: !Ref Topic
          QUEUE: !Ref ClosedQueue
          SIGN_IN_URL: https://proviso.auth.eu-west-2.amazoncognito.com
  TakeDrops:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt DropQueue.Arn
      FunctionName: !Ref TakeFunction.Alias
      BatchSize: 5
      FunctionResponseTypes: [ReportBatchItemFailures]
  InsideFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: functions.inside.app.handler
      VpcConfig: {SubnetIds: [!GetAtt Network.Outputs.SubnetId], SecurityGroupIds: [sg-1]}
      Environment:
        Variables:
          TABLE: !Ref Seen
          QUEUE: !Ref ClosedQueue
          TOPIC: !Ref Topic
          LABEL: !GetAtt Network.Outputs.Label
          DATABASE_USER: proviso_inside
  OddFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: functions.odd.app.handler
      Timeout: 1
      Events:
        EachMinute: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
  BrokenFunction:
    Type: AWS::Serverless::Function
    Properties: {Handler: functions.broken.app.handler}
  WebFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: functions.web.app.handler
      Timeout: 2
      Environment: {Variables: {OTHER: !Ref OddFunction}}
      Events:
        One: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: "/things/{thing}"}}
        Fixed: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /things/all}}
        Put: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: "/files/{proxy+}"}}
        Open: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /open, Auth: {Authorizer: NONE}}}
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: SignedIn
        Authorizers:
          SignedIn:
            IdentitySource: $request.header.Authorization
            JwtConfiguration: {issuer: https://example.org, audience: [!Ref Client]}
  People: {Type: AWS::Cognito::UserPool}
  Client: {Type: AWS::Cognito::UserPoolClient, Properties: {UserPoolId: !Ref People}}
  Schema:
    Type: Custom::Schema
    Properties: {ServiceToken: !GetAtt SchemaFunction.Arn, Version: 1}
  SchemaFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: functions.schema.app.handler
      VpcConfig: {SubnetIds: [!GetAtt Network.Outputs.SubnetId], SecurityGroupIds: [sg-1]}
      Environment: {Variables: {DATABASE_USER: owner}}
"""

HANDLERS = {
    "take": """
        import json, os, boto3
        from urllib.parse import unquote_plus
        table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
        def handler(event, context):
            if "Records" not in event:
                print("hello from", context.function_name)
                if event.get("send"):
                        boto3.client("sns").publish(TopicArn=os.environ["TOPIC"], Message="<b>look</b>", Subject="S",
                        MessageAttributes={"kind": {"DataType": "String", "StringValue": event["send"]}})
                return {"policies": os.environ["PROVISO_POLICIES"], "models": os.environ.get("PROVISO_MODELS"),
                        "leak": os.environ.get("SECRET_OF_THE_CALLER"), "sign_in": os.environ["SIGN_IN_URL"],
                        "echo": event}
            failures = []
            for record in event["Records"]:
                body = json.loads(record["body"])
                for one in body.get("Records", []):
                    key = unquote_plus(one["s3"]["object"]["key"])
                    count = int(record["attributes"]["ApproximateReceiveCount"])
                    table.put_item(Item={"pk": f"{key}#{count}", "hour": "h", "source": record["eventSourceARN"]})
                    if "bad" in key or ("once" in key and count == 1):
                        failures.append({"itemIdentifier": record["messageId"]})
            return {"batchItemFailures": failures}
    """,
    "inside": """
        import os, boto3, botocore, psycopg
        def reach(call):
            try:
                call()
            except botocore.exceptions.EndpointConnectionError:
                return "closed"
            return "open"
        def handler(event, context):
            config = botocore.config.Config(retries={"total_max_attempts": 1})
            with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
                user = connection.execute("select current_user").fetchone()[0]
            return {"user": user, "label": os.environ["LABEL"],
                "sqs": reach(lambda: boto3.client("sqs", config=config).send_message(
                    QueueUrl=os.environ["QUEUE"], MessageBody="x")),
                "sns": reach(lambda: boto3.client("sns", config=config).publish(
                    TopicArn=os.environ["TOPIC"], Message="x")),
                "s3": reach(lambda: boto3.client("s3", config=config).list_buckets()),
                "dynamodb": reach(lambda: boto3.client("dynamodb", config=config).describe_table(
                    TableName=os.environ["TABLE"]))}
    """,
    "odd": """
        import os, time
        def handler(event, context):
            do = event.get("do")
            if do == "sleep":
                print("going to sleep"); time.sleep(60)
            if do == "die":
                print("last words"); os._exit(3)
            if do == "raise":
                raise ValueError("it went wrong")
            if do == "big":
                return "x" * 7_000_000
            return {"source": event.get("source"), "left": context.get_remaining_time_in_millis() <= 1000}
    """,
    "broken": "raise RuntimeError('no settings: SOMETHING is missing')\n",
    "web": """
        import base64, json, os, time, boto3
        def handler(event, context):
            if event["rawPath"] == "/files/late":
                time.sleep(30)
            if event["rawPath"] == "/files/fault":
                raise ValueError("secret detail")
            if event["rawPath"] == "/files/picture":
                return {"statusCode": 201, "headers": {"content-type": "image/jpeg"}, "isBase64Encoded": True,
                        "cookies": ["a=1", "b=2"], "body": event["body"]}
            if event["rawPath"] == "/files/wake":
                answer = boto3.client("lambda").invoke(FunctionName=os.environ["OTHER"], InvocationType="Event",
                    Payload=b"{}")
                return {"status": answer["StatusCode"]}
            return event
    """,
    "schema": """
        import json, os, urllib.request, psycopg
        def handler(event, context):
            status, reason = "SUCCESS", ""
            with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
                connection.execute("create extension if not exists vector")
                connection.execute("create role proviso_inside login")
                connection.execute("create table person (sub text, roles text[])")
                connection.execute("insert into person values ('reviewer-7', '{reviewer}')")
            body = json.dumps({"Status": status, "Reason": reason, "PhysicalResourceId": "schema",
                "StackId": event["StackId"], "RequestId": event["RequestId"],
                "LogicalResourceId": event["LogicalResourceId"], "Data": {"Version": "7"}}).encode()
            urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], data=body, method="PUT"))
    """,
}


def write_root(root: Path, template: str = TEMPLATE) -> Path:
    (root / "infra").mkdir(parents=True)
    (root / "template.yaml").write_text(template)
    (root / "infra" / "network.yaml").write_text(NETWORK)
    for name, source in HANDLERS.items():
        folder = root / "functions" / name
        folder.mkdir(parents=True)
        (folder / "app.py").write_text(textwrap.dedent(source))
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_root(tmp_path_factory.mktemp("root"))


@pytest.fixture(scope="module")
def options(root: Path) -> LocalCloudOptions:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(root), "SECRET_OF_THE_CALLER": "x"}
    return LocalCloudOptions(root=root, data=root / "data", environment=environment)


@pytest.fixture(scope="module")
def cloud(options: LocalCloudOptions) -> Iterator[LocalCloud]:
    with local_cloud(options) as running:
        yield running


class Stay(urllib.request.HTTPRedirectHandler):
    """Does not go where an answer sends it."""

    def redirect_request(self, *_: object) -> None:
        return None


def call(
    cloud: LocalCloud,
    method: str,
    path: str,
    *,
    token: str | None = None,
    body: bytes | None = None,
    kind: str = "",
    follow: bool = True,
) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(cloud.api_url + path, data=body, method=method)
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    if kind:
        request.add_header("Content-Type", kind)
    opener = urllib.request.build_opener(*([] if follow else [Stay]))
    try:
        with opener.open(request) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, {name.lower(): value for name, value in answer.headers.items()}, answer.read()


def seen(cloud: LocalCloud, prefix: str) -> list[str]:
    items = cloud.client("dynamodb").scan(TableName=cloud.physical("Seen"))["Items"]
    return sorted(one["pk"]["S"] for one in items if one["pk"]["S"].startswith(prefix))


def test_an_upload_reaches_the_function_and_its_message_is_deleted(cloud: LocalCloud) -> None:
    bucket = cloud.physical("DropBucket")
    cloud.client("s3").put_object(Bucket=bucket, Key="in/a b+c.jpg", Body=b"x")
    cloud.client("s3").put_object(Bucket=bucket, Key="elsewhere/a.jpg", Body=b"x")
    assert cloud.wait_idle(20)
    assert seen(cloud, "in/a b+c") == ["in/a b+c.jpg#1"]
    assert seen(cloud, "elsewhere") == []


def test_a_failed_message_comes_back_alone_and_a_hopeless_one_ends_as_a_dead_letter(cloud: LocalCloud) -> None:
    for key in ("in/fine", "in/once", "in/bad"):
        cloud.client("s3").put_object(Bucket=cloud.physical("DropBucket"), Key=key, Body=b"x")
    assert cloud.wait_idle(20)
    assert seen(cloud, "in/fine") == ["in/fine#1"]
    assert seen(cloud, "in/once") == ["in/once#1", "in/once#2"]
    assert seen(cloud, "in/bad") == ["in/bad#1", "in/bad#2"]
    letters = cloud.client("sqs").receive_message(
        QueueUrl=cloud.physical("DropDeadLetterQueue"), MaxNumberOfMessages=10
    )["Messages"]
    assert ["bad" in one["Body"] for one in letters] == [True]


def test_waiting_for_idle_does_not_overlook_a_message_in_flight(cloud: LocalCloud) -> None:
    cloud.client("sqs").send_message(QueueUrl=cloud.physical("ClosedQueue"), MessageBody="nobody reads this")
    assert not cloud.wait_idle(0.5)
    cloud.client("sqs").receive_message(QueueUrl=cloud.physical("ClosedQueue"), VisibilityTimeout=60)
    assert not cloud.wait_idle(0.5)
    cloud.client("sqs").purge_queue(QueueUrl=cloud.physical("ClosedQueue"))
    assert cloud.wait_idle(10)


def test_an_invocation_has_its_answer_log_lines_and_a_clean_environment(cloud: LocalCloud) -> None:
    first = cloud.invoke("TakeFunction", {"number": 1})
    assert first.ok
    assert first.payload == {
        "policies": "volunteers,demo",
        "models": None,
        "leak": None,
        "sign_in": f"{cloud.api_url}/local",
        "echo": {"number": 1},
    }
    assert any("hello from proviso-local-TakeFunction" in line for line in first.log)
    again = cloud.invoke("TakeFunction", {})
    assert not again.cold
    assert len([line for line in again.log if "hello" in line]) == 1


def test_a_timeout_ends_the_process_and_the_next_call_works(cloud: LocalCloud) -> None:
    late = cloud.invoke("OddFunction", {"do": "sleep"})
    assert late.error is not None
    assert "Task timed out after 1.00 seconds" in late.error["errorMessage"]
    assert any("going to sleep" in line for line in late.log)
    after = cloud.invoke("OddFunction", {})
    assert after.ok
    assert after.cold


def test_a_crash_is_an_answer_and_does_not_wait_for_the_timeout(cloud: LocalCloud) -> None:
    cloud.invoke("OddFunction", {})
    begin = time.monotonic()
    dead = cloud.pool("OddFunction").invoke({"do": "die"}, 30)
    assert dead.error == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {dead.request_id} Error: Runtime exited with error: exit status 3",
    }
    assert "last words" in dead.log
    assert time.monotonic() - begin < 15  # not a speed: half of what waiting out the timeout would take
    assert cloud.invoke("OddFunction", {}).ok


def test_a_raising_handler_and_an_answer_too_large_are_errors(cloud: LocalCloud) -> None:
    raised = cloud.invoke("OddFunction", {"do": "raise"})
    assert raised.error is not None
    assert (raised.error["errorType"], raised.error["errorMessage"]) == ("ValueError", "it went wrong")
    big = cloud.invoke("OddFunction", {"do": "big"})
    assert big.error is not None
    assert big.error["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_function_that_cannot_be_imported_says_why(cloud: LocalCloud) -> None:
    broken = cloud.invoke("BrokenFunction", {})
    assert broken.error is not None
    assert "no settings: SOMETHING is missing" in json.dumps(broken.error) + "\n".join(broken.log)


def test_inside_the_vpc_only_s3_dynamodb_and_the_database_answer(cloud: LocalCloud) -> None:
    inside = cloud.invoke("InsideFunction", {})
    assert inside.payload == {
        "user": "proviso_inside",
        "label": "net-trial",
        "sqs": "closed",
        "sns": "closed",
        "s3": "open",
        "dynamodb": "open",
    }


def test_the_custom_resource_prepared_the_database(cloud: LocalCloud) -> None:
    import psycopg

    with psycopg.connect(cloud.database_url) as connection:
        found = connection.execute("SELECT count(*) FROM pg_extension WHERE extname = 'vector'").fetchone()
    assert found == (1,)


def test_a_route_needs_a_good_token(cloud: LocalCloud) -> None:
    sign = cloud._gateway.sign_in
    assert sign is not None
    good = cloud.sign_in("someone")
    for token in (
        None,
        "",
        "nonsense",
        cloud.sign_in("someone", lifetime_s=-10),
        sign.sign("someone", audience="another-client"),
        good[:-6] + "AAAAAA",
        ".".join([good.split(".")[0], base64.urlsafe_b64encode(b'{"sub":"x"}').decode().rstrip("="), ""]),
    ):
        status, _, body = call(cloud, "GET", "/things/1", token=token)
        assert (status, json.loads(body)) == (401, {"message": "Unauthorized"})
    status, _, body = call(cloud, "GET", "/things/one%20two?a=1&a=2&b=", token=good)
    event = json.loads(body)
    assert status == 200
    assert event["version"] == "2.0"
    assert event["routeKey"] == "GET /things/{thing}"
    assert event["pathParameters"] == {"thing": "one two"}
    assert event["rawQueryString"] == "a=1&a=2&b="
    assert event["queryStringParameters"] == {"a": "1,2", "b": ""}
    assert event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == "someone"
    assert all(isinstance(value, str) for value in event["requestContext"]["authorizer"]["jwt"]["claims"].values())
    assert event["requestContext"]["http"]["method"] == "GET"


def test_a_browser_signs_in_with_a_code_and_its_token_opens_a_route(cloud: LocalCloud) -> None:
    verifier, console = "v" * 43, f"{cloud.api_url}/console"
    fields = {"client_id": cloud.physical("Client"), "redirect_uri": console}
    asked = fields | {"response_type": "code", "scope": "openid", "state": "s"}
    asked |= {"code_challenge": challenge_of(verifier), "code_challenge_method": "S256"}
    page = f"/local/oauth2/authorize?{urlencode(asked)}"
    status, _, body = call(cloud, "GET", page)
    assert status == 200
    assert b">reviewer-7<" in body  # whom the database knows
    _, headers, _ = call(cloud, "POST", page, body=b"account=reviewer-7", kind=FORM, follow=False)
    assert headers["location"].startswith(f"{console}?")
    code = dict(parse_qsl(urlsplit(headers["location"]).query))["code"]
    wanted = fields | {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    status, headers, body = call(cloud, "POST", "/local/oauth2/token", body=urlencode(wanted).encode(), kind=FORM)
    assert (status, headers["cache-control"]) == (200, "no-store")
    status, _, body = call(cloud, "GET", "/things/all", token=json.loads(body)["access_token"])
    claims = json.loads(body)["requestContext"]["authorizer"]["jwt"]["claims"]
    assert (status, claims["sub"], claims["client_id"]) == (200, "reviewer-7", cloud.physical("Client"))
    status, _, body = call(cloud, "POST", "/local/oauth2/token", body=urlencode(wanted).encode(), kind=FORM)
    assert (status, json.loads(body)["error"]) == (400, "invalid_grant")


def test_a_token_from_the_sign_in_page_is_one(cloud: LocalCloud) -> None:
    _, _, body = call(cloud, "POST", "/local/sign-in", body=b'{"subject": "a"}')
    status, _, body = call(cloud, "GET", "/things/all", token=json.loads(body)["token"])
    assert (status, json.loads(body)["routeKey"]) == (200, "GET /things/all")
    assert call(cloud, "POST", "/local/sign-in", body=b"{}")[0] == 400


def test_open_and_unknown_routes(cloud: LocalCloud) -> None:
    status, _, body = call(cloud, "GET", "/open")
    assert status == 200
    assert "authorizer" not in json.loads(body)["requestContext"]
    for method, path in (("GET", "/nothing"), ("DELETE", "/open"), ("GET", "/things/1/2")):
        status, _, body = call(cloud, method, path, token=cloud.sign_in("a"))
        assert (status, json.loads(body)) == (404, {"message": "Not Found"})


def test_binary_bodies_go_through_unchanged(cloud: LocalCloud) -> None:
    picture = bytes(range(256)) * 40
    token = cloud.sign_in("a")
    status, headers, body = call(cloud, "POST", "/files/picture", token=token, body=picture, kind="image/jpeg")
    assert (status, headers["content-type"], body) == (201, "image/jpeg", picture)
    _, _, body = call(cloud, "POST", "/files/x/y", token=token, body=b'{"a": 1}', kind="application/json")
    event = json.loads(body)
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)
    assert event["pathParameters"] == {"proxy": "x/y"}


def test_faults_and_timeouts_of_a_route_tell_nothing(cloud: LocalCloud) -> None:
    token = cloud.sign_in("a")
    status, _, body = call(cloud, "POST", "/files/fault", token=token, body=b"x")
    assert (status, json.loads(body)) == (500, {"message": "Internal Server Error"})
    status, _, body = call(cloud, "POST", "/files/late", token=token, body=b"x")
    assert (status, json.loads(body)) == (503, {"message": "Service Unavailable"})
    status, _, body = call(cloud, "POST", "/files/large", token=token, body=b"x" * (6 * 1024 * 1024 + 1))
    assert (status, json.loads(body)) == (413, {"message": "Request Entity Too Large"})


def test_a_function_wakes_another_by_name(cloud: LocalCloud) -> None:
    log = cloud.pool("OddFunction").workers[0]._log
    before = log.read_text().count("REPORT") if log.exists() else 0
    _, _, body = call(cloud, "POST", "/files/wake", token=cloud.sign_in("a"), body=b"x")
    assert json.loads(body) == {"status": 202}
    assert cloud.wait_idle(20)
    assert log.read_text().count("REPORT") == before + 1


def test_a_schedule_can_be_fired(cloud: LocalCloud) -> None:
    assert cloud.run_schedule("OddFunction").payload == {"source": "aws.events", "left": True}
    with pytest.raises(ConfigurationFault, match="no schedule for TakeFunction"):
        cloud.run_schedule("TakeFunction")


def test_the_inbox_shows_what_was_sent_and_filters_hold(cloud: LocalCloud) -> None:
    before = len(cloud.inbox())
    cloud.invoke("TakeFunction", {"send": "other"})
    cloud.invoke("TakeFunction", {"send": "mail"})
    sent = cloud.inbox()[before:]
    assert [(one.protocol, one.address) for one in sent] == [
        ("sms", "+447700900123"),
        ("sms", "+447700900123"),
        ("email", "desk@example.org"),
    ]
    _, headers, page = call(cloud, "GET", "/local/inbox")
    assert headers["content-type"].startswith("text/html")
    assert b"+447700900123" in page
    assert b"&lt;b&gt;look" in page
    assert b"<b>look" not in page
    listed = json.loads(call(cloud, "GET", "/local/inbox.json")[2])
    assert listed[-1]["text"] == "<b>look</b>"


def test_an_address_that_is_added_waits_until_it_is_confirmed(cloud: LocalCloud) -> None:
    topic, late = cloud.physical("Topic"), "late@example.org"
    assert all(not one.confirms for one in cloud.inbox()), "the template's own addresses need no confirmation"
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=late)
    (asked,) = [one for one in cloud.inbox() if one.confirms]
    cloud.invoke("TakeFunction", {"send": "other"})
    assert [one.address for one in cloud.inbox() if one.address == late] == [late]
    page = call(cloud, "GET", f"/local/inbox?box={late}")[2]
    assert b"Confirm subscription</button>" in page
    form = urlencode({"address": late, "topic": asked.topic, "mail": "m1"}).encode()
    status, _, page = call(cloud, "POST", "/local/subscriptions/confirm", body=form, kind=FORM)
    assert (status, b"Confirm subscription</button>" in page) == (200, False)
    cloud.invoke("TakeFunction", {"send": "other"})
    assert [one.text for one in cloud.inbox() if one.address == late][1:] == ["<b>look</b>"]
    status, _, body = call(cloud, "POST", "/local/subscriptions/unconfirm", body=json.dumps({"address": late}).encode())
    assert (status, json.loads(body)["changed"]) == (200, 1)
    assert cloud.confirm(late) == 1


def test_what_the_template_asks_of_buckets_and_tables_is_there(cloud: LocalCloud) -> None:
    s3, dynamodb = cloud.client("s3"), cloud.client("dynamodb")
    assert cloud.physical("DropBucket") == "proviso-drop-trial-123456789012-eu-west-2"
    rules = s3.get_bucket_lifecycle_configuration(Bucket=cloud.physical("DropBucket"))["Rules"]
    assert rules[0]["Expiration"] == {"Days": 1}
    lock = s3.get_object_lock_configuration(Bucket=cloud.physical("LockedBucket"))["ObjectLockConfiguration"]
    assert lock["Rule"]["DefaultRetention"]["Days"] == 3
    expiry = dynamodb.describe_time_to_live(TableName=cloud.physical("Seen"))["TimeToLiveDescription"]
    assert expiry["AttributeName"] == "expires_at"
    found = dynamodb.query(
        TableName=cloud.physical("Seen"),
        IndexName="by_hour",
        KeyConditionExpression="#h = :h",
        ExpressionAttributeNames={"#h": "hour"},
        ExpressionAttributeValues={":h": {"S": "nothing"}},
    )
    assert found["Count"] == 0


def test_it_says_what_is_not_real_here(cloud: LocalCloud) -> None:
    said = "\n".join(cloud.stood_in_for)
    for word in ("VPC", "Cognito", "IAM"):
        assert word in said


def test_another_command_finds_it_and_invokes_a_function(cloud: LocalCloud, options: LocalCloudOptions) -> None:
    found = find_running(options.data)
    assert found is not None
    assert (found.api_url, found.names["DropBucket"]) == (cloud.api_url, cloud.physical("DropBucket"))
    answer = invoke_once(options, "TakeFunction", {"from": "outside"}, running=found)
    assert answer.payload["echo"] == {"from": "outside"}
    assert any("hello from" in line for line in answer.log)
    with pytest.raises(ConfigurationFault, match="no function NothingFunction"):
        invoke_once(options, "NothingFunction", {}, running=found)
    with pytest.raises(ConfigurationFault, match="running already"), local_cloud(options):
        pass
