"""What must be true before a stack may go: nothing runs, all is certified, and the audit is in somebody's hands."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from proviso.cli import audit, session
from proviso.cli.account.stack import Account, Stack, made_by_hand
from proviso.cli.api import Api, ApiFault
from proviso.domain.audit import SYSTEM_CHAIN
from proviso.domain.deployment import LIVE, OVER
from proviso.domain.errors import Fault

EXPORT_GOOD_FOR = timedelta(hours=24)
_NOT_OVER = {str(state) for state in LIVE}
_NOT_CLOSED = {str(state) for state in OVER}


def signed_in(stack: Stack) -> Api:
    """The stack's API as whoever is signed in. ApiFault when that is another API, or nobody is."""
    api = session.api()
    wanted = stack.outputs.get("ApiUrl", "")
    if api.url.rstrip("/") != wanted.rstrip("/"):
        raise ApiFault(f"you are signed in at {api.url} and not at {wanted}; proviso login --stack {stack.name}")
    return api


def running(api: Api) -> Iterator[str]:
    """Deployments that are not closed, each with what to do."""
    for one in api.get("/deployments")["deployments"]:
        state = str(one["state"])
        if state in _NOT_OVER:
            yield f"deployment {one['id']} is {state}: proviso deployment stop {one['id']}, then close it"
        elif state in _NOT_CLOSED:
            yield f"deployment {one['id']} is {state} and not closed: proviso deployment close {one['id']}"


def uncertified(api: Api) -> Iterator[str]:
    """What is held for a time, and so is to be deleted and certified first. What stays for good is the audit's."""
    for one in api.get("/retention?purpose=teardown")["holdings"]:
        if one["overdue"] or (one["count"] and one["until"]):  # overdue and none: a store that nobody looked at
            until = one["until"] or "the next run"
            yield f"{one['store']}: {one['what']}: {one['count']}, until {until} ({one['why']})"


def permits(account: Account, stack: Stack) -> Iterator[str]:
    """Permits are in S3 and not in the database: a deployment can be active whatever the API says."""
    part = stack.one("PermitsBucket")
    if part is None or not part.id:
        return
    found = account.client("s3").list_objects_v2(Bucket=part.id, Prefix="permits/", MaxKeys=100).get("Contents", ())
    if found:
        yield f"{len(found)} cameras have a permit: a deployment is active; proviso stop-all"


def snapshots(account: Account, stack: Stack) -> Iterator[str]:
    """A snapshot outlives the stack, and holds templates that were certified as deleted (S23)."""
    for name in made_by_hand(account, stack):
        how = f"aws rds delete-db-cluster-snapshot --db-cluster-snapshot-identifier {name}"
        yield f"the snapshot {name} holds templates: {how}"


def audit_of(account: Account, stack: Stack, file: Path | None, now: datetime) -> Iterator[str]:
    """The audit goes with the database; only its heads stay, which prove nothing without the records."""
    how = "proviso audit export audit.jsonl, then proviso teardown ... --audit audit.jsonl; keep that file"
    if file is None:
        yield f"the audit goes with the database, and there is no export of it: {how}"
        return
    from proviso.cloud.anchors import S3Anchors

    part = stack.one("AnchorsBucket")
    # All of them: the newest object names those chains only in which something was recorded last.
    heads = list(S3Anchors(account.client("s3"), part.id).heads()) if part and part.id else []
    try:
        verdicts, only, broken_off, exported_at = audit.verified_file(file, heads)
    except (Fault, ApiFault) as fault:
        yield str(fault)
        return
    if only is not None:
        yield f"{file} holds {', '.join(only)} alone: {how}"
    if broken_off:
        yield broken_off
    yield from (audit.sentence(one) for one in verdicts if one.fault is not None)
    missing = {head.chain for head in heads} - {one.chain for one in verdicts}
    if missing and only is None:
        yield f"{file} is without {len(missing)} chains that were anchored"
    known = {one.chain: one.records for one in verdicts}
    # In the system's own chain the export is recorded, and the looks of this command; in a deployment's, what was done.
    later = {head.chain for head in heads if head.sequence > known.get(head.chain, head.sequence)} - {SYSTEM_CHAIN}
    if later and only is None:
        yield f"{len(later)} deployments have records that are younger than {file}: {how}"
    if not timedelta(0) <= now - exported_at + timedelta(minutes=5) <= EXPORT_GOOD_FOR:
        yield f"{file} was exported at {exported_at:%Y-%m-%d %H:%M} UTC, which is not within the last day: {how}"


def obstacles(account: Account, stack: Stack, file: Path | None, now: datetime) -> list[str]:
    """Everything that stands against it, in the order in which it is mended; so does a look that fails."""
    found = [*permits(account, stack), *snapshots(account, stack)]
    try:
        api = signed_in(stack)
        found += running(api)
        found += uncertified(api)
    except ApiFault as fault:
        found.append(f"whether all is certified is not known: {fault}")
    return found + list(audit_of(account, stack, file, now))
