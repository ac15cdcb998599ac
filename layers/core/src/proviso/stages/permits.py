"""Taking permits away: the first thing that a stop does, which needs neither the database nor a reason (rule 9)."""

from proviso.domain.errors import PermitUnreadable, StorageFault
from proviso.domain.ports import PermitStore


def delete_permits(permits: PermitStore, deployment_id: str | None) -> tuple[list[str], StorageFault | None]:
    """Delete the permits of one deployment, or all. One that cannot be read is deleted too: doubt closes (S36).

    One that cannot be deleted does not keep the others: the first fault is handed back, not raised.
    """
    deleted: list[str] = []
    fault: StorageFault | None = None
    try:
        cameras = permits.cameras()
    except StorageFault as error:
        return deleted, error
    for camera in cameras:
        try:
            if deployment_id is None or _belongs(permits, camera, deployment_id):
                permits.delete(camera)
                deleted.append(camera)
        except StorageFault as error:
            fault = fault or error
    return deleted, fault


def _belongs(permits: PermitStore, camera: str, deployment_id: str) -> bool:
    try:
        permit = permits.read(camera)
    except PermitUnreadable:
        return True
    return permit is None or permit.deployment_id == deployment_id
