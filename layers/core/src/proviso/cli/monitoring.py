"""`proviso monitoring`, `proviso suspensions`: what is measured, what cannot be, what suspended itself (S26, S27)."""

from typing import Annotated, Any

import typer

from proviso.cli import session
from proviso.cli.api import quoted
from proviso.cli.output import moment, plain_faults, say, table
from proviso.cli.people import As

group = typer.Typer(help="What was suspended by itself: list, review.", no_args_is_help=True)


def show(deployment: str, acting: As = "") -> None:
    """What is measured of a deployment's false candidates, what is not measurable and why."""
    with plain_faults():
        found = session.api(acting, say).get(f"/deployments/{quoted(deployment)}/monitoring")
    say(f"operator  {found['operator']}")
    say(f"pipeline  {found['pipeline']}")
    say(f"suspended in error at most once in {1 / found['alpha']:.0f} deployments by each safeguard\n")
    columns: tuple[str, ...] = ("what", "over", "false", "of", "allowed", "e-value", "suspends at", "would be seen")
    table("False matches (S26)", columns, [_series(one) for one in found["series"]])
    say("")
    columns = ("group", "false candidates", "of", "declared at most", "e-value", "would be seen")
    title = "Groups (S27): all deployments of this operator and pipeline"
    table(title, columns, [_group(one) for one in found["groups"]])
    evidence, needed = _number(found["groups_evidence"]), _number(found["groups_needed"])
    say(f"\nall groups together: e-value {evidence}, suspends at {needed}\n")
    for sentence in found["sentences"]:
        say(f"- {sentence}")
    if found["suspensions"]:
        say("")
        _table(found["suspensions"])


@group.command("list")
def listing(acting: As = "") -> None:
    """All suspensions there ever were, newest first."""
    with plain_faults():
        found = session.api(acting, say).get("/suspensions")["suspensions"]
    _table(found)
    waiting = [one["id"] for one in found if one["reviewed_at"] is None]
    if waiting:
        say("\nuntil then nothing of these operators and pipelines is authorised; an authoriser reviews it with:")
        say("proviso suspensions review ID --finding TEXT")


@group.command("review")
def review(
    suspension: str,
    finding: Annotated[str, typer.Option(help="What caused it, and what is different from now on; no names")],
    acting: As = "",
) -> None:
    """Record what you found. Nothing is resumed; another deployment may be authorised after it."""
    with plain_faults():
        done = session.api(acting, say).post(f"/suspensions/{quoted(suspension)}/review", {"finding": finding})
    say(f"{done['id']} is reviewed, by {done['reviewed_by']}: {done['sentence']}")
    say("the deployment stays stopped; ask for another one")


def _table(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            one["id"],
            one["deployment_id"],
            f"{one['safeguard']} {one['kind'].replace('_', ' ')}",
            one["suspended_at"],
            f"{one['reviewed_by']}, {moment(one['reviewed_at'])}" if one["reviewed_at"] else "WAITS",
            one["finding"],
        )
        for one in found
    ]
    table("Suspensions", ("id", "deployment", "what", "at", "reviewed", "finding"), rows)


def _series(one: dict[str, Any]) -> tuple[Any, ...]:
    name = one["kind"].replace("_", " ")
    if one["why_not"]:
        return name, one["span"], "not measurable", "", "", "", "", ""
    return (
        name,
        one["span"],
        one["f"],
        f"{one['m']:.0f} {one['unit']}",
        f"{one['expected']:.3g}",
        _number(one["evidence"]),
        _number(one["needed"]),
        _factor(one["detectable"]),
    )


def _group(one: dict[str, Any]) -> tuple[Any, ...]:
    name = f"{one['dimension']} {one['group']}"
    if one["why_not"]:
        return name, "not measurable", "", "", "", ""
    return name, one["x"], one["n"], f"{one['high']:.1%}", _number(one["evidence"]), _factor(one["detectable"])


def _factor(value: float | None) -> str:
    return "nothing yet" if value is None else f"x {value:.1f} or more"


def _number(value: float) -> str:
    return f"{value:.3g}"
