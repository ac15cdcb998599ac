"""`proviso deployment` and `proviso stop-all`: ask, authorise what was shown, start, stop, close."""

import hashlib
import json
import re
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from proviso.cli import audit as audits
from proviso.cli import session
from proviso.cli.api import ApiFault, quoted
from proviso.cli.calibrate import interval
from proviso.cli.output import details, moment, plain_faults, say, table
from proviso.cli.people import As
from proviso.domain.people import Role

group = typer.Typer(
    help="Deployments: request, name, attest, authorise, start, stop, close, show, list.", no_args_is_help=True
)
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
    file: Annotated[Path, typer.Argument(help="JSON or TOML with the fields of a request, \\[grounds] included")],
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


def read_fields(file: Path) -> dict[str, Any]:
    """The fields of a JSON or TOML file; times and dates become text. ApiFault when it is neither."""
    try:
        text = file.read_text("utf-8")
        values = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise ApiFault(f"{file} cannot be read: {error.strerror}; docs/examples has one of each kind") from error
    except ValueError as error:
        raise ApiFault(f"{file} cannot be read ({error}); docs/examples shows what it looks like") from error
    if not isinstance(values, dict):
        raise ApiFault(f"{file} holds no fields")
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}


def read_request(file: Path) -> dict[str, Any]:
    """The body of a request from a file; the threshold stays a decimal in text."""
    values = read_fields(file)
    missing = [name for name in GROUNDS if not str(values.get("grounds", {}).get(name, "")).strip()]
    if missing:
        raise ApiFault(f"{file} lacks these grounds: {', '.join(missing)}")
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


@group.command("name")
def name_member(
    deployment: str,
    subject: Annotated[str, typer.Argument(help="Whose account; registered with that role before")],
    role: Annotated[Role, typer.Option(help="reviewer or recipient")] = Role.REVIEWER,
    remove: Annotated[bool, typer.Option("--remove", help="Take them off the deployment instead")] = False,
    acting: As = "",
) -> None:
    """Name who reviews, or who receives, for this deployment. Nobody else sees anything of it."""
    with plain_faults():
        api = session.api(acting, say)
        members = f"/deployments/{quoted(deployment)}/members"
        if remove:
            api.delete(f"{members}/{role.value}/{quoted(subject)}")
        else:
            api.post(members, {"sub": subject, "role": role.value})
    say(f"{subject} is {'no longer ' if remove else ''}named as a {role.value} of {deployment}")


@group.command("attest")
def attest(
    deployment: str,
    signage: Annotated[str, typer.Option(help="What signs stand where; you stand in for it by name")] = "",
    public_notice: Annotated[str, typer.Option(help="Where the public notice was published")] = "",
    published: Annotated[str, typer.Option(help="Since when, like 2026-11-24T09:00Z; now when left out")] = "",
    waive_notice: Annotated[str, typer.Option(help="An authoriser's reason: a critical threat, where allowed")] = "",
    acting: As = "",
) -> None:
    """Record the signage and the public notice: without both nothing starts (S33)."""
    statements = {"signage": signage, "public_notice": public_notice, "notice_waived": waive_notice}
    given = {kind: text for kind, text in statements.items() if text}
    with plain_faults():
        if not given:
            raise ApiFault("say what: --signage TEXT, --public-notice TEXT, or --waive-notice REASON")
        api = session.api(acting, say)
        for kind, text in given.items():
            since = {"published_at": _moment(published)} if kind == "public_notice" else {}
            api.post(f"/deployments/{quoted(deployment)}/attestations", {"kind": kind, "statement": text, **since})
            say(f"recorded: {kind.replace('_', ' ')}")


@group.command("decision")
def decision(
    deployment: str,
    file: Annotated[Path, typer.Argument(help="JSON or TOML: body, reference, decided_on, place, persons and so on")],
    document: Annotated[Path | None, typer.Option(help="The decision itself; only its SHA-256 is sent")] = None,
    acting: As = "",
) -> None:
    """Record what a court or an independent authority decided (S37). A refusal stops the deployment at once."""
    with plain_faults():
        body = read_fields(file)
        if document is not None:
            body["document_sha256"] = hashlib.sha256(_bytes(document)).hexdigest()
        after = session.api(acting, say).post(f"/deployments/{quoted(deployment)}/decisions", body)
    say(f"recorded; {after['id']} is {after['state']}")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ApiFault(f"{path} cannot be read: {error.strerror}") from error


def _moment(text: str) -> str:
    if not text:
        return datetime.now(UTC).isoformat()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiFault(f"{text!r} is not a time; write it like 2026-11-24T09:00Z") from error
    return (moment if moment.tzinfo else moment.astimezone()).isoformat()


@group.command("start")
def start(deployment: str, acting: As = "") -> None:
    """Start: from now on the cameras' frames are searched."""
    with plain_faults():
        api = session.api(acting, say)
        done = api.post(f"/deployments/{quoted(deployment)}/start")
        shown = api.get(f"/deployments/{quoted(deployment)}")
    say(f"{done['id']} is {done['state']} until {moment(done['ends_at'])}")
    _warn(shown)


@group.command("stop")
def stop(deployment: str, acting: As = "") -> None:
    """Stop at once. Any signed-in account may; no reason is asked for."""
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
    if certificate.get("held"):
        say(f"evidence pictures that stay because a hold stands: {certificate['held']}")
    expired = certificate.get("backups_expired_at")
    when = f"had expired by {moment(expired)}" if expired else f"expires at {moment(certificate['backups_expire_at'])}"
    say(f"backups: the last one that could hold any of it {when}")
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


_SHOWN_APART = (
    "policy_title",
    "policy_differences",
    "attestations",
    "decisions",
    "members",
    "missing",
    "warnings",
    "threshold_floor",
    "floor_set_by",
    "groups",
)


def _show(values: dict[str, Any]) -> None:
    """A deployment as its authoriser must see it: terms, what is looser than the shipped policy, expected false
    candidates, and what it still lacks for its start."""
    flat = {name: value for name, value in values.items() if not isinstance(value, dict) and name not in _SHOWN_APART}
    flat["policy"] = values.get("policy_title") or values.get("policy", {}).get("name")
    if expected := values.get("expected_false_candidates"):
        flat["false candidates to be expected"] = expected["sentence"]
    details(flat)
    _show_measured(values)
    for difference in values.get("policy_differences", []):
        say(f"the policy differs from the shipped one: {difference}")
    if grounds := values.get("grounds"):
        say("\nGrounds")
        details(grounds)
    if real_time := values.get("real_time"):
        say("\nReal-time use (AI Act)")
        details(real_time)
    _show_conditions(values)


def _show_measured(values: dict[str, Any]) -> None:
    """Where the figures come from (S12, S13), and how groups fare at the lowest threshold (S27)."""
    if "calibration" not in values:
        return
    known, tried = values["calibration"], values.get("site_trial")
    say("\nWhat was measured of this pipeline")
    details(
        {
            "lowest threshold for this list": values.get("threshold_floor") or "not measured",
            "which was set by": values.get("floor_set_by", ""),
            "calibration": f"{known['id']}, {known['data']}" if known else "none: not measured",
            "which is": known["remark"] if known else "",
            "site trial": f"{tried['data']}, {moment(tried['made_at'])}" if tried else "none at this place",
        }
    )
    if groups := values.get("groups"):
        rows = [(g["group"], g["people"], interval(g["fpir_low"], g["fpir_high"]), g["remark"]) for g in groups]
        table("False candidates by group, a searched face, at the lowest threshold", _GROUPS, rows)
    elif known:
        say("false candidates by group: not measured")


_GROUPS = ("group, listed and searched alone", "people", "FPIR", "remark")


def _show_conditions(values: dict[str, Any]) -> None:
    if made := values.get("attestations"):
        say("")
        rows = [(a["kind"].replace("_", " "), a["made_by"], a["made_at"], a["statement"]) for a in made]
        table("Attested", ("what", "by", "at", "statement"), rows)
    if decided := values.get("decisions"):
        say("")
        rows = [
            (d["body"], d["reference"], "granted" if d["granted"] else "REFUSED", d["valid_until"]) for d in decided
        ]
        table("Decided elsewhere", ("body", "reference", "decision", "until"), rows)
    if members := values.get("members"):
        named = ", ".join(f"{member['sub']} ({member['role']})" for member in members)
        say(f"\nnamed for it: {named}")
    if missing := values.get("missing"):
        say(f"\nit would not start: {missing}")
    _warn(values)


def _warn(values: dict[str, Any]) -> None:
    """Who would be told nothing."""
    for warning in values.get("warnings", []):
        say(f"warning: {warning}")


def _stopped(answer: dict[str, Any]) -> None:
    say(f"stopped: {', '.join(answer.get('stopped', [])) or 'nothing was running'}")
    say(
        f"permits deleted: {', '.join(answer.get('permits_deleted', [])) or 'none'}; database: {answer.get('database')}"
    )
