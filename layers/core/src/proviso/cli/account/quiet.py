"""Quiet before a teardown: nothing is started by the clock, and no function writes, but the one that is asked (S29)."""

from dataclasses import dataclass, field

from proviso.cli.account.stack import Account, Part, Stack, unless_gone

ASKED = "GovernFunction"
"""Gives the audit, and so is stopped last."""
CALLED_BY_CLOUDFORMATION = "MigrateFunction"
"""Deleting the stack calls it once more; it would wait an hour for a function that is stopped."""
_GONE = "ResourceNotFoundException"
_DEFAULT_S, _LONGEST_S = 3, 900
"""What Lambda takes where the template says nothing, and the most that it allows."""


@dataclass(slots=True)
class Quiet:
    """What was stopped, so that it can be given back: rules; functions with the copies that were reserved for each."""

    rules: list[str] = field(default_factory=list)
    functions: dict[str, int | None] = field(default_factory=dict)


def schedules(account: Account, stack: Stack, quiet: Quiet) -> int:
    """Nothing is started by the clock any more: sweep would write into a bucket that was just emptied."""
    client, count = account.client("events"), 0
    for part in stack.of("AWS::Events::Rule"):
        with unless_gone(_GONE):
            was = client.describe_rule(Name=part.id)["State"]
            client.disable_rule(Name=part.id)
            quiet.rules += [part.id] if was == "ENABLED" else []
            count += 1
    return count


def halted(account: Account, stack: Stack, quiet: Quiet, *, asked_too: bool) -> list[Part]:
    """No copy of a function starts any more: those that were stopped now. What runs of them ends; see `longest`."""
    client, stopped = account.client("lambda"), []
    for part in stack.of("AWS::Lambda::Function"):
        if not part.id or part.name == CALLED_BY_CLOUDFORMATION or (part.name == ASKED and not asked_too):
            continue
        with unless_gone(_GONE):
            before = client.get_function_concurrency(FunctionName=part.id).get("ReservedConcurrentExecutions")
            if before == 0:
                continue
            client.put_function_concurrency(FunctionName=part.id, ReservedConcurrentExecutions=0)
            quiet.functions[part.id] = before
            stopped.append(part)
    return stopped


def longest(stack: Stack, parts: list[Part]) -> float:
    """Seconds after which nothing of these runs any more, once they were stopped: the template's limit for each."""
    limits = [stack.resource(part).get("Properties", {}).get("Timeout", _DEFAULT_S) for part in parts]
    return float(max((one if isinstance(one, int | float) else _LONGEST_S for one in limits), default=0))


def given_back(account: Account, quiet: Quiet) -> None:
    """As it was before."""
    for name in quiet.rules:
        account.client("events").enable_rule(Name=name)
    client = account.client("lambda")
    for name, before in quiet.functions.items():
        if before is None:
            client.delete_function_concurrency(FunctionName=name)
        else:
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=before)
