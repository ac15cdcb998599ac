"""Taking a stack away, in steps of which each may be done again: it goes on where an earlier attempt ended."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from proviso.cli.account import databases, plan
from proviso.cli.account.stack import Account, Stack, described, unless_gone
from proviso.cli.private import write_private
from proviso.domain.errors import ConfigurationFault

_GOING = "DELETE_IN_PROGRESS"
GONE = "DELETE_COMPLETE"
FAILED = "DELETE_FAILED"
_BATCH = 1000
_ALLOWED_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Journal:
    """That a teardown was allowed and begun, when and of which stack, and what has to be gone or there at its end."""

    stack_id: str
    name: str
    region: str
    buckets: tuple[str, ...]
    kept: tuple[str, ...]
    clusters: tuple[str, ...]
    allowed_at: str
    stage: str = ""

    @classmethod
    def of(cls, stack: Stack, region: str, now: datetime) -> "Journal":
        lasting = [part for part in stack.of("AWS::S3::Bucket") if stack.kept(part)]
        kept = tuple(part.id for part in lasting if part.status != GONE)  # a creation that failed took them away
        clusters = tuple(part.id for part in stack.of("AWS::RDS::DBCluster"))
        return cls(
            stack.id,
            stack.name,
            region,
            tuple(part.id for part in plan.emptied(stack)),
            kept,
            clusters,
            now.isoformat(),
            databases.stage_of(stack),
        )

    def allows(self, stack: Stack, now: datetime) -> bool:
        """Is what was allowed then allowed now? Of the same stack only; and while it stands, and so goes on working,
        for a day only."""
        if stack.id != self.stack_id:
            return False
        return stack.status.startswith("DELETE_") or now - datetime.fromisoformat(self.allowed_at) <= _ALLOWED_FOR


def journal_path(data: Path, region: str, name: str) -> Path:
    return data / "teardown" / f"{region}-{name}.json"


def written(path: Path) -> Journal | None:
    """What an earlier attempt wrote down; None where there was none."""
    try:
        values = json.loads(path.read_text("utf-8"))
        lists = [tuple(values[name]) for name in ("buckets", "kept", "clusters")]
        datetime.fromisoformat(values["allowed_at"])
        of = (values["stack_id"], values["name"], values["region"], lists[0], lists[1], lists[2], values["allowed_at"])
        return Journal(*of, stage=str(values.get("stage", "")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationFault(f"{path} cannot be understood ({type(error).__name__}); delete it") from error


def write(path: Path, journal: Journal) -> None:
    write_private(path, json.dumps(asdict(journal)))


def empty(account: Account, bucket: str) -> int:
    """Delete every version in a bucket, and uploads that were not finished. How many; 0 where the bucket is gone."""

    client, count, batch = account.client("s3"), 0, []

    def delete(keys: list[dict[str, str]]) -> None:
        faults = client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors", ())
        if faults:
            raise ConfigurationFault(f"{len(faults)} objects of {bucket} cannot be deleted ({faults[0].get('Code')})")

    for one in plan.versions(account, bucket):
        batch.append({"Key": one["Key"], "VersionId": one["VersionId"]})
        count += 1
        if len(batch) == _BATCH:
            delete(batch)
            batch = []
    if batch:
        delete(batch)
    with unless_gone(plan.NO_BUCKET):
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
            for one in page.get("Uploads", ()):
                client.abort_multipart_upload(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"])
    return count


def delete(
    account: Account,
    journal: Journal,
    *,
    sleep: Callable[[float], None],
    tell: Callable[[str], None],
    wait_s: float = 5400.0,
    every_s: float = 15.0,
) -> str:
    """Delete the stack and wait. The status at the end: gone, failed, or still going when the time was up."""
    client = account.client("cloudformation")
    status = state(client, journal.stack_id)
    if status not in (_GOING, GONE):
        client.delete_stack(StackName=journal.stack_id)
        status = state(client, journal.stack_id)
    waited, left = 0.0, -1
    while status not in (GONE, FAILED) and waited < wait_s:
        sleep(every_s)
        waited += every_s
        status = state(client, journal.stack_id)
        if status == _GOING and (now_left := _left(client, journal.stack_id)) != left:
            left = now_left
            tell(f"{left} parts left; functions in a network take up to half an hour")
    return status


def state(client: Any, stack_id: str) -> str:
    """The stack's status; gone where CloudFormation does not know it any more (after 90 days)."""
    found = described(client, stack_id)
    return GONE if found is None else str(found["StackStatus"])


def _left(client: Any, stack_id: str) -> int:
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack_id)
    return sum(one["ResourceStatus"] != GONE for page in pages for one in page["StackResourceSummaries"])


def failures(account: Account, stack_id: str) -> list[str]:
    """Which parts could not be deleted, and why, in CloudFormation's words."""
    pages = account.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack_id)
    found: dict[str, str] = {}
    for page in pages:
        for one in page["StackEvents"]:
            if one["ResourceStatus"] == FAILED and one["LogicalResourceId"] not in found:
                found[one["LogicalResourceId"]] = one.get("ResourceStatusReason", "no reason given")
    return [f"{name}: {why}" for name, why in found.items()]


def unexpected(account: Account, journal: Journal) -> Iterator[str]:
    """What is still there and should not be, and what should be there and is not."""
    there = {one["Name"] for one in account.client("s3").list_buckets()["Buckets"]}
    yield from (f"the bucket {name} is still there" for name in journal.buckets if name in there)
    yield from (f"the bucket {name} was to be kept and is gone" for name in journal.kept if name not in there)
    yield from databases.left(account, journal.stage, journal.clusters)
