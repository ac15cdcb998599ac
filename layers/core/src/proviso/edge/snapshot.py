"""SnapStart: what is loaded before the snapshot, and the proof after a restore that nothing else came along.

One snapshot becomes many processes, hours or days later. Models and modules may be in it, and nothing that belongs to
a moment, a right or a request: no connection, no credential, no permit, no time, no identifier. Both hooks look at the
whole process, at every object that it holds and at all that it has open, and not at a list of what was cleared. That is
a twentieth of a second after each restore. Whatever they find has a name, and the function does not come up.

AWS's runtime client runs hooks only where a function starts for a snapshot: registering them costs other starts
nothing.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapshot_restore_py import register_after_restore, register_before_snapshot

from proviso.domain.errors import Fault
from proviso.edge.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NEAR_S = 24 * 3600
"""Further away than this a time is a constant of somebody's code. Permits, whose times may be, are found as permits."""
_STDIO = 2
_FOLDER = Path("/proc/self/fd")
_SOCKET, _NO_FILES = "socket:", ("/dev/", "/proc/", "/sys/")
# Where each kind is defined; one whose module was never imported cannot exist.
_KINDS = (
    ("connection", "psycopg", ("Connection", "AsyncConnection")),
    ("connection", "psycopg.pq", ("PGconn",)),
    ("connection", "proviso.store.connection", ("Connector",)),
    ("connection", "http.client", ("HTTPConnection",)),
    ("connection", "urllib3", ("HTTPConnectionPool",)),
    ("credential", "botocore.credentials", ("Credentials", "ReadOnlyCredentials")),
    ("credential", "botocore.session", ("Session",)),
    ("credential", "botocore.client", ("BaseClient",)),
    ("credential", "proviso.settings", ("Database",)),
    ("permit", "proviso.domain.permit", ("Permit", "CheckedPermit")),
    ("frame", "proviso.domain.frame", ("Jpeg", "Image", "LedgerEntry", "FrameKey")),
    ("face", "proviso.domain.face", ("Face", "Template")),
    ("face", "proviso.domain.messages", ("FacesMessage",)),
    ("generator", "random", ("Random",)),
    ("generator", "numpy.random", ("Generator", "RandomState")),
)
_CONSTANTS = (uuid.NAMESPACE_DNS, uuid.NAMESPACE_URL, uuid.NAMESPACE_OID, uuid.NAMESPACE_X500)


class KeptInSnapshot(Fault):
    """Something is in the process that no snapshot may hold. The message names the kinds and the types, no values."""


@dataclass(frozen=True, slots=True)
class SnapshotHooks:
    """What AWS's runtime client calls. `load` loads what every copy may share, `forget` lets go of all else, `clock` is
    the process's; `platform` are the sockets and files that were open before anything of ours ran."""

    load: Callable[[], None]
    forget: Callable[[], None]
    clock: Callable[[], datetime]
    platform: frozenset[str]

    def before(self) -> None:
        """Load, forget, and look at everything. KeptInSnapshot: then no snapshot is taken, and no version published."""
        self.load()
        self.forget()
        gc.collect()
        _refuse(kept(self.clock().timestamp(), self.platform))

    def after(self) -> None:
        """Look again, and make chance anew. KeptInSnapshot: then the restored copy serves nobody."""
        _refuse(kept(self.clock().timestamp(), self.platform))
        reseed()


def with_snapshots(load: Callable[[], None], forget: Callable[[], None], clock: Callable[[], datetime]) -> None:
    """Register both hooks for the function that is being imported."""
    hooks = SnapshotHooks(load, forget, clock, frozenset(opened().values()))
    register_before_snapshot(hooks.before)
    register_after_restore(hooks.after)


def _refuse(found: set[str]) -> None:
    if found:
        raise KeptInSnapshot(f"a snapshot may not hold {', '.join(sorted(found))}")


def kept(now_s: float, platform: frozenset[str]) -> set[str]:
    """All that the process holds and a snapshot may not, as "kind (type)". `now_s` is the time as a UNIX time stamp."""
    found = {
        f"a {'socket' if name.startswith(_SOCKET) else 'file'} (descriptor {number})"
        for number, name in opened().items()
        if name not in platform
    }
    if request_is_known():
        found.add("an identifier (of a request)")
    kinds = _kinds()
    of_type: dict[type, str] = {}
    for holder in gc.get_objects():
        cls = type(holder)
        if cls not in of_type:
            of_type[cls] = next((name for known, name in kinds if issubclass(cls, known)), "")
        if of_type[cls] and not _drawn_anew(holder):
            found.add(f"a {of_type[cls]} ({cls.__name__})")
        # Times and identifiers are in no list of objects: they are found by who holds them.
        for one in _held(holder):
            if type(one) is datetime and abs(_timestamp(one) - now_s) < _NEAR_S:
                found.add(f"a time (in a {cls.__name__})")
            elif type(one) is uuid.UUID and one.version in (1, 4) and one not in _CONSTANTS:
                found.add(f"an identifier (in a {cls.__name__})")
    return found


def _held(holder: object) -> Iterator[object]:
    """What an object refers to, through tuples and dictionaries that the collector does not list."""
    for one in gc.get_referents(holder):
        yield one
        if type(one) in (tuple, dict) and not gc.is_tracked(one):
            yield from _held(one)


def _kinds() -> list[tuple[type, str]]:
    """The types to look for, of modules that are there."""
    return [
        (getattr(sys.modules[module], name), kind)
        for kind, module, names in _KINDS
        for name in names
        if module in sys.modules and hasattr(sys.modules[module], name)
    ]


def _timestamp(moment: datetime) -> float:
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):  # datetime.min and its like
        return 0.0


def request_is_known() -> bool:
    """Does AWS's runtime client, or the logger, hold what belongs to one invocation?"""
    client: Any = sys.modules.get("awslambdaric.bootstrap")
    if client is not None and getattr(client, "_GLOBAL_AWS_REQUEST_ID", None) is not None:
        return True
    return bool(logger.cache_info().currsize) and bool(
        {"request_id", "correlation_id"} & set(logger().get_current_keys())
    )


def opened() -> dict[int, str]:
    """The process's open sockets and files of a disk, beside its standard streams: descriptor and the system's name.
    Not pipes and devices, which hold nothing of a moment."""
    return {
        number: name
        for number, name in _descriptors()
        if number > _STDIO and (name.startswith(_SOCKET) or (name.startswith("/") and not name.startswith(_NO_FILES)))
    }


def _descriptors() -> Iterator[tuple[int, str]]:
    for entry in list(_FOLDER.iterdir()):
        try:
            yield int(entry.name), str(entry.readlink())
        except OSError:  # the descriptor that the listing itself had
            continue


def _drawn_anew(holder: object) -> bool:
    """The two generators that everybody shares, which `reseed` seeds; and those of the system, which have no state."""
    numpy: Any = sys.modules.get("numpy.random.mtrand")
    shared = (getattr(random, "_inst", None), getattr(numpy, "_rand", None))
    return isinstance(holder, random.SystemRandom) or any(holder is one for one in shared)


def reseed() -> None:
    """Chance that every copy would draw alike is drawn anew from the system: Python's, numpy's and OpenSSL's."""
    random.seed()
    numpy: Any = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    ssl: Any = sys.modules.get("ssl")
    if ssl is not None:
        ssl.RAND_add(os.urandom(48), 48.0)
