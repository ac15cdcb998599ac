"""A burst through detect and match: one upload, one outcome, one row; a track is a face; two people are never fused."""

import math
from dataclasses import replace

import pytest

from proviso.domain.candidate import Hit
from proviso.domain.frame import Counts, Jpeg, Outcome
from proviso.domain.messages import MAX_FACES, MAX_SENT_FACES
from proviso.domain.reasons import Reason, Refused
from tests.doubles import burst, people
from tests.samples import CAMERA, NOW, checked_permit, faces_message, frame_key, permit
from tests.unit.test_stage_detect import Room
from tests.unit.test_stage_match import Scene

BURST = frame_key().replace(".jpg", ".mjpeg")


# --- detect -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def room():
    made = Room()
    made.permits.objects[CAMERA] = permit(burst_frames=3)
    return made


def sent(room, *frames):
    room.detect(room.upload(burst(*frames), BURST))
    (message,) = room.queue.sent
    return message


def test_one_person_in_three_frames_is_one_face(room):
    row = room.detect(room.upload(burst([3], [3], [3]), BURST))
    (message,) = room.queue.sent
    assert (row.outcome, row.counts) == (Outcome.RECEIVED, Counts(detected=1))
    assert (message.frames, [[one.frame for one in track] for track in message.tracks]) == (3, [[0, 1, 2]])
    assert (message.detected, message.refused, message.not_searched) == (1, 0, 0)
    assert message.captured_at == NOW


def test_a_track_is_searched_if_one_of_its_faces_is_usable_and_only_those_are_sent(room):
    message = sent(room, ["~3", 4], [3, "~4"], ["~3", "~4", "~5"])
    assert [[one.frame for one in track] for track in message.tracks] == [[1], [0]]
    assert [(one.frame, one.box.x) for one in message.bystanders] == [
        (0, 100.0),
        (1, 220.0),
        (2, 100.0),
        (2, 220.0),
        (2, 340.0),
    ]
    assert (message.detected, message.refused, message.not_searched) == (3, 1, 0)


def test_a_burst_without_a_usable_face_is_one_no_face(room):
    row = room.detect(room.upload(burst(["~3"], ["~3", "~4"]), BURST))
    assert (row.outcome, row.counts) == (Outcome.NO_FACE, Counts(detected=2, refused=2))
    assert room.frames.objects == {}


def test_a_burst_is_not_opened_where_single_frames_were_authorised(room):
    room.permits.objects[CAMERA] = permit()
    row = room.detect(room.upload(burst([3], [3]), BURST))
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.TOO_MANY_FRAMES)
    assert (room.reads, room.pipeline.opened, room.frames.objects) == (0, [], {})


def test_of_a_burst_of_more_frames_than_were_authorised_no_pixel_is_decoded(room):
    row = room.detect(room.upload(burst(*[[3]] * 4), BURST))
    assert (row.outcome, row.reason, row.detail) == (Outcome.REFUSED, Reason.TOO_MANY_FRAMES, "more than 3")
    assert (room.pipeline.opened, room.frames.objects, room.queue.sent) == (["split"], {}, [])


@pytest.mark.parametrize(
    ("data", "reason", "detail"),
    [
        (people(3), Reason.NOT_A_BURST, "one frame only"),
        (people(3) + b"\nrubbish\n" + people(3), Reason.NOT_AN_IMAGE, "frame 2: "),
    ],
)
def test_a_burst_of_which_a_part_is_not_understood_is_refused_whole(room, data, reason, detail):
    row = room.detect(room.upload(data, BURST))
    assert (row.outcome, row.reason, row.detail) == (Outcome.UNREADABLE, reason, detail)
    assert (room.frames.objects, room.queue.sent) == ({}, [])


def test_a_single_frame_is_taken_where_bursts_are_allowed(room):
    assert room.detect(room.upload(people(3))).outcome is Outcome.RECEIVED


@pytest.mark.parametrize("number", [MAX_FACES + 3, MAX_FACES, 200, 150])
def test_caps_are_kept_and_what_is_over_them_is_counted_and_filled(room, number):
    everybody = [n % 100 for n in range(number)]
    message = sent(room, everybody, everybody, everybody)
    assert len(message.tracks) == min(number, MAX_FACES)
    assert message.detected == number
    assert message.not_searched == max(0, number - MAX_FACES)
    faces = sum(map(len, message.tracks))
    assert faces <= MAX_SENT_FACES
    assert faces + len(message.bystanders) == 3 * number


# --- match ------------------------------------------------------------------------------------------------------------


class BurstScene(Scene):
    """A burst in the bucket and in the queue. `searched`: the templates that the store was asked about."""

    def __init__(self, *frames, most=3):
        super().__init__()
        self.store.permit = checked_permit(burst_frames=most)
        room = Room()
        room.permits.objects[CAMERA] = permit(burst_frames=most)
        room.detect(room.upload(burst(*frames), BURST))
        (self.message,) = room.queue.sent
        self.key = BURST
        self.room.frames.objects.clear()
        self.room.frames.upload(BURST, burst(*frames), NOW)
        self.searched = []
        found = self.store.search

        def search(given, probes):
            self.searched += probes
            hits = found(given, probes)
            return hits or [[] for _ in probes]

        self.store.hits = []
        self.store.search = search

    def people(self):
        """Who was searched: per probe the axes that its template has a part of, with its parts."""
        return [
            {number: round(value, 3) for number, value in enumerate(probe.floats()) if value} for probe in self.searched
        ]


def test_a_track_is_one_probe_and_a_burst_one_row():
    scene = BurstScene([3, 4], [3, 4], [3])
    row = scene.match()
    assert scene.people() == [{3: 1.0}, {4: 1.0}]
    assert (row.outcome, row.counts) == (Outcome.SEARCHED, Counts(detected=2, searched=2))
    assert list(scene.store.searched) == [BURST]
    assert scene.gone


def test_two_people_who_cross_are_never_fused():
    """Each stands where the other stood a frame before: overlap takes them for one, their templates do not."""
    scene = BurstScene([3, 7], [7, 3])
    assert [[one.frame for one in track] for track in scene.message.tracks] == [[0, 1], [0, 1]]
    row = scene.match()
    assert sorted(scene.people(), key=str) == [{3: 1.0}, {3: 1.0}, {7: 1.0}, {7: 1.0}]
    assert row.counts == Counts(detected=4, searched=4)


def test_who_is_split_off_is_counted_as_a_face_of_their_own():
    scene = BurstScene([3, "~9"], [3], [5])
    row = scene.match()
    assert scene.people() == [{3: 1.0}, {5: 1.0}]
    assert row.counts == Counts(detected=3, refused=1, searched=2)
    assert scene.store.acts[0].details["faces_detected"] == 3


@pytest.mark.parametrize(("pair", "fused"), [((0.8, 0.6), True), ((0.4, math.sqrt(1 - 0.16)), False)])
def test_what_is_alike_enough_is_fused_by_the_normalised_mean(pair, fused, monkeypatch):
    import struct

    from proviso.domain.face import Template

    scene = BurstScene([0], [1])
    turned = Template(struct.pack("<128f", *pair, *[0.0] * 126), 128, scene.room.pipeline.digest)
    templates = scene.room.pipeline.templates
    monkeypatch.setattr(
        scene.room.pipeline,
        "templates",
        lambda image, faces: [turned if image.pixels == ["1"] else templates(image, faces)[0]],
    )
    scene.match()
    length = math.hypot(1 + pair[0], pair[1])
    mean = {0: round((1 + pair[0]) / length, 3), 1: round(pair[1] / length, 3)}
    assert scene.people() == ([mean] if fused else [{0: 1.0}, {0: round(pair[0], 3), 1: round(pair[1], 3)}])


def test_parts_over_the_cap_are_not_searched_and_counted():
    everybody = [n % 100 for n in range(MAX_FACES)]
    scene = BurstScene(everybody, [(n + 1) % 100 for n in everybody])
    row = scene.match()
    assert row.counts == Counts(detected=2 * MAX_FACES, searched=MAX_FACES, not_searched=MAX_FACES)
    assert len(scene.searched) == MAX_FACES


def test_a_candidate_is_shown_in_its_best_frame_with_all_others_of_that_frame_filled():
    scene = BurstScene([3, 4], [3, 4], [3, 4, "~5"])
    sharper = scene.message.tracks[0][2]
    sharper = replace(sharper, face=replace(sharper.face, quality=replace(sharper.face.quality, sharpness=999.0)))
    tracks = ((*scene.message.tracks[0][:2], sharper), scene.message.tracks[1])
    scene.message = replace(scene.message, tracks=tracks)
    scene.store.hits = [[Hit("e", 0.9)], []]
    scene.match()
    (shown, others) = scene.room.pipeline.evidence_asked[0]
    assert shown == sharper.face
    assert others == [tracks[1][2].face.box, scene.message.bystanders[0].box]
    assert len(scene.room.evidence.objects) == len(scene.store.candidates) == 1


def test_only_frames_with_a_face_to_be_searched_are_decoded():
    scene = BurstScene(["~3"], [3], [])
    scene.match()
    assert scene.room.pipeline.opened == ["split", "decode"]


def test_the_gate_asks_the_row_how_many_frames_were_authorised():
    """Whatever the permit object let detect do."""
    scene = BurstScene([3], [3], [3])
    scene.store.permit = checked_permit(burst_frames=2)
    row = scene.match()
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.TOO_MANY_FRAMES)
    assert (scene.searched, scene.store.acts, scene.gone) == ([], [], True)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (burst([3], [3]), Reason.NOT_A_BURST),
        (burst([3], [3], [3], [3]), Reason.TOO_MANY_FRAMES),
        (people(3), Reason.NOT_A_BURST),
        (b"rubbish\nrubbish\nrubbish", Reason.NOT_AN_IMAGE),
    ],
)
def test_another_object_in_its_place_is_not_searched(data, reason):
    scene = BurstScene([3], [3], [3])
    scene.room.frames.upload(BURST, data, NOW)
    row = scene.match()
    assert (row.outcome, row.reason) == (Outcome.UNREADABLE, reason)
    assert (scene.searched, scene.gone) == ([], True)


def test_a_redelivery_after_the_commit_tells_the_same_counts():
    """Match does not know then what it split: it reads what was committed."""
    scene = BurstScene([3, 7], [7, 3])
    first = scene.match()
    scene.room.ledger.rows.clear()
    assert scene.match().counts == first.counts == Counts(detected=4, searched=4)


def test_a_message_from_before_bursts_is_matched():
    import json

    from proviso.domain.messages import FacesMessage

    scene = Scene()
    body = json.loads(scene.message.to_json())
    faces = [track[0][1:] for track in body["tracks"]]
    old = {name: value for name, value in body.items() if name not in ("frames", "tracks")}
    read = FacesMessage.from_json(json.dumps({**old, "version": 1, "faces": faces, "bystanders": []}))
    assert scene.match(read).counts == Counts(detected=2, searched=2)


def test_an_upload_that_is_not_what_its_name_says_never_reaches_a_split():
    message = faces_message(frame_key())
    with pytest.raises(ValueError, match="kind of upload"):
        type(message).from_json(replace(message, frames=2).to_json())
    assert isinstance(Scene().room.pipeline.split(Jpeg(people(1)), 5), Refused)
