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

app = typer.Typer(
    name="proviso",
    help="Live facial recognition that runs only under conditions which the machine enforces.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # locals may hold tokens and pictures
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(machine.demo)
app.command("local")(machine.local)
app.command("invoke")(machine.invoke)
app.command("check")(machine.check)
app.command("models")(machine.models)
app.command("evaluate")(evaluate.evaluate)
app.command("camera")(upload.camera)
app.command("frames")(upload.frames)
app.command("login")(people.login)
app.command("logout")(people.logout)
app.command("doctor")(doctor.doctor)
app.command("teardown")(teardown.teardown)
app.command("stop-all")(deployments.stop_all)
app.add_typer(policy.group, name="policy")
app.add_typer(people.group, name="people")
app.add_typer(cameras.group, name="cameras")
app.add_typer(contacts.group, name="contacts")
app.add_typer(watchlists.group, name="watchlist")
app.add_typer(deployments.group, name="deployment")
app.command("monitoring")(monitoring.show)
app.add_typer(monitoring.group, name="suspensions")
app.add_typer(audit.group, name="audit")
app.add_typer(candidates.group, name="candidates")
app.add_typer(notices.group, name="notices")
app.add_typer(subjects.group, name="subject")
app.command("subject-access")(subjects.access)
app.add_typer(retention.group, name="retention")
app.command("calibrate")(calibrate.calibrate)
app.command("card")(card.card)
app.add_typer(trial.group, name="trial")
app.add_typer(pairs.group, name="tests")
app.command("reviewers")(pairs.reviewers)
app.command("report")(report.report)
app.command("notice-sheet")(report.sheet)

if __name__ == "__main__":
    app()
