"""What grant answers, for the API's description."""

from pydantic import Field

from proviso.edge.answers import Answer, Moment


class UploadGrant(Answer):
    """A form to post, with one file under a key that begins with the prefix, until it expires."""

    url: str
    fields: dict[str, str] = Field(description="to be sent along; as good as a key until then")
    key_prefix: str
    expires_at: Moment
