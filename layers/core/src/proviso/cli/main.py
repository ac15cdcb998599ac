"""The command line. Each command is short: what it does lives in the modules beside it or behind the HTTP API."""

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

app.command("demo", rich_help_panel=HERE, short_help="The main job from end to end, with real photographs.")(
    machine.demo
)
app.command("local", rich_help_panel=HERE, short_help="The whole system on this machine, until Ctrl-C.")(machine.local)
app.command("check", rich_help_panel=HERE, short_help="Whether everything is there, and how to mend what is not.")(
    machine.check
)
app.command("models", rich_help_panel=HERE, short_help="Find a model pack's files, and verify them.")(machine.models)
app.command("invoke", rich_help_panel=HERE, short_help="Run one function on one event.")(machine.invoke)
app.command("frames", rich_help_panel=HERE, short_help="What became of the frames at the local cloud.")(upload.frames)
app.command("logs", rich_help_panel=HERE, short_help="One frame's way through all functions of the local cloud.")(
    logs.logs
)

app.command("cost", rich_help_panel=CLOUD, short_help="What a month of use costs at AWS, by line: an estimate.")(
    costs.cost
)
app.command("doctor", rich_help_panel=CLOUD, short_help="Check machine, account and stack, and say what to do.")(
    doctor.doctor
)
app.command(
    "teardown", rich_help_panel=CLOUD, short_help="Take a stack away, once all is certified and the audit kept."
)(teardown.teardown)

app.command("login", rich_help_panel=RULES, short_help="Sign in, at the local cloud or by browser at AWS.")(
    people.login
)
app.command("logout", rich_help_panel=RULES, short_help="Forget everybody who is signed in here.")(people.logout)
app.add_typer(people.group, name="people", rich_help_panel=RULES, short_help="Who may do what: register, list.")
app.add_typer(
    contacts.group, name="contacts", rich_help_panel=RULES, short_help="Where reviewers and recipients are told."
)
app.add_typer(policy.group, name="policy", rich_help_panel=RULES)
app.add_typer(
    watchlists.group,
    name="watchlist",
    rich_help_panel=RULES,
    short_help="Watchlists: create, add, import, build, show and more.",
)
app.add_typer(cameras.group, name="cameras", rich_help_panel=RULES, short_help="Cameras and their keys.")

app.add_typer(
    deployments.group,
    name="deployment",
    rich_help_panel=RUN,
    short_help="Deployments: request, authorise, start, stop and more.",
)
app.command("notice-sheet", rich_help_panel=RUN, short_help="The public notice and the sign, to print.")(report.sheet)
app.command("camera", rich_help_panel=RUN, short_help="Sample a source and upload its frames.")(upload.camera)
app.command("stop-all", rich_help_panel=RUN)(deployments.stop_all)
app.command("monitoring", rich_help_panel=RUN, short_help="What is measured of a deployment's false candidates.")(
    monitoring.show
)
app.add_typer(monitoring.group, name="suspensions", rich_help_panel=RUN)
app.command("report", rich_help_panel=RUN, short_help="What was published of a deployment. Needs no sign-in.")(
    report.report
)

app.add_typer(
    candidates.group,
    name="candidates",
    rich_help_panel=LOOKS,
    short_help="Candidates: list, show, confirm, reject and more.",
)
app.add_typer(notices.group, name="notices", rich_help_panel=LOOKS)
app.add_typer(
    pairs.group,
    name="tests",
    rich_help_panel=LOOKS,
    short_help="Pairs of pictures for tests of reviewers: add, list, remove.",
)
app.command("reviewers", rich_help_panel=LOOKS, short_help="How each reviewer answered their tests.")(pairs.reviewers)

app.add_typer(
    retention.group,
    name="retention",
    rich_help_panel=AFTER,
    short_help="What is held, why, and until when: check, hold and more.",
)
app.add_typer(audit.group, name="audit", rich_help_panel=AFTER)
app.add_typer(subjects.group, name="subject", rich_help_panel=AFTER)
app.command("subject-access", rich_help_panel=AFTER, short_help="Was somebody listed, or taken for somebody listed?")(
    subjects.access
)

app.command("card", rich_help_panel=MEASURED, short_help="What a model pack is, and where it fails.")(card.card)
app.command("evaluate", rich_help_panel=MEASURED, short_help="Measure accuracy on pictures of your own.")(
    evaluate.evaluate
)
app.command("calibrate", rich_help_panel=MEASURED, short_help="The lowest thresholds that evaluations support (S12).")(
    calibrate.calibrate
)
app.add_typer(trial.group, name="trial", rich_help_panel=MEASURED)

if __name__ == "__main__":
    app()
