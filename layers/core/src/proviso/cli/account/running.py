"""A stack that stands: whether each part of it is as the template wants it, and what waits or fails in it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from proviso.cli.account.databases import besides, made_by_hand, stage_of, to_delete_cluster, to_delete_snapshot
from proviso.cli.account.finding import Check, Finding, attention, ok, wrong
from proviso.cli.account.routes import routes
from proviso.cli.account.stack import Account, Stack, log_groups
from proviso.domain.retention import RESTORED_AFTER, RESTORED_DUE

_BUSY = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
_WELL = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
_LATE_S = 60


def checks(account: Account, stack: Stack, root: Path | None) -> list[tuple[str, Check]]:
    """In the order in which a person would look. `root`: the checkout, with which what is deployed is compared."""
    return [
        ("stack", lambda: state(stack)),
        ("parameters", lambda: parameters(stack)),
        ("schema", lambda: schema(stack, root)),
        ("database", lambda: database(account, stack)),
        ("snapshots", lambda: snapshots(account, stack)),
        ("restored", lambda: restored(account, stack)),
        ("sign-in", lambda: sign_in(account, stack)),
        ("routes", lambda: routes(account, stack)),
        ("queues", lambda: queues(account, stack)),
        ("event sources", lambda: mappings(account, stack)),
        ("functions", lambda: functions(account, stack)),
        ("sweep's schedule", lambda: schedule(account, stack)),
        ("buckets", lambda: buckets(account, stack)),
        ("anchors", lambda: anchors(account, stack)),
        ("alarms", lambda: alarms(account, stack)),
        ("budget", lambda: budget(stack)),
        ("logs", lambda: logs(account, stack)),
    ]


def state(stack: Stack) -> Finding:
    if stack.status in _WELL:
        said = f"{stack.name}: {stack.status}, {len(stack.parts)} parts"
        if "ROLLBACK" in stack.status:
            how = f"aws cloudformation describe-stack-events --stack-name {stack.name}"
            return attention("stack", f"{said}: the last update was taken back", how)
        return ok("stack", said)
    if stack.status in _BUSY:
        return attention("stack", f"{stack.name}: {stack.status}", "wait until it is done")
    how = f"aws cloudformation describe-stack-events --stack-name {stack.name}; docs/operations.md#when-it-fails"
    return wrong("stack", f"{stack.name}: {stack.status}", how)


def parameters(stack: Stack) -> Iterator[Finding]:
    given, wanted = stack.parameters.get("ConsoleUrl", ""), stack.outputs.get("ConsoleUrl", "")
    if wanted and given != wanted:
        yield wrong(
            "ConsoleUrl",
            "not set, so nobody can sign in to the console",
            f"sam deploy --parameter-overrides ConsoleUrl={wanted}",
        )
    elif wanted:
        yield ok("ConsoleUrl", given)
    if not stack.parameters.get("AlarmEmail"):
        yield attention("AlarmEmail", "not set", "sam deploy --parameter-overrides AlarmEmail=somebody@...")
    if snapshot := stack.parameters.get("RestoreFromSnapshot"):
        yield attention(
            "RestoreFromSnapshot", f"{snapshot}: an update without it would make an empty database", "keep it as it is"
        )


def schema(stack: Stack, root: Path | None) -> Finding:
    """The version of the deployed schema, as the stack's custom resource says; beside that of this checkout."""
    part = stack.one("DatabaseSchema")
    if part is None:
        return wrong("schema", "the stack has no DatabaseSchema", "sam deploy")
    deployed = str(stack.resource(part).get("Properties", {}).get("SchemaVersion", "?"))
    build = stack.parameters.get("SoftwareBuild", "?")
    if part.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        how = f"aws logs tail /proviso/{stage_of(stack)}/migrate"
        return wrong("schema", f"{part.status}", how)
    said = f"version {deployed}, build {build}"
    here = _schema_here(root)
    if here and here != deployed:
        return attention("schema", f"{said}; this checkout has version {here}", "docs/operations.md#upgrade")
    return ok("schema", said)


def _schema_here(root: Path | None) -> str:
    if root is None:
        return ""
    from samtranslator.yaml_helper import yaml_parse

    found: Any = yaml_parse((root / "template.yaml").read_text("utf-8"))
    return str(found["Resources"]["DatabaseSchema"]["Properties"]["SchemaVersion"])


def database(account: Account, stack: Stack) -> Iterator[Finding]:
    """Asks RDS and CloudWatch, never the database: a look must not wake it."""
    parts = stack.of("AWS::RDS::DBCluster")
    if not parts:
        yield wrong("database", "the stack has no cluster", "sam deploy")
        return
    (found,) = account.client("rds").describe_db_clusters(DBClusterIdentifier=parts[0].id)["DBClusters"]
    scaling = found.get("ServerlessV2ScalingConfiguration", {})
    now = _latest(account, "AWS/RDS", "ServerlessDatabaseCapacity", {"DBClusterIdentifier": parts[0].id})
    sleeps = "capacity not known" if now is None else "asleep" if now == 0 else f"awake at {now:g} ACU"
    said = f"{found['Status']}, {sleeps}, at most {scaling.get('MaxCapacity', '?')} ACU, {found.get('EngineVersion')}"
    if found["Status"] != "available":
        yield wrong(
            "database", said, f"aws rds describe-events --source-type db-cluster --source-identifier {parts[0].id}"
        )
    else:
        yield ok("database", said)
    if scaling.get("MinCapacity", 0) != 0:
        yield attention(
            "database sleeps", f"never: it keeps {scaling['MinCapacity']} ACU, which cost all day", "sam deploy"
        )
    if not found.get("IAMDatabaseAuthenticationEnabled", False):
        yield wrong("database sign-in", "not by token: no function can connect", "sam deploy")
    if found.get("BackupRetentionPeriod", 1) > 1:
        days = found["BackupRetentionPeriod"]
        yield wrong("backups", f"kept for {days} days: certificates say one", "set it back with sam deploy")


def _latest(account: Account, space: str, metric: str, dimensions: dict[str, str]) -> float | None:
    """The newest maximum of the last ten minutes."""
    now = datetime.now(UTC)
    points = account.client("cloudwatch").get_metric_statistics(
        Namespace=space,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(minutes=10),
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return float(max(points, key=lambda one: one["Timestamp"])["Maximum"]) if points else None


def snapshots(account: Account, stack: Stack) -> Finding:
    """S23: a snapshot that somebody made keeps templates that were promised to be deleted."""
    if others := besides(account, stack):
        said = f"the cluster {others[0]} is no part of the stack and holds templates"
        return wrong("snapshots", said, to_delete_cluster(others[0]))
    found = made_by_hand(account, stack)
    if found:
        said = f"{len(found)} made by hand hold templates after their deletion"
        return wrong("snapshots", said, to_delete_snapshot(found[0]))
    return ok("snapshots", "none made by hand")


def sign_in(account: Account, stack: Stack) -> Iterator[Finding]:
    part = stack.one("People")
    if part is None:
        yield wrong("sign-in", "the stack has no user pool", "sam deploy")
        return
    client = account.client("cognito-idp")
    pool = client.describe_user_pool(UserPoolId=part.id)["UserPool"]
    if pool.get("MfaConfiguration") != "ON":
        how = f"aws cognito-idp set-user-pool-mfa-config --user-pool-id {part.id} --mfa-configuration ON"
        yield wrong("second factor", f"{pool.get('MfaConfiguration', 'OFF')}", f"{how}, or sam deploy")
    else:
        yield ok("second factor", "asked of everybody")
    if not pool.get("AdminCreateUserConfig", {}).get("AllowAdminCreateUserOnly", False):
        yield wrong("accounts", "anybody can make one", "sam deploy")
    first = stack.parameters.get("FirstAuthoriser", "")
    how = "docs/operations.md#the-first-authoriser"
    if not first:
        yield attention("first authoriser", "not named: nobody can give roles", how)
        return
    known = client.list_users(UserPoolId=part.id, Filter=f'sub = "{first}"', Limit=1)["Users"]
    if not known:
        yield wrong("first authoriser", "no account of the user pool has this sub", how)
    elif not known[0].get("Enabled", True) or known[0].get("UserStatus") == "FORCE_CHANGE_PASSWORD":
        yield attention("first authoriser", "has not signed in yet", f"proviso login --stack {stack.name}")
    else:
        yield ok("first authoriser", "has an account")


def queues(account: Account, stack: Stack) -> Iterator[Finding]:
    client = account.client("sqs")
    for part in stack.of("AWS::SQS::Queue"):
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = client.get_queue_attributes(QueueUrl=part.id, AttributeNames=wanted)["Attributes"]
        waiting, name = int(found[wanted[0]]), f"queue {part.name}"
        if part.name.endswith("DeadLetterQueue"):
            how = f"docs/operations.md#alarm-{part.name.removesuffix('DeadLetterQueue').lower()}deadletters"
            yield wrong(name, f"{waiting} dead letters", how) if waiting else ok(name, "no dead letter")
            continue
        age = _latest(
            account, "AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": part.id.rstrip("/").rsplit("/", 1)[-1]}
        )
        said = f"{waiting} waiting, {found[wanted[1]]} in work" + (f", the oldest {age:.0f} s" if age else "")
        if age and age > _LATE_S:
            how = f"docs/operations.md#alarm-{part.name.removesuffix('Queue').lower()}late"
            yield attention(name, said, how)
        else:
            yield ok(name, said)


def mappings(account: Account, stack: Stack) -> Iterator[Finding]:
    for part in stack.of("AWS::Lambda::EventSourceMapping"):
        found = account.client("lambda").get_event_source_mapping(UUID=part.id)
        name = f"event source {part.name}"
        if found["State"] in ("Enabled", "Creating", "Enabling", "Updating"):
            yield ok(name, found["State"])
        else:
            yield wrong(name, found["State"], f"aws lambda update-event-source-mapping --uuid {part.id} --enabled")


def functions(account: Account, stack: Stack) -> Iterator[Finding]:
    """A teardown stops them, and gives them back when it does not begin; unless it was killed."""
    from botocore.exceptions import ClientError

    for part in stack.of("AWS::Lambda::Function"):
        try:
            found = account.client("lambda").get_function_concurrency(FunctionName=part.id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            yield wrong(f"function {part.name}", "is gone", "sam deploy")
            continue
        if found.get("ReservedConcurrentExecutions") == 0:
            how = f"aws lambda delete-function-concurrency --function-name {part.id}"
            yield wrong(f"function {part.name}", "stopped: no copy of it may run", how)


def schedule(account: Account, stack: Stack) -> Iterator[Finding]:
    for part in stack.of("AWS::Events::Rule"):
        found = account.client("events").describe_rule(Name=part.id)["State"]
        name = f"schedule {part.name}"
        yield ok(name, found) if found == "ENABLED" else wrong(name, found, f"aws events enable-rule --name {part.id}")


def buckets(account: Account, stack: Stack) -> Iterator[Finding]:
    from botocore.exceptions import ClientError

    client, names = account.client("s3"), stack.of("AWS::S3::Bucket")
    open_ones = []
    for part in names:
        try:
            held = client.get_public_access_block(Bucket=part.id)["PublicAccessBlockConfiguration"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchPublicAccessBlockConfiguration":
                raise
            held = {}
        if not held or not all(held.values()):
            open_ones.append(part.id)
    for name in open_ones:
        how = (
            f"aws s3api put-public-access-block --bucket {name} --public-access-block-configuration"
            " BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
        )
        yield wrong("bucket", f"{name} could be made public", how)
    if not open_ones:
        yield ok("buckets", f"{len(names)}, none of which can be made public")


def restored(account: Account, stack: Stack) -> Iterator[Finding]:
    """A database that was made of a snapshot: what migrate has put down for retain is taken away by its runs."""
    part = stack.one("PermitsBucket")
    if part is None or not stack.parameters.get("RestoreFromSnapshot"):
        return
    found = account.client("s3").list_objects_v2(Bucket=part.id, Prefix=f"due/{RESTORED_DUE}").get("Contents", ())
    if found:
        said = f"retain has {len(found)} of {len(RESTORED_AFTER)} runs before it in the restored database"
        yield attention("restored", said, "docs/operations.md#restore, step 4; sweep wakes it within an hour")
    else:
        yield ok("restored", "retain has been in the restored database")


def anchors(account: Account, stack: Stack) -> Finding:
    part = stack.one("AnchorsBucket")
    if part is None:
        return wrong("anchors", "the stack has no anchors bucket", "sam deploy")
    from botocore.exceptions import ClientError

    try:
        lock = account.client("s3").get_object_lock_configuration(Bucket=part.id)["ObjectLockConfiguration"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ObjectLockConfigurationNotFoundError":
            raise
        lock = {}
    kept = lock.get("Rule", {}).get("DefaultRetention")
    if lock.get("ObjectLockEnabled") != "Enabled" or not kept:
        return wrong("anchors", "not locked: heads of the audit can be deleted", "sam deploy")
    return ok("anchors", f"locked for {kept.get('Days', '?')} days, {kept['Mode'].lower()}")


def alarms(account: Account, stack: Stack) -> Iterator[Finding]:
    names = [part.id for part in stack.of("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")]
    if not names:
        yield wrong("alarms", "the stack has none", "sam deploy")
        return
    ringing, silent, seen = [], [], 0
    client = account.client("cloudwatch")
    kinds = ["MetricAlarm", "CompositeAlarm"]
    for start in range(0, len(names), 100):
        found = client.describe_alarms(AlarmNames=names[start : start + 100], AlarmTypes=kinds)
        for one in (*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ())):
            seen += 1
            ringing += [one["AlarmName"]] if one["StateValue"] == "ALARM" else []
            silent += [one["AlarmName"]] if not one.get("ActionsEnabled", True) else []
    logical = {part.id: part.name for part in stack.parts}
    for name in ringing:
        yield wrong("alarm", logical.get(name, name), f"docs/operations.md#alarm-{logical.get(name, name).lower()}")
    for name in silent:
        yield wrong(
            "alarm",
            f"{logical.get(name, name)} tells nobody",
            f"aws cloudwatch enable-alarm-actions --alarm-names {name}",
        )
    if seen < len(names):
        yield wrong("alarms", f"{len(names) - seen} of {len(names)} are gone", "sam deploy")
    elif not ringing and not silent:
        yield ok("alarms", f"{len(names)}, none rings")


def budget(stack: Stack) -> Finding:
    found = stack.of("AWS::Budgets::Budget")
    if found:
        return ok("budget", found[0].id)
    return attention("budget", "none: a cost that runs away is told by nobody", "docs/operations.md#what-it-costs")


def logs(account: Account, stack: Stack) -> Iterator[Finding]:
    """Log groups that keep for ever. SNS's delivery logs hold telephone numbers, and are no part of the stack."""
    for name, prefix in (("logs", f"/proviso/{stage_of(stack)}/"), ("logs of SMS delivery", f"sns/{account.region}/")):
        found = list(log_groups(account, prefix))
        endless = [one["logGroupName"] for one in found if not one.get("retentionInDays")]
        if endless:
            how = f"aws logs put-retention-policy --log-group-name {endless[0]} --retention-in-days 30"
            yield wrong(name, f"{len(endless)} of {len(found)} keep for ever", how)
        elif found:
            yield ok(name, f"{len(found)} groups, each with its days")
