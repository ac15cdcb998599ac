"""What grant answers, for the API's description."""

from pydantic import Field

from proviso.edge.answers import Answer, Moment


class UploadGrant(Answer):
    """A form to post, with one file under a key that begins with the prefix, until it expires.

    `fields` are for a single frame (`.jpg`), `burst_fields` for a burst (`.mjpeg`) of at most `burst_frames`.
    """

    url: str
    fields: dict[str, str] = Field(description="to be sent along; as good as a key until then")
    key_prefix: str
    expires_at: Moment
    burst_frames: int = Field(description="how many frames an upload may hold; 1 for single frames only")
    burst_fields: dict[str, str] | None = Field(description="as `fields`, for a burst; null where none is allowed")
