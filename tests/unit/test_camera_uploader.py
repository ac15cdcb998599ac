"""A frame's way into the bucket: tried again while young, dropped when old, given up where time mends nothing."""

from datetime import UTC, datetime, timedelta

from proviso.cli.camera.uploader import LONGEST_WAIT_S, Delivered, Delivery, UploadFault, deliver
from proviso.domain.frame import FrameKey

TAKEN = datetime(2026, 11, 22, 20, 0, 0, tzinfo=UTC)
KEY = FrameKey("hall-north", TAKEN, 7)


class Time:
    """A clock that moves only when somebody waits."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.now = TAKEN
        self.waits: list[float] = []
        self.stop_after = stop_after

    def clock(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)
        return self.stop_after is not None and len(self.waits) >= self.stop_after


class Bucket:
    """Fails as it is told, then takes what it is given."""

    def __init__(self, *faults: UploadFault) -> None:
        self.faults = list(faults)
        self.held: dict[str, bytes] = {}

    def put(self, key: str, jpeg: bytes) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.held[key] = jpeg


def run(bucket: Bucket, time: Time, age_limit_s: float = 60.0) -> Delivered:
    return deliver(
        KEY, b"jpeg", put=bucket.put, age_limit_s=age_limit_s, clock=time.clock, wait=time.wait, random=lambda: 1.0
    )


def passing() -> UploadFault:
    return UploadFault("SlowDown", passing=True)


def test_a_frame_is_put_under_its_key() -> None:
    bucket = Bucket()
    done = run(bucket, Time())
    assert done.delivery is Delivery.UPLOADED
    assert done.tries == 1
    assert bucket.held == {"hall-north/2026-11-22/200000.000Z_000007.jpg": b"jpeg"}


def test_a_passing_fault_is_tried_again_with_growing_waits() -> None:
    time = Time()
    done = run(Bucket(passing(), passing(), passing()), time)
    assert (done.delivery, done.tries) == (Delivery.UPLOADED, 4)
    assert time.waits == [0.25, 0.5, 1.0]


def test_waits_do_not_grow_for_ever_and_the_age_limit_ends_them() -> None:
    time = Time()
    bucket = Bucket(*[passing()] * 1000)
    done = run(bucket, time, age_limit_s=60)
    assert done.delivery is Delivery.DROPPED
    assert done.fault == "SlowDown"
    assert max(time.waits) == LONGEST_WAIT_S
    assert time.now - TAKEN < timedelta(seconds=60 + LONGEST_WAIT_S)


def test_a_frame_that_waited_too_long_is_not_even_tried() -> None:
    time = Time()
    time.now += timedelta(seconds=60)
    bucket = Bucket()
    done = run(bucket, time)
    assert (done.delivery, done.tries, bucket.held) == (Delivery.DROPPED, 0, {})


def test_what_time_does_not_mend_is_not_tried_again() -> None:
    time = Time()
    done = run(Bucket(UploadFault("AccessDenied", passing=False)), time)
    assert (done.delivery, done.tries, time.waits) == (Delivery.FAILED, 1, [])


def test_an_agent_that_is_to_end_does_not_go_on_trying() -> None:
    done = run(Bucket(*[passing()] * 9), Time(stop_after=2))
    assert (done.delivery, done.tries) == (Delivery.DROPPED, 2)
