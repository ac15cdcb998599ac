"""`proviso deployment` and `proviso stop-all`: ask, authorise what was shown, start, stop, close."""

import json
import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from proviso.cli import audit as audits
from proviso.cli import session
from proviso.cli.api import ApiFault, quoted
from proviso.cli.output import details, moment, plain_faults, say, table
from proviso.cli.people import As

group = typer.Typer(help="Deployments: request, authorise, start, stop, close, show, list.", no_args_is_help=True)
GROUNDS = (
    "operator_kind",
    "operator_name",
    "legal_basis",
    "policy_document",
    "necessity",
    "proportionality",
    "less_intrusive_means",
    "schedule_8_condition",
    "data_protection_assessment",
    "equality_assessment",
    "community_assessment",
)


@group.command("request")
def request(
    file: Annotated[Path, typer.Argument(help="JSON or TOML with the fields of a request, [grounds] included")],
    watchlist: Annotated[str, typer.Option(help="Overrides watchlist_id of the file")] = "",
    build: Annotated[str, typer.Option(help="Overrides build_id of the file")] = "",
    minutes: Annotated[int, typer.Option(help="From now, so long; overrides starts_at and ends_at")] = 0,
    acting: As = "",
) -> None:
    """Ask for a deployment. Every ground is required."""
    with plain_faults():
        body = read_request(file)
        body |= {"watchlist_id": watchlist} if watchlist else {}
        body |= {"build_id": build} if build else {}
        if minutes:
            now = datetime.now(UTC)
            body |= {"starts_at": now.isoformat(), "ends_at": (now + timedelta(minutes=minutes)).isoformat()}
        if not (body.get("starts_at") and body.get("ends_at")):
            raise ApiFault("say when: --minutes N from now, or starts_at and ends_at in the file")
        made = session.api(acting, say).post("/deployments", body)
    _show(made)
    say(f"to be authorised by somebody else: proviso deployment authorise {made['id']} --digest {made['digest']}")


def read_request(file: Path) -> dict[str, Any]:
    """The body of a request from a file; times become text, the threshold stays a decimal in text."""
    try:
        text = file.read_text("utf-8")
        values = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise ApiFault(f"{file} cannot be read: {error.strerror}; docs/examples/deployment.toml is one") from error
    except ValueError as error:
        raise ApiFault(
            f"{file} cannot be read as a request ({error}); docs/examples/deployment.toml shows what one looks like"
        ) from error
    if not isinstance(values, dict):
        raise ApiFault(f"{file} is not a request: it holds no fields")
    missing = [name for name in GROUNDS if not str(values.get("grounds", {}).get(name, "")).strip()]
    if missing:
        raise ApiFault(f"{file} lacks these grounds: {', '.join(missing)}")
    values = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
    if "threshold" in values:
        values["threshold"] = str(values["threshold"])
    return values


@group.command("authorise")
def authorise(
    deployment: str,
    digest: Annotated[str, typer.Option(help="The digest of the terms that you were shown")] = "",
    acting: As = "",
) -> None:
    """Authorise exactly what is shown. Without --digest the terms are shown and you are asked."""
    with plain_faults():
        api = session.api(acting, say)
        if not digest:
            shown = api.get(f"/deployments/{quoted(deployment)}")
            _show(shown)
            typer.confirm("Authorise these terms?", abort=True)
            digest = shown["digest"]
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise ApiFault("--digest takes all 64 characters of the digest; leave it out to be shown the terms first")
        done = api.post(f"/deployments/{quoted(deployment)}/authorise", {"digest": digest})
    say(
        f"{done['id']} is authorised, by {done['authorised_by']}; it begins with: proviso deployment start {done['id']}"
    )


@group.command("start")
def start(deployment: str, acting: As = "") -> None:
    """Start: from now on the cameras' frames are searched."""
    with plain_faults():
        done = session.api(acting, say).post(f"/deployments/{quoted(deployment)}/start")
    say(f"{done['id']} is {done['state']} until {moment(done['ends_at'])}")


@group.command("stop")
def stop(deployment: str, acting: As = "") -> None:
    """Stop at once. Anyone with a role may; no reason is asked for."""
    with plain_faults():
        answer = session.api(acting, say).post(f"/deployments/{quoted(deployment)}/stop")
        _stopped(answer)
        if answer.get("database") == "done" and deployment not in answer.get("stopped", []):
            raise ApiFault(f"{deployment} was not running, or there is none of that name; `proviso stop-all` stops all")


def stop_all(acting: As = "") -> None:
    """Stop every deployment at once."""
    with plain_faults():
        _stopped(session.api(acting, say).post("/stop-all"))


@group.command("close")
def close(deployment: str, acting: As = "") -> None:
    """Delete the list and what belongs to it, counted to zero; `show` tells when it is certified."""
    with plain_faults():
        done = session.api(acting, say).post(f"/deployments/{quoted(deployment)}/close")
    say(f"{deployment} is {done.get('state', 'closing')}; the certificate follows within minutes")


@group.command("show")
def show(deployment: str, acting: As = "") -> None:
    """One deployment with its terms, and its deletion certificate once there is one."""
    with plain_faults():
        api = session.api(acting, say)
        _show(api.get(f"/deployments/{quoted(deployment)}"))
        try:
            certificate = api.get(f"/deployments/{quoted(deployment)}/certificate")
        except ApiFault as error:
            if error.status not in (403, 404):
                raise
            return
    whole = "complete" if certificate["complete"] else "NOT complete"
    say(f"\ndeletion certificate: {whole}, counted at {moment(certificate['verified_at'])}")
    table("What is left of it", ("store", "left"), [(count["store"], count["left"]) for count in certificate["counts"]])


@group.command("audit", hidden=True)
def audit(
    deployment: str,
    raw: Annotated[bool, typer.Option("--raw", "--json", help="The records as they are kept, one a line")] = False,
    acting: As = "",
) -> None:
    """What `proviso audit show` does, under its former name."""
    audits.show(deployment, audits.ROUTINE, raw, acting)


@group.command("list")
def listing(acting: As = "") -> None:
    """All deployments."""
    with plain_faults():
        answer = session.api(acting, say).get("/deployments")
    every = answer.get("deployments", []) if isinstance(answer, dict) else answer
    rows = [(d["id"], d["state"], d["place"], d["cameras"], d["starts_at"], d["ends_at"]) for d in every]
    table("Deployments", ("id", "state", "place", "cameras", "from", "to"), rows)


def _show(values: dict[str, Any]) -> None:
    flat = {name: value for name, value in values.items() if not isinstance(value, dict)}
    policy = values.get("policy")
    if isinstance(policy, dict):
        flat["policy"] = f"{policy.get('name')} {policy.get('version')}"
    details(flat)
    if grounds := values.get("grounds"):
        say("\nGrounds")
        details(grounds)


def _stopped(answer: dict[str, Any]) -> None:
    say(f"stopped: {', '.join(answer.get('stopped', [])) or 'nothing was running'}")
    say(
        f"permits deleted: {', '.join(answer.get('permits_deleted', [])) or 'none'}; database: {answer.get('database')}"
    )
