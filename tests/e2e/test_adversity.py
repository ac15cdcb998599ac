"""The journey when things go wrong: a stop in the midst, everything delivered twice, the database away and back."""

import json
import time
from collections.abc import Callable

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from proviso.cli.api import Api, ApiFault
from proviso.cli.demo.cameras import Sent, UploadsMissing
from proviso.cli.demo.scene import CANDIDATE, NORTH, SOUTH, Scene, scenes
from proviso.cli.demo.script import RECIPIENTS, REQUESTER, REVIEWER, REVIEWERS, Demonstration
from proviso.cli.demo.verdict import NOT_PERMITTED, outcome_of
from proviso.cli.places import Models
from proviso.domain.frame import Outcome

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
Begin = Callable[[], Demonstration]
TOO_LATE = ("not_active", "wrong_state", "too_late")


def listed(models: Models, camera: str = NORTH) -> tuple[Scene, ...]:
    """One frame with the listed person."""
    drawn = scenes(models.smallest_face_px)
    return (next(scene for scene in drawn if scene.camera == camera and scene.expected == CANDIDATE),)


def outcomes(play: Demonstration, sent: list[Sent], timeout_s: float = 40.0) -> list[str]:
    rows = play.outcomes(sent, timeout_s)
    return [outcome_of(rows.get(each.key)) for each in sent]


def refusal_of(act: Callable[[], object]) -> str:
    """The reason for which the API refuses; "done" when it does not."""
    try:
        act()
    except ApiFault as refused:
        return refused.reason
    return "done"


def test_after_a_stop_nothing_is_searched_and_nothing_more_goes_out(begin: Begin, models: Models) -> None:
    """S04: queued frames are refused, the pending candidate freezes, the recipients are never told."""
    play = begin()
    cameras = play.cameras()
    assert cameras.put(NORTH).right().url.startswith(play.cloud.uploads_endpoint)
    assert play.cloud.uploads_endpoint not in ("", play.cloud.aws_endpoint)
    assert outcomes(play, cameras.run(NORTH, listed(models), 60.0)) == [CANDIDATE]
    (candidate,) = play.candidates()
    assert len(play.wait_for_messages(REVIEWERS)) == 2

    stopped = play.stop()
    assert stopped["stopped"] == [play.deployment]
    assert sorted(stopped["permits_deleted"]) == [NORTH, SOUTH]

    # The grant that north holds lasts for its minutes, so its frame arrives, and is refused; south never had one.
    assert outcomes(play, cameras.run(NORTH, listed(models), 60.0)) == ["refused: no_permit"]
    with pytest.raises(UploadsMissing, match=NOT_PERMITTED):
        cameras.run(SOUTH, listed(models, SOUTH), 1.0)
    assert play.frames_left() == []
    assert refusal_of(lambda: play.confirm(candidate["id"])) in TOO_LATE
    assert refusal_of(play.start) == "wrong_state"
    assert play.cloud.wait_idle(20)
    assert play.messages(RECIPIENTS) == []
    assert len(play.messages(REVIEWERS)) == 2

    certificate = play.close()
    assert certificate["complete"] is True
    assert {count["left"] for count in certificate["counts"]} == {0}


def test_frames_that_are_queued_when_the_stop_comes_are_refused(begin: Begin, models: Models) -> None:
    """S04: a faces message that detect sent under the permit is refused by the row that match locks."""
    play = begin()
    faces = play.cloud.pool("MatchFunction")
    held: list[object] = []
    original = faces.invoke

    def after_the_stop(event: object, *rest: object) -> object:
        if not held:
            held.append(play.stop())
        return original(event, *rest)  # type: ignore[arg-type]

    faces.invoke = after_the_stop  # type: ignore[method-assign, assignment]
    sent = play.cameras().run(NORTH, listed(models), 60.0)
    assert outcomes(play, sent) == ["refused: not_active"]
    assert held
    assert play.frames_left() == []
    assert play.messages(REVIEWERS) == []


def test_what_is_delivered_again_and_again_happens_once(begin: Begin, models: Models) -> None:
    """Rules 3, 5 and 6: one outcome, one candidate, one notice, whatever is delivered twice."""
    play = begin()
    sqs, frames = play.cloud.client("sqs"), play.cloud.physical("FramesQueue")
    notices = play.cloud.physical("NoticesQueue")
    sent = play.cameras().run(NORTH, listed(models), 60.0)
    again = notification(play.cloud.physical("FramesBucket"), sent[0].key)
    for _ in range(4):
        sqs.send_message(QueueUrl=frames, MessageBody=again)
    assert outcomes(play, sent) == [CANDIDATE]
    (candidate,) = play.candidates()
    assert len(play.wait_for_messages(REVIEWERS)) == 2
    outbox = play.cloud.physical("OutboxBucket")
    (key,) = keys(play, outbox, "notices/")
    for _ in range(3):
        sqs.send_message(QueueUrl=notices, MessageBody=notification(outbox, key))
        sqs.send_message(QueueUrl=frames, MessageBody=again)
    assert play.cloud.wait_idle(30)

    assert [waiting["id"] for waiting in play.candidates()] == [candidate["id"]]
    assert len(play.messages(REVIEWERS)) == 2
    rows = play.ledger()
    assert list(rows) == [sent[0].key]
    assert rows[sent[0].key].counts.candidates == 1
    assert play.confirm(candidate["id"])["state"] == "confirmed"
    assert refusal_of(lambda: play.confirm(candidate["id"])) in TOO_LATE
    assert len(play.wait_for_messages(RECIPIENTS)) == 2
    assert play.cloud.wait_idle(20)
    assert len(play.messages(RECIPIENTS)) == 2
    assert play.audit_fault()[1] is None


def test_a_frame_waits_for_the_database_and_is_searched_when_it_is_back(begin: Begin, models: Models) -> None:
    """Rule 8: not searched, not deleted, tried again within the age limit. The API says when to come back."""
    play = begin()
    database_away(play, away=True)
    sent = play.cameras().run(NORTH, listed(models), 60.0)
    time.sleep(4)
    row = play.ledger().get(sent[0].key)
    assert row is not None
    assert row.outcome is Outcome.RECEIVED
    assert play.frames_left(timeout_s=0.5) == [sent[0].key]
    impatient = Api(play.cloud.api_url, play.cloud.sign_in(REVIEWER), patience_s=0)
    with pytest.raises(ApiFault) as raised:
        impatient.get("/candidates")
    assert (raised.value.status, raised.value.reason) == (503, "database_away")

    database_away(play, away=False)
    assert outcomes(play, sent) == [CANDIDATE]
    assert len(play.candidates()) == 1
    assert play.frames_left() == []


def test_a_stop_needs_no_database_and_is_carried_out_when_it_is_back(begin: Begin, models: Models) -> None:
    """Rule 9: the permits go at once; the row and the audit follow."""
    play = begin()
    cameras = play.cameras()
    cameras.put(NORTH).right()
    database_away(play, away=True)
    stopped = play.stop()
    assert sorted(stopped["permits_deleted"]) == [NORTH, SOUTH]
    assert "away" in stopped["database"]
    assert outcomes(play, cameras.run(NORTH, listed(models), 60.0)) == ["refused: no_permit"]

    database_away(play, away=False)

    def carried_out() -> bool | None:
        play.cloud.run_schedule("SweepFunction")
        state = play.as_person(REQUESTER).get(f"/deployments/{play.deployment}")["state"]
        return True if state == "stopped" else None

    assert play.until(carried_out, 30.0, "the stop")
    assert play.audit_fault()[1] is None


def database_away(play: Demonstration, *, away: bool) -> None:
    """Nobody can connect any more, and who is connected is thrown out; or all is as it was."""
    master = make_conninfo(play.cloud.database_url, dbname="postgres")
    with psycopg.connect(master, autocommit=True) as connection:
        name = psycopg.conninfo.conninfo_to_dict(play.cloud.database_url)["dbname"]
        connection.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS {"false" if away else "true"}'.encode())
        if away:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(query, (name,))


def notification(bucket: str, key: str) -> str:
    """An S3 event as the queue holds it."""
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "eu-west-2"}
    stored = {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}}
    return json.dumps({"Records": [{**record, "eventTime": "2026-11-22T20:00:00.000Z", "s3": stored}]})


def keys(play: Demonstration, bucket: str, prefix: str) -> list[str]:
    found = play.cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for item in found.get("Contents", [])]
