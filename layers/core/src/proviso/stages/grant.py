"""grant: may this camera upload now, and until when? (S35)

It asks for the camera's key, then for its permit. The right that it gives is bound to the camera's own prefix, to the
type and size of an upload, and ends after ten minutes or with the permit, whichever comes first. There is no database
here, so what this says can only shut the gate, never open it: the gate is the row.
"""

import hmac
from datetime import datetime

from proviso.domain.camera import GRANT_LASTS, UploadGrant, is_camera_name, key_digest
from proviso.domain.errors import PermitUnreadable
from proviso.domain.ports import CameraRegistry, Clock, PermitStore, UploadGrants
from proviso.domain.reasons import Reason, Refused

_NOBODYS = key_digest("")


def grant(
    *, camera: str, key: str, cameras: CameraRegistry, permits: PermitStore, grants: UploadGrants, clock: Clock
) -> UploadGrant | Refused:
    """An upload right for a camera that shows its key. CAMERA_KEY, the same for an unknown camera and a wrong key;
    NO_PERMIT, OUTSIDE_WINDOW. Raises PermitUnreadable and StorageFault: without a permit that says so, no right."""
    now = clock()
    known = cameras.key_digest(camera) if is_camera_name(camera) else None
    same = hmac.compare_digest(key_digest(key), known or _NOBODYS)
    if known is None or not key or not same:
        return Refused(Reason.CAMERA_KEY)
    permit = permits.read(camera)
    if permit is None:
        return Refused(Reason.NO_PERMIT, camera)
    if permit.camera != camera:
        raise PermitUnreadable(f"the permit of camera {camera} names another camera")
    ends_at = _whole_seconds(min(now + GRANT_LASTS, permit.ends_at))
    if not permit.starts_at <= now < ends_at:
        return Refused(Reason.OUTSIDE_WINDOW, "now")
    return grants.sign(camera, now, ends_at, permit.burst_frames)


def _whole_seconds(moment: datetime) -> datetime:
    """Down to the second: never later than the permit's end."""
    return moment.replace(microsecond=0)
