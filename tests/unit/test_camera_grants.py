"""The agent's upload rights: asked for with the camera's key, renewed in time, unused when there is no permit."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from proviso.cli.api import Api, ApiFault
from proviso.cli.camera.grants import ASK_AGAIN, GrantedPut, NoPermit, Posted, Right, ask_api, form
from proviso.cli.camera.uploader import Delivery, UploadFault, deliver
from proviso.domain.frame import FrameKey
from proviso.local.post_policy import read_form

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
KEY = "hall-north/2026-11-22/200000.000Z_000000.jpg"
EXPIRED = Posted(403, "AccessDenied", "Invalid according to Policy: Policy expired.")


class World:
    """A clock, an API and a bucket that answer as they are told."""

    def __init__(self, *answers: Posted | OSError) -> None:
        self.now = NOW
        self.answers = list(answers)
        self.refusals: list[UploadFault] = []
        self.asked = 0
        self.posted: list[str] = []
        self.said: list[str] = []
        self.lasts = timedelta(minutes=10)
        self.put = GrantedPut(self.ask, self.post, lambda: self.now, self.said.append)

    def ask(self) -> Right:
        self.asked += 1
        if self.refusals:
            raise self.refusals.pop(0)
        return Right("http://bucket", {"number": str(self.asked)}, self.now + self.lasts)

    def post(self, url: str, fields: Mapping[str, str], key: str, jpeg: bytes) -> Posted:
        answer = self.answers.pop(0) if self.answers else Posted(204)
        if isinstance(answer, OSError):
            raise answer
        self.posted.append(fields["number"])
        return answer

    def later(self, **wait: float) -> None:
        self.now += timedelta(**wait)

    def refused(self) -> UploadFault:
        with pytest.raises(UploadFault) as raised:
            self.put(KEY, b"jpeg")
        return raised.value


def test_one_right_serves_many_frames_and_is_renewed_at_four_fifths_of_its_life() -> None:
    world = World()
    for _ in range(3):
        world.put(KEY, b"jpeg")
    world.later(minutes=8, seconds=-1)
    world.put(KEY, b"jpeg")
    assert world.asked == 1
    world.later(seconds=1)
    world.put(KEY, b"jpeg")
    assert (world.asked, world.posted) == (2, ["1", "1", "1", "1", "2"])


def test_a_right_near_the_permit_s_end_is_renewed_sooner() -> None:
    world = World()
    world.lasts = timedelta(seconds=50)
    world.put(KEY, b"jpeg")
    world.later(seconds=40)
    world.put(KEY, b"jpeg")
    assert world.asked == 2


def test_a_clock_that_is_slow_does_not_stretch_a_right() -> None:
    world = World()
    world.lasts = timedelta(hours=1)  # as it looks to a clock that is 50 minutes behind
    world.put(KEY, b"jpeg")
    world.later(minutes=8)
    world.put(KEY, b"jpeg")
    assert world.asked == 2


def test_refused_as_expired_it_renews_once_and_tries_again() -> None:
    world = World(EXPIRED)
    world.put(KEY, b"jpeg")
    assert (world.asked, world.posted) == (2, ["1", "2"])
    token = World(Posted(400, "ExpiredToken", "The provided token has expired."))
    token.put(KEY, b"jpeg")
    assert token.posted == ["1", "2"]
    again = World(EXPIRED, EXPIRED)
    assert again.refused().passing
    assert again.asked == 2


@pytest.mark.parametrize("code", ["AccessDenied", "EntityTooLarge", "SignatureDoesNotMatch", "NoSuchBucket"])
def test_another_refusal_is_not_tried_again(code: str) -> None:
    world = World(Posted(403, code, "no"))
    fault = world.refused()
    assert not fault.passing
    assert code in str(fault)
    assert world.asked == 1


@pytest.mark.parametrize("answer", [Posted(503, "SlowDown"), Posted(500), Posted(429), ConnectionResetError()])
def test_what_passes_is_told_apart(answer: Posted | OSError) -> None:
    assert World(answer).refused().passing


def test_without_a_permit_it_waits_says_so_once_and_posts_nothing() -> None:
    world = World()
    world.refusals = [NoPermit("no permit"), NoPermit("no permit")]
    assert world.refused().passing
    world.later(seconds=1)
    assert world.refused().passing
    assert world.asked == 1, "one answer serves all frames that wait"
    world.later(seconds=ASK_AGAIN.total_seconds())
    world.refused()
    assert (world.asked, world.posted) == (2, [])
    world.later(seconds=ASK_AGAIN.total_seconds())
    world.put(KEY, b"jpeg")
    assert world.said == ["no permit; waiting, and uploading nothing", "there is a permit now: uploading"]


def test_a_right_is_dropped_when_the_api_says_that_the_permit_is_gone() -> None:
    world = World()
    world.put(KEY, b"jpeg")
    world.later(minutes=8)
    world.refusals = [NoPermit("no permit")]
    world.refused()
    world.later(seconds=1)
    world.refused()
    assert world.posted == ["1"]


def test_a_right_is_used_to_its_end_when_the_api_cannot_be_asked() -> None:
    world = World()
    world.put(KEY, b"jpeg")
    away = UploadFault("away", passing=True)
    world.refusals = [away] * 9
    world.later(minutes=8)
    world.put(KEY, b"jpeg")
    world.later(minutes=2)
    assert world.refused() is away
    assert world.posted == ["1", "1"]


def test_a_key_that_is_no_longer_accepted_ends_it_at_once() -> None:
    world = World()
    world.put(KEY, b"jpeg")
    world.later(minutes=8)
    world.refusals = [UploadFault("the key is not accepted", passing=False)]
    assert not world.refused().passing
    assert world.posted == ["1"]


def test_a_frame_that_waits_for_a_permit_until_it_is_too_old_is_dropped_and_never_uploaded() -> None:
    world = World()
    world.refusals = [NoPermit("no permit")] * 99

    def wait(seconds: float) -> bool:
        world.later(seconds=seconds)
        return False

    done = deliver(
        FrameKey("hall-north", NOW, 0),
        b"jpeg",
        put=world.put,
        age_limit_s=60,
        clock=lambda: world.now,
        wait=wait,
        random=lambda: 1.0,
    )
    assert (done.delivery, world.posted) == (Delivery.DROPPED, [])
    assert done.fault == "no permit"


class Answers(Api):
    def __init__(self, answer: Any) -> None:
        super().__init__("http://api", "key")
        self.answer = answer
        self.paths: list[str] = []

    def post(self, path: str, body: Any = None) -> Any:
        self.paths.append(path)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_right_is_read_from_the_api_s_answer_and_shows_no_field() -> None:
    api = Answers({"url": "http://b", "fields": {"policy": "secret"}, "expires_at": "2026-11-22T20:10:00+00:00"})
    right = ask_api(api, "hall-north")()
    assert right == Right("http://b", {"policy": "secret"}, NOW + timedelta(minutes=10))
    assert "secret" not in repr(right)
    assert api.paths == ["/cameras/hall-north/grants"]


@pytest.mark.parametrize(
    ("answer", "kind", "passing"),
    [
        (ApiFault("no", status=409, reason="no_permit"), NoPermit, True),
        (ApiFault("no", status=409, reason="outside_window"), NoPermit, True),
        (ApiFault("no", status=401, reason="camera_key"), UploadFault, False),
        (ApiFault("away", status=0), UploadFault, True),
        (ApiFault("busy", status=429), UploadFault, True),
        (ApiFault("fault", status=500, reason="fault"), UploadFault, True),
        (ApiFault("none", status=404), UploadFault, False),
        ({}, UploadFault, False),
        ({"url": "u", "fields": 3, "expires_at": "soon"}, UploadFault, False),
    ],
)
def test_the_api_s_refusals_are_told_apart(answer: Any, kind: type, passing: bool) -> None:
    with pytest.raises(UploadFault) as raised:
        ask_api(Answers(answer), "hall-north")()
    assert type(raised.value) is kind
    assert raised.value.passing is passing


def test_the_form_holds_the_key_the_fields_and_last_the_file() -> None:
    body = form({"policy": "p", "x-amz-signature": "s"}, KEY, b"\xff\xd8\r\n--x\r\n\xff\xd9", "boundary7")
    read = read_form("multipart/form-data; boundary=boundary7", body)
    assert read.fields == {"key": KEY, "policy": "p", "x-amz-signature": "s"}
    assert read.file == b"\xff\xd8\r\n--x\r\n\xff\xd9"
    assert body.rindex(b'name="file"') > body.rindex(b'name="policy"')
