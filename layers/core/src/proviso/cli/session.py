"""Who is signed in: tokens in a file that only their owner can read, one a person, so that several can act in turn."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from proviso.cli.api import Api, ApiFault
from proviso.cli.browser import Place, Tokens, renewed, revoke
from proviso.cli.places import checkout, data_folder, user_folder
from proviso.cli.private import write_private
from proviso.domain.errors import ConfigurationFault
from proviso.local.running import find_running

_EARLY_S = 60.0


@dataclass(frozen=True, slots=True)
class Renewable:
    """What a sign-in in a browser gave, and where it is renewed."""

    place: Place
    tokens: Tokens = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """An address, a person's name there, and their token, which is never shown."""

    api_url: str
    subject: str
    token: str = field(repr=False)
    renewable: Renewable | None = field(default=None, repr=False)


def running_api(data: Path) -> str:
    """The address of the API: PROVISO_API, else that of the running local cloud, else where somebody signed in by a
    browser; "" when there is none."""
    return _named_or_running(data) or _elsewhere(_stored(data))


def _named_or_running(data: Path) -> str:
    named = os.environ.get("PROVISO_API", "").strip().rstrip("/")
    if named:
        return named
    running = find_running(data)
    return running.api_url if running else ""


def _elsewhere(values: dict[str, Any]) -> str:
    """The API at which a sign-in by browser is kept."""
    kept = any(isinstance(one, dict) for one in values["tokens"].values())
    return str(values.get("api_url", "")) if kept else ""


def sign_in(data: Path, subject: str, notify: Callable[[str], None] = lambda sentence: None) -> Session:
    """Sign in at the running local cloud as anybody, without a password: it exists for trying things out."""
    running = find_running(data)
    if running is None:
        raise ApiFault("no local cloud is running; start one with `proviso local` in another window")
    answer = Api(running.api_url).post("/local/sign-in", {"subject": subject})
    token = str(answer.get("token", ""))
    if not token:
        raise ApiFault("the sign-in gave no token")
    session = Session(running.api_url, subject, token)
    for left in keep(data, session):
        notify(f"signed out of before: {left}")
    return session


def keep(data: Path, session: Session) -> list[str]:
    """Store the token, readable by its owner alone, and make this person the current one.

    Sign-ins that this one takes the place of, those at another API among them, are taken back: a token that is only
    forgotten goes on for the rest of a shift. What to tell of each, with where it could not be taken back."""
    values = _stored(data)
    place, same = str(values.get("api_url", "")), values.get("api_url") == session.api_url
    replaced = {name: found for name, found in values["tokens"].items() if name == session.subject or not same}
    if not same:
        values = {"api_url": session.api_url, "tokens": {}}
    values["current"] = session.subject
    values["tokens"][session.subject] = session.token if session.renewable is None else asdict(session.renewable)
    _write(data, values)
    said = []
    for name, found in sorted(replaced.items()):
        if not isinstance(found, dict):
            continue
        try:
            _take_back(found)
            said += [] if same else [f"{name} at {place}"]
        except ApiFault:
            said.append(f"{name} at {place}, but the sign-in could not be told: that one ends within 12 hours")
    return said


def _take_back(found: dict[str, Any]) -> None:
    kept = _renewable(found)
    revoke(kept.place, kept.tokens)


def belongs(data: Path, place: Place, api_url: str, *, sure: bool = False, note: bool = False) -> None:
    """Hold a client of a sign-in against the API that it was first used for. ApiFault for another API.

    Any server can name the sign-in of somebody else's API as its own: the page is then the real one, and the token that
    it gives would be sent to that server. `sure`: the address comes from the account itself; `note`: somebody
    has signed in there. The client's id is what counts, since a sign-in has several addresses; on this machine every
    local cloud has the same.
    """
    if not place.url.startswith("https://"):
        return
    path = data / "sign-in-places.json"
    try:
        known = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        known = {}
    except (OSError, ValueError):
        raise ApiFault(f"{path} cannot be read; delete it, and sign in with --stack") from None
    before = str(known.get(place.client_id, "")) if isinstance(known, dict) else ""
    if before and before.lower() != api_url.lower() and not sure:
        raise ApiFault(
            f"{api_url} names the sign-in of {before}, and would be sent your token for it; if the API moved, sign in"
            " with --stack"
        )
    if note and before != api_url:
        write_private(path, json.dumps({**known, place.client_id: api_url}))


def _write(data: Path, values: dict[str, Any]) -> None:
    write_private(_file(data), json.dumps(values))


def current(data: Path, subject: str = "", clock: Callable[[], float] = time.time) -> Session:
    """The session of `subject`, or of whoever signed in last, renewed where it is about to end. PROVISO_TOKEN with
    PROVISO_API goes first."""
    token, address = os.environ.get("PROVISO_TOKEN", "").strip(), _named_or_running(data)
    if token and address:
        return Session(address, subject or "the holder of PROVISO_TOKEN", token)
    values = _stored(data)
    name = subject or str(values.get("current", ""))
    found = values["tokens"].get(name)
    kept_at = str(values.get("api_url", ""))
    if found and address and kept_at != address:
        raise ApiFault(
            f"nobody is signed in at {address} here, only at {kept_at}; sign in again, or say which is meant with"
            " PROVISO_API"
        )
    if not found:
        who = f" as {subject}" if subject else ""
        raise ApiFault(
            f"nobody is signed in{who} here; use `proviso login --as {subject or 'SUBJECT'}` at the local cloud, or"
            " `proviso login --stack STACK` (or --api ADDRESS) elsewhere"
        )
    if isinstance(found, str):
        return Session(kept_at, name, found)
    renewable = _renewable(found)
    session = Session(kept_at, name, renewable.tokens.access, renewable)
    return session if clock() < renewable.tokens.expires_at - _EARLY_S else renew(data, session, clock)


def renew(data: Path, session: Session, clock: Callable[[], float] = time.time) -> Session:
    """The session with a new token, kept. ApiFault when the shift is over."""
    if session.renewable is None:
        raise ApiFault("sign in first")
    tokens = renewed(session.renewable.place, session.renewable.tokens, clock)
    after = Session(session.api_url, session.subject, tokens.access, Renewable(session.renewable.place, tokens))
    values = _stored(data)
    # Another command may have signed somebody else in meanwhile: who is the current one stays.
    if values.get("api_url") == session.api_url and session.subject in values["tokens"]:
        values["tokens"][session.subject] = asdict(after.renewable)  # type: ignore[arg-type]
        _write(data, values)
    return after


def sign_out(data: Path) -> list[str]:
    """Forget everybody who is signed in here, and take back what can be renewed. Their names."""
    values = _stored(data)
    _file(data).unlink(missing_ok=True)
    faults = []
    for found in values["tokens"].values():
        if isinstance(found, dict):
            try:
                _take_back(found)
            except ApiFault as fault:
                faults.append(fault)
    if faults:
        raise ApiFault("signed out here, but the sign-in could not be told: what was kept here ends within 12 hours")
    return sorted(values["tokens"])


def _renewable(found: dict[str, Any]) -> Renewable:
    try:
        return Renewable(Place(**found["place"]), Tokens(**found["tokens"]))
    except (KeyError, TypeError):
        raise ApiFault("what is kept of the sign-in is not of this version; sign in again") from None


def api(subject: str = "", notify: Callable[[str], None] = lambda sentence: None) -> Api:
    """The API as the person who is signed in."""
    data = here()
    session = current(data, subject)
    renewal = (lambda: renew(data, session).token) if session.renewable else None
    return Api(session.api_url, session.token, notify=notify, renew=renewal)


def here() -> Path:
    """The data folder of the checkout, or the user's own where there is none (an API that runs elsewhere)."""
    try:
        return data_folder(checkout())
    except ConfigurationFault:
        return user_folder()


def _file(data: Path) -> Path:
    return data / "sign-in.json"


def _stored(data: Path) -> dict[str, Any]:
    try:
        values = json.loads(_file(data).read_text("utf-8"))
    except (OSError, ValueError):
        return {"tokens": {}}
    return values if isinstance(values, dict) and isinstance(values.get("tokens"), dict) else {"tokens": {}}
