"""`proviso teardown`: a stack goes, and nothing of it is left but what the audit needs."""

import time
from pathlib import Path
from typing import Annotated

import typer

from proviso.cli import session
from proviso.cli.account import gate, plan, tearing
from proviso.cli.account.stack import Account, Stack, read_stack, sentence
from proviso.cli.output import fail, plain_faults, say, table
from proviso.domain.errors import ConfigurationFault, Fault

_NEVER_STOOD = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS")


def teardown(
    stack: Annotated[str, typer.Argument(help="The stack's name")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go and what would remain, and stop")
    ] = False,
    audit: Annotated[
        Path | None, typer.Option(help="An export of the whole audit, made today; it is verified, and is yours to keep")
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
    if found is not None:
        shown(plan.plan(account, found, plan.today()))
        if journal is None:
            _allowed(account, found, dry_run, audit, uncertified)
    if dry_run:
        say("nothing was changed")
        return
    if journal is None and found is not None:
        _confirmed(account, found, confirm, uncertified)
        journal = tearing.Journal.of(found, account.region, plan.today())
        tearing.write(path, journal)
    if journal is not None:
        _carry_out(account, journal, found)
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


def _allowed(account: Account, found: Stack, dry_run: bool, audit: Path | None, uncertified: bool) -> None:
    if found.status in _NEVER_STOOD:
        say(f"the stack never came to stand ({found.status}): there is nothing to certify")
        return
    if found.status.endswith("_IN_PROGRESS"):
        raise ConfigurationFault(f"the stack is {found.status}; wait until that is done")
    obstacles = gate.obstacles(account, found, audit, plan.today())
    if not obstacles:
        say("nothing stands against it: no deployment is open, all is certified, the audit is whole")
        return
    say("against it stands:")
    for one in obstacles:
        say(f"  {one}")
    say("")
    if not uncertified and not dry_run:
        fail("refused; mend these, or see --uncertified in docs/operations.md#teardown")


def _confirmed(account: Account, found: Stack, confirm: str, uncertified: bool) -> None:
    """By the stack's name, typed; and by more words where certificates will be missing."""
    wanted = f"{found.name} without certificates" if uncertified else found.name
    say(f"account {account.number()}, {account.region}: this cannot be taken back")
    given = confirm or typer.prompt(f"type {wanted!r} to delete it", default="", show_default=False)
    if given.strip() != wanted:
        fail("that is not it; nothing was changed")


def _carry_out(account: Account, journal: tearing.Journal, found: Stack | None) -> None:
    if found is not None:
        say(f"schedules stopped: {tearing.quieten(account, found)}")
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
