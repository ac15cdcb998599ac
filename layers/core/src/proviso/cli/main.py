"""The command line. Each command is short: what it does lives in the modules beside it or behind the HTTP API."""

from typing import Any

import typer

from proviso.cli import (
    audit,
    calibrate,
    cameras,
    candidates,
    card,
    contacts,
    deployments,
    evaluate,
    logs,
    machine,
    monitoring,
    notices,
    pairs,
    people,
    policy,
    report,
    retention,
    subjects,
    trial,
    upload,
    watchlists,
)
from proviso.cli.account import doctor, teardown
from proviso.cli.cost import command as costs

app = typer.Typer(
    name="proviso",
    help="Live facial recognition that runs only under conditions which the machine enforces.\n\n"
    "Begin with `proviso demo`; `proviso COMMAND --help` says the rest.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # locals may hold tokens and pictures
    context_settings={"help_option_names": ["-h", "--help"]},
)
HERE, RULES, RUN, LOOKS, AFTER, CLOUD, MEASURED = (
    "On this machine",
    "Before a deployment: who, what, where",
    "A deployment, from the request to the end",
    "Reviewers and recipients",
    "What is held and what was done",
    "At AWS",
    "How accurate it is",
)
"""Panels of the help. A line each there: `proviso COMMAND --help` says the rest."""

_COMMANDS: tuple[tuple[str, str, Any, str | None], ...] = (
    (HERE, "demo", machine.demo, "The main job from end to end, with real photographs."),
    (HERE, "local", machine.local, "The whole system on this machine, until Ctrl-C."),
    (HERE, "check", machine.check, "Whether everything is there, and how to mend what is not."),
    (HERE, "models", machine.models, "Find a model pack's files, and verify them."),
    (HERE, "invoke", machine.invoke, "Run one function on one event."),
    (HERE, "frames", upload.frames, "What became of the frames at the local cloud."),
    (HERE, "logs", logs.logs, "One frame's way through all functions of the local cloud."),
    (CLOUD, "cost", costs.cost, "What a month of use costs at AWS, by line: an estimate."),
    (CLOUD, "doctor", doctor.doctor, "Check machine, account and stack, and say what to do."),
    (CLOUD, "teardown", teardown.teardown, "Take a stack away, once all is certified and the audit kept."),
    (RULES, "login", people.login, "Sign in, at the local cloud or by browser at AWS."),
    (RULES, "logout", people.logout, "Forget everybody who is signed in here."),
    (RULES, "people", people.group, "Who may do what: register, list."),
    (RULES, "contacts", contacts.group, "Where reviewers and recipients are told."),
    (RULES, "policy", policy.group, None),
    (RULES, "watchlist", watchlists.group, "Watchlists: create, add, import, build, show and more."),
    (RULES, "cameras", cameras.group, "Cameras and their keys."),
    (RUN, "deployment", deployments.group, "Deployments: request, authorise, start, stop and more."),
    (RUN, "notice-sheet", report.sheet, "The public notice and the sign, to print."),
    (RUN, "camera", upload.camera, "Sample a source and upload its frames."),
    (RUN, "stop-all", deployments.stop_all, None),
    (RUN, "monitoring", monitoring.show, "What is measured of a deployment's false candidates."),
    (RUN, "suspensions", monitoring.group, None),
    (RUN, "report", report.report, "What was published of a deployment. Needs no sign-in."),
    (LOOKS, "candidates", candidates.group, "Candidates: list, show, confirm, reject and more."),
    (LOOKS, "notices", notices.group, None),
    (LOOKS, "tests", pairs.group, "Pairs of pictures for tests of reviewers: add, list, remove."),
    (LOOKS, "reviewers", pairs.reviewers, "How each reviewer answered their tests."),
    (AFTER, "retention", retention.group, "What is held, why, and until when: check, hold and more."),
    (AFTER, "audit", audit.group, None),
    (AFTER, "subject", subjects.group, None),
    (AFTER, "subject-access", subjects.access, "Was somebody listed, or taken for somebody listed?"),
    (MEASURED, "card", card.card, "What a model pack is, and where it fails."),
    (MEASURED, "evaluate", evaluate.evaluate, "Measure accuracy on pictures of your own."),
    (MEASURED, "calibrate", calibrate.calibrate, "The lowest thresholds that evaluations support (S12)."),
    (MEASURED, "trial", trial.group, None),
)
"""Panel, name, command or group, and its line there; none where the first sentence of its own help is that."""

for _panel, _name, _what, _line in _COMMANDS:
    if isinstance(_what, typer.Typer):
        app.add_typer(_what, name=_name, rich_help_panel=_panel, short_help=_line)
    else:
        app.command(_name, rich_help_panel=_panel, short_help=_line)(_what)

if __name__ == "__main__":
    app()
