"""`proviso doctor`: what is well, what needs attention, what is wrong, and what to do, a line each."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from proviso.cli import places, session
from proviso.cli.account import before, running, sms
from proviso.cli.account.finding import Check, Finding, Level, attention, ok, run, wrong
from proviso.cli.account.stack import Account, Part, Stack, read_stack, sentence
from proviso.cli.api import ApiFault
from proviso.cli.output import plain_faults, say
from proviso.domain.errors import ConfigurationFault, Fault
from proviso.local.running import RunningCloud, find_running

_LOCAL = {"Queue": "AWS::SQS::Queue", "Topic": "AWS::SNS::Topic", "Bucket": "AWS::S3::Bucket"}


def doctor(
    stack: Annotated[str, typer.Option(help="The stack to look at; without it, what a first deployment needs")] = "",
    region: Annotated[str, typer.Option(help="Its region; otherwise that of your AWS profile")] = "",
    local: Annotated[bool, typer.Option("--local", help="Look at the local cloud that runs here")] = False,
    wake: Annotated[bool, typer.Option("--wake", help="Also ask the database, which wakes it")] = False,
) -> None:
    """Check credentials, region, models, database, queues, topics, SMS and alarms, and say what to do. It only reads,
    and wakes no database unless asked. Exit code 1 when something is wrong."""
    with plain_faults():
        if local and stack:
            raise ConfigurationFault("--local and --stack are two different clouds; name one")
        found = list(findings(stack, region, local, wake))
    width = max(len(one.name) for one in found)
    for one in found:
        mark = one.level.value if one.level is not Level.WRONG else "WRONG"
        say(f"{mark:9}  {one.name.ljust(width)}  {one.found}")
        if one.mend:
            say(f"{'':9}  {'':{width}}  do: {one.mend}")
    counts = Counter(one.level for one in found)
    say("\n" + ", ".join(f"{counts[level]} {level.value}" for level in Level if counts[level]))
    if counts[Level.WRONG]:
        raise typer.Exit(1)


def findings(stack: str, region: str, local: bool, wake: bool) -> Iterator[Finding]:
    """All lines, as they come."""
    if local:
        cloud = find_running(session.here())
        if cloud is None:
            raise ConfigurationFault("no local cloud is running; start one with `proviso local`")
        yield from run(_of_local(local_account(cloud), cloud), explain)
        return
    root = _root()
    try:
        account = Account.of(region)
    except Exception as error:  # noqa: BLE001  no region, a profile that is none: a line like any other
        yield from run(_here(root, "", not stack), explain)
        yield wrong(
            "credentials",
            explain(error),
            "set AWS_PROFILE and AWS_REGION, or name --region; aws configure list-profiles shows the profiles",
        )
        return
    yield from run(_here(root, account.region, not stack), explain)
    try:
        who = list(before.credentials(account))
    except Exception as error:  # noqa: BLE001
        yield wrong("credentials", explain(error), "mend that and look again: nothing of the account was looked at")
        return
    yield from who
    found = None
    if stack:
        try:
            found = read_stack(account, stack)
        except Exception as error:  # noqa: BLE001
            yield wrong("stack", explain(error), "see the line `credentials`")
        else:
            if found is None:
                yield wrong(
                    "stack", f"there is no {stack} in {account.region}", "sam deploy --guided; or name --region"
                )
    yield from run(before.in_the_account(account, found.parameters if found else {}), explain)
    yield from run(sms.checks(account), explain)
    if found is not None:
        yield from run(running.checks(account, found, root), explain)
        yield from run(sms.all_of(account, found), explain)
        if wake:
            yield from run([("database answers", lambda: awake())], explain)


def explain(error: BaseException) -> str:
    """Our own faults in their own words; anything of AWS without what it held."""
    return str(error) if isinstance(error, Fault | ApiFault) else sentence(error)


def awake() -> Finding:
    """Ask something that needs the database, as whoever is signed in."""
    name = "database answers"
    try:
        api = session.api()
        api.get("/deployments")
    except ApiFault as fault:
        return attention(name, str(fault), "proviso login --stack STACK")
    return ok(name, api.url)


def _root() -> Path | None:
    try:
        return places.checkout()
    except ConfigurationFault:
        return None


def _here(root: Path | None, region: str, build: bool) -> list[tuple[str, Check]]:
    return before.on_this_machine(root, region, build) if root else []


def local_account(cloud: RunningCloud) -> Account:
    """The local cloud as an account; its keys are not secret."""
    import boto3

    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "eu-west-2"}
    make = boto3.Session(**keys).client  # type: ignore[arg-type]
    return Account(lambda service: make(service, endpoint_url=cloud.aws_endpoint), "eu-west-2")  # type: ignore[call-overload]


def _of_local(account: Account, cloud: RunningCloud) -> list[tuple[str, Check]]:
    """What the local cloud has of it: queues, topics and buckets. The rest is stood in for."""
    parts = []
    for name, physical in cloud.names.items():
        kind = next((kind for ending, kind in _LOCAL.items() if name.endswith(ending)), "")
        if kind and name != "AlarmsTopic":  # no alarm rings here
            parts.append(Part(name, kind, physical, "CREATE_COMPLETE"))
    stack = Stack("local", "local", "CREATE_COMPLETE", {}, {}, tuple(parts))
    return [
        ("API", lambda: ok("API", cloud.api_url)),
        ("queues", lambda: running.queues(account, stack)),
        ("topics", lambda: sms.topics(account, stack)),
        ("buckets", lambda: running.buckets(account, stack)),
        ("anchors", lambda: running.anchors(account, stack)),
    ]
