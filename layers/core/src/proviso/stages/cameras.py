"""Which cameras may ask for upload rights (S35): each has a key of its own, given out once, kept as its digest.

Registering a camera gives no right by itself: without a permit in force `grant` refuses it.
"""

from collections.abc import Callable

from proviso.domain.audit import system_act
from proviso.domain.camera import RegisteredCamera, is_camera_name, key_digest
from proviso.domain.errors import AuditUnwritable, DatabaseAway
from proviso.domain.govern_ports import GovernStore
from proviso.domain.people import Principal, Role
from proviso.domain.ports import CameraRegistry, Clock
from proviso.domain.reasons import Reason, Refused


def register(
    *,
    principal: Principal,
    camera: str,
    cameras: CameraRegistry,
    store: GovernStore,
    clock: Clock,
    new_key: Callable[[], str],
) -> str | Refused:
    """Give a camera a new key; one from before works no longer. The key: it is shown once and cannot be asked again.

    AuditUnwritable when it cannot be recorded: then there is no new key, and the old one stays.
    """
    if refused := principal.needs(Role.REQUESTER, Role.AUTHORISER):
        return refused
    if not is_camera_name(camera):
        return Refused(Reason.INVALID, "a camera's name is small letters, digits and hyphens, at most 63")
    now, key = clock(), new_key()
    with store.work() as work:
        work.audit(system_act(now, principal.sub, "camera_registered", camera, {}))
        # Last in the transaction: if this fails nothing is recorded, and if the commit fails nobody has the key.
        cameras.put(RegisteredCamera(camera, key_digest(key), principal.sub, now))
    return key


def revoke(
    *, principal: Principal, camera: str, cameras: CameraRegistry, store: GovernStore, clock: Clock
) -> bool | Refused:
    """Take a camera's key away: no further upload right. One that it holds lasts for the rest of its ten minutes.

    AuditUnwritable when it could not be recorded: the key is gone all the same (S36), and the fault says so.
    """
    if refused := principal.needs(Role.REQUESTER, Role.AUTHORISER):
        return refused
    if not is_camera_name(camera) or not cameras.remove(camera):
        return Refused(Reason.NOT_FOUND, "camera")
    try:
        with store.work() as work:
            work.audit(system_act(clock(), principal.sub, "camera_revoked", camera, {}))
    except (AuditUnwritable, DatabaseAway) as fault:
        raise AuditUnwritable(f"camera {camera} was revoked by {principal.sub}, unrecorded: {fault}") from fault
    return True


def list_all(*, principal: Principal, cameras: CameraRegistry) -> list[RegisteredCamera] | Refused:
    """Every registered camera, by name."""
    if refused := principal.needs(Role.REQUESTER, Role.AUTHORISER, Role.AUDITOR):
        return refused
    return cameras.cameras()
