"""Who is signed in: tokens in a file that only their owner can read, one a person, so that several can act in turn."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proviso.cli.api import Api, ApiFault
from proviso.cli.places import checkout, data_folder
from proviso.domain.errors import ConfigurationFault
from proviso.local.running import find_running


@dataclass(frozen=True, slots=True)
class Session:
    """An address, a person's name there, and their token, which is never shown."""

    api_url: str
    subject: str
    token: str = field(repr=False)


def running_api(data: Path) -> str:
    """The address of the API: PROVISO_API, else that of the running local cloud; "" when there is neither."""
    named = os.environ.get("PROVISO_API", "").strip()
    if named:
        return named
    running = find_running(data)
    return running.api_url if running else ""


def sign_in(data: Path, subject: str) -> Session:
    """Sign in at the running local cloud as anybody, without a password: it exists for trying things out."""
    running = find_running(data)
    if running is None:
        raise ApiFault("no local cloud is running; start one with `proviso local` in another window")
    answer = Api(running.api_url).post("/local/sign-in", {"subject": subject})
    token = str(answer.get("token", ""))
    if not token:
        raise ApiFault("the sign-in gave no token")
    session = Session(running.api_url, subject, token)
    keep(data, session)
    return session


def keep(data: Path, session: Session) -> None:
    """Store the token, readable by its owner alone, and make this person the current one."""
    values = _stored(data)
    if values.get("api_url") != session.api_url:
        values = {"api_url": session.api_url, "tokens": {}}
    values["current"] = session.subject
    values["tokens"][session.subject] = session.token
    data.mkdir(parents=True, exist_ok=True)
    path = _file(data)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(values, out)
    part.replace(path)


def current(data: Path, subject: str = "") -> Session:
    """The session of `subject`, or of whoever signed in last. PROVISO_TOKEN with PROVISO_API goes first."""
    token, address = os.environ.get("PROVISO_TOKEN", "").strip(), running_api(data)
    if token and address:
        return Session(address, subject or "the holder of PROVISO_TOKEN", token)
    values = _stored(data)
    name = subject or str(values.get("current", ""))
    found = values.get("tokens", {}).get(name)
    if not found or (address and values.get("api_url") != address):
        who = f" as {subject}" if subject else ""
        raise ApiFault(f"nobody is signed in{who} here; use `proviso login --as {subject or 'SUBJECT'}`")
    return Session(str(values["api_url"]), name, str(found))


def api(subject: str = "", notify: Callable[[str], None] = lambda sentence: None) -> Api:
    """The API as the person who is signed in."""
    session = current(here(), subject)
    return Api(session.api_url, session.token, notify=notify)


def here() -> Path:
    """The data folder of the checkout, or of the working folder where there is none (an API that runs elsewhere)."""
    try:
        return data_folder(checkout())
    except ConfigurationFault:
        return data_folder(Path.cwd())


def _file(data: Path) -> Path:
    return data / "sign-in.json"


def _stored(data: Path) -> dict[str, Any]:
    try:
        values = json.loads(_file(data).read_text("utf-8"))
    except (OSError, ValueError):
        return {"tokens": {}}
    return values if isinstance(values, dict) and isinstance(values.get("tokens"), dict) else {"tokens": {}}
