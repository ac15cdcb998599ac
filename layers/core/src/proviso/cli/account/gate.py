"""What must be true before a stack may go: nothing runs, all is certified, and the audit is in somebody's hands."""

from collections.abc import Iterator
from pathlib import Path

from proviso.cli import audit, session
from proviso.cli.account import databases
from proviso.cli.account.stack import Account, Stack
from proviso.cli.api import Api, ApiFault
from proviso.domain.audit import SYSTEM_CHAIN, Head
from proviso.domain.deployment import LIVE, OVER
from proviso.domain.errors import Fault

PURPOSE = "teardown"
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
    for one in api.get(f"/retention?purpose={PURPOSE}")["holdings"]:
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
    """Snapshots and clusters outlive the stack, and hold templates that were certified as deleted (S23)."""
    for name in databases.besides(account, stack):
        yield f"the cluster {name} is no part of the stack and holds templates: {databases.to_delete_cluster(name)}"
    for name in databases.made_by_hand(account, stack):
        yield f"the snapshot {name} holds templates: {databases.to_delete_snapshot(name)}"


def place_of_audit(file: Path | None) -> Iterator[str]:
    """The audit goes with the database; only its heads stay, which prove nothing without the records."""
    if file is None:
        yield "the audit goes with the database: name a new file for it, proviso teardown ... --audit audit.jsonl"
    elif file.exists():
        yield f"{file} is there already; the audit is written at the last moment, into a new file: name another"
    elif not file.absolute().parent.is_dir():
        yield f"{file} cannot be written: there is no folder {file.absolute().parent}"


def audit_is_there(account: Account, stack: Stack, api: Api) -> Iterator[str]:
    """Can whoever is signed in export it, and does it reach as far as what was anchored? ApiFault."""
    _, known = audit.heads_now(api, PURPOSE)
    short = {head.chain for head in anchored(account, stack) if known.get(head.chain, 0) < head.sequence}
    if short:
        yield f"{len(short)} chains of the audit end before what was anchored of them: docs/operations.md#teardown"


def anchored(account: Account, stack: Stack) -> list[Head]:
    """All of them: the newest object names those chains only in which something was recorded last."""
    from proviso.cloud.anchors import S3Anchors

    part = stack.one("AnchorsBucket")
    return list(S3Anchors(account.client("s3"), part.id).heads()) if part and part.id else []


def faults_of(account: Account, stack: Stack, file: Path) -> list[str]:
    """What is wrong with an export of all chains that was made just now, held against all anchors."""
    heads = anchored(account, stack)
    try:
        verdicts, only, broken_off, _ = audit.verified_file(file, heads)
    except (Fault, ApiFault) as fault:
        return [str(fault)]
    found = [f"{file} holds {', '.join(only)} alone"] if only is not None else []
    found += [broken_off] if broken_off else []
    found += [audit.sentence(one) for one in verdicts if one.fault is not None]
    known = {one.chain: one.records for one in verdicts}
    found += [f"{chain}: anchored, and not in {file}" for chain in sorted({one.chain for one in heads} - set(known))]
    later = {head.chain for head in heads if head.sequence > known.get(head.chain, head.sequence)}
    return found + [f"{chain}: anchored further than {file} reaches" for chain in sorted(later)]


def since(api: Api, written: audit.Written) -> list[str]:
    """What was recorded since an export, but for the looks of the export itself: a sentence a chain. ApiFault."""
    _, now = audit.heads_now(api, PURPOSE)
    expected = {**written.chains, SYSTEM_CHAIN: written.chains.get(SYSTEM_CHAIN, 0) + written.looks}
    return [f"{chain}: #{now[chain]}" for chain in sorted(now) if now[chain] != expected.get(chain)]


def _not_known(fault: ApiFault) -> str:
    """Alike in both looks: what stood against it before is told by these words from what came since."""
    return f"whether all is certified is not known: {fault}"


def open_now(account: Account, stack: Stack) -> list[str]:
    """Permits, and deployments that are not closed."""
    found = list(permits(account, stack))
    try:
        found += running(signed_in(stack))
    except ApiFault as fault:
        found.append(_not_known(fault))
    return found


def obstacles(account: Account, stack: Stack, file: Path | None) -> list[str]:
    """Everything that stands against it, in the order in which it is mended; so does a look that fails."""
    found = [*permits(account, stack), *snapshots(account, stack)]
    try:
        api = signed_in(stack)
        found += running(api)
        found += uncertified(api)
        found += audit_is_there(account, stack, api)
    except ApiFault as fault:
        found.append(_not_known(fault))
    return found + list(place_of_audit(file))
