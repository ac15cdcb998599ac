"""Where the pages sign people in. Apart from what review's other routes need: an open page wakes no database."""

from dataclasses import dataclass

from proviso import settings
from proviso.wiring import _read


@dataclass(frozen=True, slots=True)
class SignInPlace:
    """Where the pages and the command line send people to sign in, and as which client."""

    url: str
    client_id: str
    command_line_client_id: str


def sign_in_place() -> SignInPlace:
    """The sign-in of the pages, from review's settings."""
    read = _read(settings.Review)
    url = read.sign_in_url.rstrip("/")
    return SignInPlace(url, read.sign_in_client_id, read.sign_in_command_line_client_id)
