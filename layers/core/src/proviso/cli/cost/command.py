"""`proviso cost`: a table by line, an idle month and Rekognition beside it, the targets, and a picture."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from proviso.cli.cost import model
from proviso.cli.cost.durations import Clock, DurationsFault, read_export, shipped
from proviso.cli.cost.estimate import Estimate, estimate
from proviso.cli.cost.model import Bill, Scenario, ScenarioFault
from proviso.cli.cost.plant import read_plant
from proviso.cli.cost.prices import PricesFault, read_prices
from proviso.cli.output import console, fail, say
from proviso.domain.errors import ConfigurationFault

_DEFAULT = Scenario()


def cost(
    cameras: Annotated[int, typer.Option(help="Cameras")] = _DEFAULT.cameras,
    hours: Annotated[float, typer.Option(help="Hours a month in which a deployment is active")] = _DEFAULT.hours,
    fps: Annotated[float, typer.Option(help="Frames a second and camera")] = _DEFAULT.fps,
    faces_share: Annotated[
        float, typer.Option(help="Share of uploads with a usable face, 0 to 1")
    ] = _DEFAULT.faces_share,
    faces: Annotated[int, typer.Option(help="Faces in each of those")] = _DEFAULT.faces,
    listed: Annotated[int, typer.Option("--list", help="Entries on the watchlist")] = _DEFAULT.list_size,
    sms: Annotated[int, typer.Option(help="SMS a month, to the United Kingdom")] = _DEFAULT.sms,
    emails: Annotated[int, typer.Option(help="E-mails a month")] = _DEFAULT.emails,
    candidates: Annotated[int, typer.Option(help="Candidates a month")] = _DEFAULT.candidates,
    reviewers: Annotated[int, typer.Option(help="Pages open while it is active")] = _DEFAULT.reviewers,
    contacts: Annotated[int, typer.Option(help="People who are told")] = _DEFAULT.contacts,
    burst: Annotated[int, typer.Option(help="Frames an upload, 1 to 5")] = _DEFAULT.burst,
    region: Annotated[str, typer.Option(help="eu-west-2 or us-east-1")] = "eu-west-2",
    x86: Annotated[bool, typer.Option(help="x86_64 instead of arm64")] = False,
    speed: Annotated[float, typer.Option(help="A core of Lambda against the measured machine's, 0.1 to 2")] = 0.4,
    waits: Annotated[float, typer.Option(help="AWS's answers against what is assumed, 0.1 to 10")] = 1.0,
    durations: Annotated[Path | None, typer.Option(help="Your CloudWatch export: JSON or CSV")] = None,
    prices: Annotated[Path | None, typer.Option(help="Another price file")] = None,
    price: Annotated[list[str] | None, typer.Option(help="One price by hand: KEY=DOLLARS")] = None,
    parameter: Annotated[list[str] | None, typer.Option(help="A parameter of the template: NAME=VALUE")] = None,
    free_tier: Annotated[bool, typer.Option(help="Take off what AWS gives every month for good")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of the table")] = False,
    picture: Annotated[Path | None, typer.Option(help="Write a PNG there")] = None,
) -> None:
    """What a month of this use costs at AWS, by line, and a million frames. An estimate: no account was asked."""
    from proviso.cli.cost.picture import draw, drawable
    from proviso.cli.places import checkout

    if picture is not None and (wrong := drawable(picture)):
        fail(wrong, 2)
    try:
        if not 0.1 <= speed <= 2 or not 0.1 <= waits <= 10:
            raise ScenarioFault("--speed must lie between 0.1 and 2, --waits between 0.1 and 10")
        scenario = Scenario(
            cameras=cameras, hours=hours, fps=fps, faces_share=faces_share, faces=faces, list_size=listed, sms=sms,
            emails=emails, candidates=candidates, reviewers=reviewers, contacts=contacts, burst=burst, arm=not x86,
        )  # fmt: skip
        clock = Clock(shipped(), speed, waits, read_export(durations) if durations else None)
        chosen = read_prices(region, prices).changed(price or [])
        found = estimate(scenario, read_plant(checkout(), _parameters(parameter or [])), chosen, clock, free=free_tier)
    except (ScenarioFault, PricesFault, DurationsFault, ConfigurationFault) as fault:
        fail(str(fault), 2)
    if as_json:
        print(json.dumps(as_values(found), indent=2))
    else:
        show(found)
    if picture is not None:
        try:
            draw(found, picture)
        except OSError as error:
            fail(f"{picture} cannot be written: {error}", 2)
        if not as_json:
            say(f"written to {picture}")


def _parameters(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ScenarioFault(f"--parameter {text}: write NAME=VALUE")
        found[name] = value
    return found


def verdicts(found: Estimate) -> list[tuple[str, bool, str]]:
    """Both targets: what was asked, whether it is met, and by which lines it is (or would be) missed."""
    answers = []
    if found.million:
        largest = sorted(found.million.items(), key=lambda one: -one[1])[:4]
        named = ", ".join(f"{name} {value:.2f}" for name, value in largest)
        low, high = (f"{end:.2f}" for end in found.million_range)
        spread = f"from {low} to {high} with other speeds" if low != high else "with other speeds too"
        answers.append(
            (
                f"a million frames at most ${model.TARGET_MILLION:.0f}: ${found.million_total:.2f} ({spread})",
                found.million_total <= model.TARGET_MILLION,
                f"most of it: {named}",
            )
        )
    answers.append(
        (
            f"an idle month under ${model.TARGET_IDLE:.0f}: ${found.idle_free.total:.2f} with what AWS gives every "
            f"account for good, ${found.idle_list.total:.2f} at list price",
            found.idle_free.total < model.TARGET_IDLE,
            f"most of it: {_largest(found.idle_free)}; at list price: {_largest(found.idle_list)}",
        )
    )
    return answers


def _largest(month: Bill) -> str:
    """The four largest as the table shows them."""
    largest = sorted(month.by_line().items(), key=lambda one: -one[1])[:4]
    return ", ".join(f"{service} {what} {amount:.2f}" for (service, what), amount in largest)


def as_values(found: Estimate) -> dict[str, Any]:
    """The whole estimate for other programs."""
    return {
        "version": 1,
        "scenario": asdict(found.scenario) | {"frames": found.scenario.frames},
        "region": found.prices.region,
        "prices_read": found.prices.read.isoformat(),
        "free_tier": found.free,
        "speed": found.clock.speed,
        "waits": found.clock.waits,
        "durations": found.clock.measured.about,
        "billed_ms_given": dict(found.clock.billed or {}),
        "month": {"total": found.month.total, "lines": [asdict(line) for line in found.month.lines]},
        "idle_month_at_list_price": {
            "total": found.idle_list.total,
            "lines": [asdict(line) for line in found.idle_list.lines],
        },
        "idle_month": {
            "total": found.idle_free.total,
            "lines": [asdict(line) for line in found.idle_free.lines],
        },
        "calls": [asdict(one) for one in found.month.calls],
        "per_million_frames": {
            "total": found.million_total,
            "range": found.million_range,
            "by_service": found.million,
            "elsewhere": found.million_elsewhere,
        },
        "rekognition": asdict(found.rekognition),
        "targets": [{"target": text, "met": met, "lines": why} for text, met, why in verdicts(found)],
        "doubtful_prices": found.prices.doubtful(),
        "not_counted": list(found.plant.uncounted),
        "warnings": list(found.month.warnings),
    }


def show(found: Estimate) -> None:
    """The table and the sentences below it."""
    one = found.scenario
    say(
        f"{one.cameras} cameras, {one.hours:g} hours a month, {one.fps:g} frames a second: {one.frames:,.0f} frames, "
        f"{one.faces_share:.0%} of uploads with {one.faces} faces, a list of {one.list_size:,}"
        + (f", {one.burst} frames an upload" if one.burst > 1 else "")
    )
    say(
        f"{found.prices.region}, US dollars without tax, prices read {found.prices.read}, "
        + ("what is free for good taken off" if found.free else "nothing taken off for the free tier")
    )
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("", "a month", "a million\nframes", "idle\nmonth", "idle, at\nlist price"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    months = [found.month, found.idle_free, found.idle_list]
    services = [one.by_service() for one in months]
    for service in sorted(
        {name for one in services for name in one}, key=lambda name: (-services[0].get(name, 0.0), name)
    ):
        million = found.million.get(service)
        shown = [_dollars(one.get(service, 0.0)) for one in services]
        shown.insert(1, "" if million is None else _dollars(million))
        table.add_row(f"[bold]{escape(service)}[/bold]", *shown)
        for what, amounts in _lines(months, service):
            table.add_row(f"  {escape(what)}", _dollars(amounts[0]), "", *map(_dollars, amounts[1:]))
    totals = [_dollars(one.total) for one in months]
    totals.insert(1, _dollars(found.million_total) if found.million else "")
    table.add_row("[bold]together[/bold]", *totals)
    # A window that is too narrow breaks lines: no figure is ever cut.
    wide = console.measure(table, options=console.options.update(max_width=10_000)).maximum
    Console(file=console.file, width=max(wide, console.width), highlight=False).print(table)
    say(
        "A million frames: what running adds to an idle month, without SMS and e-mails, which come by the notice. "
        "Idle month: what AWS gives every account for good is taken off; at list price: nothing is."
    )
    if found.million_elsewhere:
        others = "; ".join(f"{name} {_dollars(value)}" for name, value in found.million_elsewhere.items())
        say(f"The same in other uses: {others}.")
    if found.million:
        hour = found.month.acu * found.prices.of("aurora_acu_hour").amount
        an_hour = one.frames / one.hours
        say(
            f"An hour of an awake database is {_dollars(hour)}, here over {an_hour:,.0f} frames: "
            f"{_dollars(hour / an_hour * 1e6)} of a million."
        )
    other = found.rekognition
    say(
        f"Amazon Rekognition for the same frames, its calls alone: {_dollars(other.all_faces)} a month where every "
        f"face is searched, {_dollars(other.largest_face)} where only the largest of each frame is."
    )
    for text, met, why in verdicts(found):
        say(f"{'met' if met else 'MISSED'}: {text}; {why}")
    say(f"Times: {found.clock.measured.about}.")
    given = f"; of your own account: {', '.join(sorted(found.clock.billed))}" if found.clock.billed else ""
    say(
        f"A core of Lambda is taken to be {found.clock.speed:g} times the measured one (assumed), AWS's answers "
        f"{found.clock.waits:g} times what docs/cost.md assumes{given}. "
        f"{found.month.batch:.1f} uploads a call of detect."
    )
    used = {line.key for month in months for line in month.lines}
    for sentence in found.prices.doubtful(used):
        say(f"Price in doubt: {sentence}")
    for name in found.plant.uncounted:
        say(f"Not counted: {name}")
    for sentence in found.month.warnings:
        say(f"Warning: {sentence}")
    say(
        f"In short: {_dollars(found.month_totals[0])} to {_dollars(found.month_totals[1])} in such a month, "
        f"{_dollars(found.idle_free.total)} to {_dollars(found.idle_list.total)} in one in which nothing runs: with "
        "all that AWS gives every account for good, and with nothing of it."
    )


def _lines(months: Sequence[Bill], service: str) -> list[tuple[str, list[float]]]:
    """Lines of a service by what they are for, those of half a cent or more in any of the months; what is
    taken off again too, or they would not add up."""
    amounts: dict[str, list[float]] = {}
    for number, month in enumerate(months):
        for (of, what), amount in month.by_line().items():
            if of == service:
                amounts.setdefault(what, [0.0] * len(months))[number] = amount
    rows = [(what, each) for what, each in amounts.items() if max(map(abs, each)) >= 0.005]
    return sorted(rows, key=lambda row: (-row[1][0], -row[1][2]))


def _dollars(amount: float) -> str:
    return f"{'-' if amount < 0 else ''}${abs(amount):,.2f}"
