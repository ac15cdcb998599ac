"""Uploading under a grant: a camera shows its key, gets an upload right for some minutes, and renews it in time (S35).

While there is no permit there is no right, so nothing is uploaded: frames wait, and are dropped when they are too old.
"""

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from proviso.cli.api import Api, ApiFault, quoted
from proviso.cli.camera.uploader import UploadFault
from proviso.domain.camera import FRAME_TYPE, GRANT_LASTS
from proviso.domain.frame import BURST
from proviso.domain.reasons import Reason

ASK_AGAIN = timedelta(seconds=5)
"""How long a refusal is believed: many frames wait for one answer."""
_RENEW_AT = 0.8
_WAITING = frozenset({Reason.NO_PERMIT.value, Reason.OUTSIDE_WINDOW.value})
_PASSING = frozenset({"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling"})
_TIMEOUT_S = 15.0


class NoPermit(UploadFault):
    """There is no permit in force for this camera now. Time may mend it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, passing=True)


@dataclass(frozen=True, slots=True)
class Right:
    """An upload right as the API gives it."""

    url: str
    fields: Mapping[str, str] = field(repr=False)
    expires_at: datetime
    burst_frames: int = 1
    burst_fields: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Posted:
    """How S3 answered a form: its status, and of a refusal the code and sentence."""

    status: int
    code: str = ""
    message: str = ""

    @property
    def done(self) -> bool:
        return self.status in (200, 201, 204)

    @property
    def expired(self) -> bool:
        """S3 calls an expired policy AccessDenied and says so in words only; the signer's credentials may end too."""
        return self.code == "ExpiredToken" or (self.status == 403 and "expired" in self.message.lower())


Ask = Callable[[], Right]
"""A new upload right. Raises UploadFault, NoPermit among them."""
Post = Callable[[str, Mapping[str, str], str, bytes], Posted]
"""Post a form: address, fields, key, file. Raises OSError when nobody answers."""


class GrantedPut:
    """`Put` for one camera. `tell` hears once that it waits for a permit, and once that it goes on."""

    def __init__(
        self, ask: Ask, post: Post, clock: Callable[[], datetime], tell: Callable[[str], None] = lambda sentence: None
    ) -> None:
        self._ask, self._post, self._clock, self._tell = ask, post, clock, tell
        self._held: Right | None = None
        self._renew_at: datetime | None = None
        self._refused: UploadFault | None = None
        self._ask_again_at: datetime | None = None
        self._waiting = False

    def __call__(self, key: str, jpeg: bytes) -> None:
        answer = self._posted(self.right(), key, jpeg)
        if answer.expired:
            self._held = None
            answer = self._posted(self.right(), key, jpeg)
        if not answer.done:
            passing = answer.status >= 500 or answer.status == 429 or answer.code in _PASSING or answer.expired
            said = f" ({answer.message})" if answer.message else ""
            raise UploadFault(f"{answer.code or answer.status} from the frames bucket{said}", passing=passing)

    def right(self) -> Right:
        """The right that is held while it is fresh, else a new one. UploadFault."""
        now = self._clock()
        if self._held is not None and self._renew_at is not None and now < self._renew_at:
            return self._held
        if self._refused is not None and self._ask_again_at is not None and now < self._ask_again_at:
            return self._old_one(self._refused, now)
        try:
            right = self._ask()
        except UploadFault as refused:
            self._refused, self._ask_again_at = refused, now + ASK_AGAIN
            return self._old_one(refused, now)
        self._refused = None
        # By this machine's clock, which may be wrong: a right never lasts longer than the longest.
        self._renew_at = now + _RENEW_AT * min(right.expires_at - now, GRANT_LASTS)
        self._held = right
        if self._waiting:
            self._waiting = False
            self._tell("there is a permit now: uploading")
        return right

    def _old_one(self, refused: UploadFault, now: datetime) -> Right:
        """What is held is used to its end while the API does not answer, but not once it says "no permit"."""
        if isinstance(refused, NoPermit) and not self._waiting:
            self._waiting = True
            self._tell(f"{refused}; waiting, and uploading nothing")
        unanswered = refused.passing and not isinstance(refused, NoPermit)
        if unanswered and self._held is not None and now < self._held.expires_at:
            return self._held
        self._held = None
        raise refused

    def _posted(self, right: Right, key: str, jpeg: bytes) -> Posted:
        try:
            return self._post(right.url, _fields(right, key), key, jpeg)
        except OSError as fault:
            raise UploadFault(f"the frames bucket cannot be reached ({type(fault).__name__})", passing=True) from fault


def _fields(right: Right, key: str) -> Mapping[str, str]:
    """The form for this kind of upload. UploadFault where the deployment allows no bursts."""
    if not key.endswith(f".{BURST}"):
        return right.fields
    if right.burst_fields is None:
        raise UploadFault("the deployment takes single frames only; leave --burst out", passing=False)
    return right.burst_fields


def ask_api(api: Api, camera: str) -> Ask:
    """Rights from the API; `api` holds the camera's key as its token."""

    def ask() -> Right:
        try:
            answer: Any = api.post(f"/cameras/{quoted(camera)}/grants")
            expires_at = datetime.fromisoformat(answer["expires_at"]).astimezone(UTC)
            burst_fields = answer.get("burst_fields")
            return Right(
                str(answer["url"]),
                dict(answer["fields"]),
                expires_at,
                int(answer.get("burst_frames", 1)),
                dict(burst_fields) if burst_fields is not None else None,
            )
        except ApiFault as refused:
            if refused.reason in _WAITING:
                raise NoPermit(str(refused)) from refused
            passing = refused.status in (0, 429) or refused.status >= 500
            raise UploadFault(str(refused), passing=passing) from refused
        except (KeyError, TypeError, ValueError) as odd:
            raise UploadFault(f"the API at {api.url} gave no upload right", passing=False) from odd

    return ask


def post_form(boundary: Callable[[], str]) -> Post:
    """Posts by urllib. `boundary` makes a random text that separates the parts."""

    def post(url: str, fields: Mapping[str, str], key: str, jpeg: bytes) -> Posted:
        if not url.startswith(("http://", "https://")):
            return Posted(400, "InvalidURI", "the address of the bucket is none")
        mark = boundary()
        request = urllib.request.Request(url, data=form(fields, key, jpeg, mark), method="POST")  # noqa: S310
        request.add_header("Content-Type", f"multipart/form-data; boundary={mark}")
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 (http and https only)
                return Posted(answer.status)
        except urllib.error.HTTPError as refused:
            said = refused.read(4096).decode("utf-8", "replace")
            code, message = (re.search(rf"<{name}>([^<]*)</{name}>", said) for name in ("Code", "Message"))
            return Posted(refused.code, code[1] if code else "", message[1] if message else "")
        except http.client.HTTPException as broken:
            raise OSError(f"the answer broke off: {type(broken).__name__}") from broken

    return post


def form(fields: Mapping[str, str], key: str, jpeg: bytes, boundary: str) -> bytes:
    """The form's body: the key and the right's fields, and last the file, as S3 wants it."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in {"key": key, **fields}.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="frame"\r\n'
    kind = f"Content-Type: {fields.get('Content-Type', FRAME_TYPE)}\r\n\r\n"
    return b"".join([*parts, head.encode(), kind.encode(), jpeg, f"\r\n--{boundary}--\r\n".encode()])
