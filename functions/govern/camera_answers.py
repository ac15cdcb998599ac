"""What the routes on cameras answer, for the API's description."""

from proviso.edge.answers import Answer, Moment


class CameraKey(Answer):
    """A camera's key. It is not shown again."""

    camera: str
    key: str


class RegisteredCamera(Answer):
    """A camera that may ask for upload rights."""

    camera: str
    registered_by: str
    registered_at: Moment


class Cameras(Answer):
    """Cameras, without their keys."""

    cameras: list[RegisteredCamera]


class Revoked(Answer):
    """The key is void."""

    revoked: bool
