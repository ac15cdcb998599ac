"""`proviso cameras`: which cameras may ask for upload rights, and where this machine keeps their keys."""

import os
from pathlib import Path

import typer

from proviso.cli import session
from proviso.cli.api import Api, ApiFault, quoted
from proviso.cli.output import plain_faults, say, table
from proviso.cli.people import As
from proviso.cli.private import write_private
from proviso.domain.camera import is_camera_name

group = typer.Typer(help="Cameras and their keys (a requester or an authoriser registers them).", no_args_is_help=True)


@group.command("register")
def register(name: str, acting: As = "") -> None:
    """Give a camera a new key, print it once and keep it here; a key from before works no longer."""
    with plain_faults():
        checked(name)
        key = str(session.api(acting, say).post("/cameras", {"camera": name})["key"])
        path = keep(session.here(), name, key)
    say(f"{name}: {key}")
    say(f"kept in {path}, readable by you alone; it is not shown again")


@group.command("list")
def listing(acting: As = "") -> None:
    """Every camera that may ask for upload rights."""
    with plain_faults():
        found = session.api(acting, say).get("/cameras")["cameras"]
    table(
        "Cameras",
        ("camera", "registered by", "at"),
        [(c["camera"], c["registered_by"], c["registered_at"]) for c in found],
    )


@group.command("revoke")
def revoke(name: str, acting: As = "") -> None:
    """Take a camera's key away. An upload right that it holds lasts for the rest of its ten minutes."""
    with plain_faults():
        checked(name)
        session.api(acting, say).delete(f"/cameras/{quoted(name)}")
        path_of(session.here(), name).unlink(missing_ok=True)
    say(f"{name}: revoked; it gets no further upload right, and what it holds ends within ten minutes")


def checked(name: str) -> str:
    """The name, when it can be a camera's."""
    if not is_camera_name(name):
        raise ApiFault(f"{name!r} is no camera name: small letters, digits and hyphens, at most 63")
    return name


def path_of(data: Path, camera: str) -> Path:
    """Where a camera's key is kept on this machine."""
    return data / "cameras" / f"{camera}.key"


def keep(data: Path, camera: str, key: str) -> Path:
    """Store a camera's key, readable by its owner alone."""
    path = path_of(data, camera)
    write_private(path, key + "\n")
    return path


def key_of(data: Path, camera: str, key_file: Path | None = None) -> str:
    """A camera's key: from the file that is named, else PROVISO_CAMERA_KEY, else what is kept here. ApiFault."""
    named = os.environ.get("PROVISO_CAMERA_KEY", "").strip()
    if key_file is None and named:
        return named
    path = key_file or path_of(data, camera)
    try:
        key = path.read_text("utf-8").strip()
    except FileNotFoundError:
        how = f"register it with `proviso cameras register {camera}`, or name --key-file"
        raise ApiFault(f"there is no key for the camera {camera} in {path}; {how}") from None
    except (OSError, ValueError) as fault:
        raise ApiFault(f"the key file {path} cannot be read ({type(fault).__name__})") from None
    if not key:
        raise ApiFault(f"the key file {path} is empty")
    return key


def api_of(data: Path, key: str) -> Api:
    """The API as this camera. It waits for nothing: frames do not wait either."""
    address = session.running_api(data)
    if not address:
        raise ApiFault(
            "no local cloud is running; start one with `proviso local`, or set PROVISO_API to the API's address"
        )
    return Api(address, key, patience_s=0)
