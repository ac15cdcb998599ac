"""`proviso teardown`: a stack goes, and nothing of it is left but what the audit needs."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from proviso.cli import audit as audits
from proviso.cli import session
from proviso.cli.account import gate, plan, quiet, tearing
from proviso.cli.account.stack import Account, Stack, read_stack, sentence
from proviso.cli.output import fail, plain_faults, say, table
from proviso.domain.errors import ConfigurationFault, Fault

_ATTEMPTS = 3
_NEVER_STOOD = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS")


def teardown(
    stack: Annotated[str, typer.Argument(help="The stack's name")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go and what would remain, and stop")
    ] = False,
    audit: Annotated[
        Path | None, typer.Option(help="A new file: the whole audit is written there at the last moment; keep it")
    ] = None,
    region: Annotated[str, typer.Option(help="Its region; otherwise that of your AWS profile")] = "",
    confirm: Annotated[str, typer.Option(help="The stack's name once more, where nobody can be asked")] = "",
    uncertified: Annotated[
        bool, typer.Option("--uncertified", help="Though something is not certified, or nobody can say so")
    ] = False,
) -> None:
    """Delete a stack and all that it holds, but anchors and public records. Refused while a deployment is open, while
    anything is not certified, or without the audit. It goes on where an attempt was interrupted."""
    with plain_faults():
        account = Account.of(region)
        try:
            _teardown(account, stack, dry_run, audit, confirm, uncertified)
        except (Fault, typer.Exit, typer.Abort):
            raise
        except Exception as error:
            from botocore.exceptions import BotoCoreError, ClientError

            if isinstance(error, BotoCoreError | ClientError):
                begun = tearing.written(tearing.journal_path(session.here(), account.region, stack)) is not None
                goes_on = "the same command goes on from here" if begun else "nothing was changed"
                raise ConfigurationFault(f"{sentence(error)}; {goes_on}") from error
            raise


def _teardown(account: Account, name: str, dry_run: bool, audit: Path | None, confirm: str, uncertified: bool) -> None:
    path = tearing.journal_path(session.here(), account.region, name)
    journal = tearing.written(path)
    found = read_stack(account, name)
    if journal is not None and found is not None and not journal.allows(found, plan.today()):
        journal = None  # a younger stack of that name, or one that went on working: to be allowed anew
    if found is None and journal is None:
        raise ConfigurationFault(f"there is no stack {name} in {account.region}, and no teardown of it was begun here")
    against: list[str] = []
    if found is not None:
        shown(plan.plan(account, found, plan.today()))
    if found is not None and journal is None:
        against = _against(account, found, dry_run, audit, uncertified)
    if dry_run:
        say("nothing was changed")
        return
    if journal is None and found is not None:
        _confirmed(account, found, confirm, uncertified)
        journal = _begun(account, found, audit, against, path)
    elif journal is not None and found is not None and not found.status.startswith("DELETE_"):
        _all_quiet(account, found, quiet.Quiet())
    if journal is not None:
        _carry_out(account, journal)
        path.unlink(missing_ok=True)


def shown(what: plan.Plan) -> None:
    """Both lists."""
    table("Goes", ("what", "which", "what it is"), [(one.what, one.name, one.why) for one in what.goes])
    say("")
    say("Remains")
    for one in what.remains:
        say(f"  {one.what}: {one.name}" + (f" (until {one.until})" if one.until else ""))
        say(f"    {one.why}")
    say("")


def _against(account: Account, found: Stack, dry_run: bool, audit: Path | None, uncertified: bool) -> list[str]:
    """What stands against it; where anything does, it ends here, but for a dry run and `uncertified`."""
    if found.status in _NEVER_STOOD:
        say(f"the stack never came to stand ({found.status}): there is nothing to certify")
        return []
    if found.status.endswith("_IN_PROGRESS"):
        raise ConfigurationFault(f"the stack is {found.status}; wait until that is done")
    obstacles = gate.obstacles(account, found, audit)
    if not obstacles:
        say("nothing stands against it: no deployment is open, all is certified, the audit is there")
        return []
    say("against it stands:")
    for one in obstacles:
        say(f"  {one}")
    say("")
    if not uncertified and not dry_run:
        fail("refused; mend these, or see --uncertified in docs/operations.md#teardown")
    return obstacles


def _confirmed(account: Account, found: Stack, confirm: str, uncertified: bool) -> None:
    """By the stack's name, typed; and by more words where certificates will be missing."""
    wanted = f"{found.name} without certificates" if uncertified else found.name
    say(f"account {account.number()}, {account.region}: this cannot be taken back")
    given = confirm or typer.prompt(f"type {wanted!r} to delete it", default="", show_default=False)
    if given.strip() != wanted:
        fail("that is not it; nothing was changed")


def _begun(account: Account, found: Stack, audit: Path | None, against: list[str], path: Path) -> tearing.Journal:
    """All is quiet, looked at once more, and the audit is in a file: only then is it written down that it has begun.
    Whatever keeps it from that, the stack is as it was before."""
    stopped = quiet.Quiet()
    try:
        say(f"schedules stopped: {quiet.schedules(account, found, stopped)}")
        if found.status not in _NEVER_STOOD:
            _refused_where(gate.open_now(account, found), against)
            if audit is not None:
                _exported(account, found, audit, stopped)
                _refused_where(gate.open_now(account, found), against)
            _all_quiet(account, found, stopped)
            _refused_where(gate.permits(account, found), against)
        journal = tearing.Journal.of(found, account.region, plan.today())
        tearing.write(path, journal)
    except BaseException:
        _given_back(account, stopped)
        raise
    return journal


def _refused_where(now: Iterable[str], against: list[str]) -> None:
    """The API works on while somebody is asked, and while the audit is written."""
    late = [one for one in now if one not in against]
    for one in late:
        say(f"  {one}")
    if late:
        fail("refused: that was not so before; nothing was deleted")


def _exported(account: Account, found: Stack, file: Path, stopped: quiet.Quiet) -> None:
    """The whole audit, when nothing adds to it any more but the looks of this command."""
    _halted(account, found, stopped, asked_too=False)
    api = gate.signed_in(found)
    for attempt in range(_ATTEMPTS):
        written = audits.write_export(api, file, gate.PURPOSE)
        if faults := gate.faults_of(account, found, file):
            for one in faults:
                say(f"  {one}")
            fail(f"{file} does not hold against what was anchored; keep it, nothing was deleted")
        later = gate.since(api, written)
        if not later:
            break
        file.unlink()
        say(f"something was recorded meanwhile ({', '.join(later)})" + ("; again" if attempt + 1 < _ATTEMPTS else ""))
    else:
        fail("somebody goes on working in it; nothing was deleted")
    count, chains = sum(written.chains.values()), len(written.chains)
    say(f"{file}: {count} records of {chains} chains, all hold against all that was anchored; it is yours to keep")
    say(f"not in it: {written.looks + 1} records in the system chain, which say that this command read the audit")


def _all_quiet(account: Account, found: Stack, stopped: quiet.Quiet) -> None:
    quiet.schedules(account, found, stopped)
    _halted(account, found, stopped, asked_too=True)


def _halted(account: Account, found: Stack, stopped: quiet.Quiet, *, asked_too: bool) -> None:
    """And wait until what ran has ended: it may still record and write."""
    if parts := quiet.halted(account, found, stopped, asked_too=asked_too):
        wait = quiet.longest(found, parts)
        say(f"functions stopped: {len(parts)}; {wait:g} s until what runs of them has ended")
        time.sleep(wait)


def _given_back(account: Account, stopped: quiet.Quiet) -> None:
    try:
        quiet.given_back(account, stopped)
    except Exception as error:  # noqa: BLE001  what is raised is why it did not begin; this is said beside it
        say(f"{sentence(error)}: schedules or functions stay stopped; proviso doctor says which, and how they start")
    else:
        say("schedules and functions are as they were before")


def _carry_out(account: Account, journal: tearing.Journal) -> None:
    for bucket in journal.buckets:
        if count := tearing.empty(account, bucket):
            say(f"{bucket}: {count} objects deleted")
    status = tearing.delete(account, journal, sleep=time.sleep, tell=say)
    if status != tearing.GONE:
        for one in tearing.failures(account, journal.stack_id) if status == tearing.FAILED else ():
            say(f"  {one}")
        fail(f"the stack is {status}; the same command goes on from here")
    left = list(tearing.unexpected(account, journal))
    for one in left:
        say(f"  {one}")
    if left:
        fail("the stack is gone, but not as it should be: see above; the same command looks again")
    say(f"the stack {journal.name} is gone; of it there remain: {', '.join(journal.kept) or 'nothing'}")
    say("a new stack of the same Stage needs other names: the kept buckets have theirs; docs/operations.md#teardown")
