"""What travels between functions: one message an upload from detect to match. No pixels, no templates (rule 4)."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from proviso.domain.burst import MOST_FRAMES, FrameBox, FrameFace, Track
from proviso.domain.face import Box, Face, Quality
from proviso.domain.frame import FrameKey
from proviso.domain.reasons import Refused

MAX_FACES = 256
"""How many tracks of an upload are searched: of a single frame, faces."""

MAX_SENT_FACES = 768
"""How many faces a message holds: all five of each track for up to 153 tracks, three of each at the cap."""

MAX_BYSTANDERS = 1024
"""With as many faces and bystanders as this, each written as long as it can be, a message stays below 256 KB."""


@dataclass(frozen=True, slots=True)
class FacesMessage:
    """The faces of one upload that may be searched, as tracks, largest first, and the counts of those that may not.

    An upload of one frame has tracks of one face. `bystanders` are the boxes of all other detected faces (quality, or
    over a cap): match needs them only to fill them flat in an evidence picture of their frame (S15).
    """

    frame_key: str
    camera: str
    captured_at: datetime
    deployment_id: str
    digest: str
    pipeline: str
    correlation_id: str
    received_at: datetime
    frame_age_limit_s: int
    frames: int
    tracks: tuple[Track, ...]
    bystanders: tuple[FrameBox, ...]
    detected: int
    refused: int
    not_searched: int
    stages: tuple[tuple[str, float], ...] = ()

    def to_json(self) -> str:
        """The queue message's body: at most 768 faces of about 200 bytes."""
        return json.dumps(
            {
                "version": 2,
                "frame_key": self.frame_key,
                "camera": self.camera,
                "captured_at": self.captured_at.astimezone(UTC).isoformat(),
                "deployment_id": self.deployment_id,
                "digest": self.digest,
                "pipeline": self.pipeline,
                "correlation_id": self.correlation_id,
                "received_at": self.received_at.astimezone(UTC).isoformat(),
                "frame_age_limit_s": self.frame_age_limit_s,
                "frames": self.frames,
                "tracks": [[[one.frame, *_face_values(one.face)] for one in track] for track in self.tracks],
                "bystanders": [[one.frame, *_box_values(one.box)] for one in self.bystanders],
                "detected": self.detected,
                "refused": self.refused,
                "not_searched": self.not_searched,
                "stages": [[name, round(ms, 2)] for name, ms in self.stages],
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, body: str) -> "FacesMessage":
        """Read a body. ValueError when it is not one of ours: the message goes to the dead letters by reference.

        Version 1 was written before there were bursts: a list of faces of the one frame. Such messages may be on their
        way while the software is updated.
        """
        try:
            values: dict[str, Any] = json.loads(body)
            if values["version"] == 1:
                values = _as_version_2(values)
            if values["version"] != 2:
                raise ValueError("not a faces message: an unknown version")
            message = cls(
                frame_key=str(values["frame_key"]),
                camera=str(values["camera"]),
                captured_at=datetime.fromisoformat(values["captured_at"]),
                deployment_id=str(values["deployment_id"]),
                digest=str(values["digest"]),
                pipeline=str(values["pipeline"]),
                correlation_id=str(values["correlation_id"]),
                received_at=datetime.fromisoformat(values["received_at"]),
                frame_age_limit_s=int(values["frame_age_limit_s"]),
                frames=_number(values["frames"]),
                tracks=tuple(tuple(_frame_face(item) for item in track) for track in values["tracks"]),
                bystanders=tuple(FrameBox(_number(item[0]), _box(item[1:])) for item in values["bystanders"]),
                detected=int(values["detected"]),
                refused=int(values["refused"]),
                not_searched=int(values["not_searched"]),
                stages=tuple((str(name), float(ms)) for name, ms in values["stages"]),
            )
        except (KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(f"not a faces message: {type(error).__name__}") from error
        # The camera and the time that the gate is asked about are those of the frame that is read (S01).
        key = FrameKey.parse(message.frame_key)
        if isinstance(key, Refused) or (key.camera, key.captured_at) != (message.camera, message.captured_at):
            raise ValueError("the faces message does not belong to its frame")
        if message.received_at.tzinfo is None:
            raise ValueError("not a faces message: a time without its zone")
        _check_frames(message, key)
        return message


def _check_frames(message: FacesMessage, key: FrameKey) -> None:
    """ValueError unless its tracks may be those of this kind of upload."""
    most = MOST_FRAMES if key.is_burst else 1
    if not (2 if key.is_burst else 1) <= message.frames <= most:
        raise ValueError("the faces message does not belong to its kind of upload")
    if len(message.tracks) > MAX_FACES or sum(map(len, message.tracks)) > MAX_SENT_FACES:
        raise ValueError("not a faces message: too many faces")
    for track in message.tracks:
        frames = [one.frame for one in track]
        if not frames or frames != sorted(set(frames)) or frames[0] < 0 or frames[-1] >= message.frames:
            raise ValueError("not a faces message: a track goes through its frames once, and has one at least")
    if any(not 0 <= one.frame < message.frames for one in message.bystanders):
        raise ValueError("not a faces message: a bystander of no frame")


def _as_version_2(values: dict[str, Any]) -> dict[str, Any]:
    return {
        **values,
        "version": 2,
        "frames": 1,
        "tracks": [[[0, *face]] for face in values["faces"]],
        "bystanders": [[0, *box] for box in values["bystanders"]],
    }


def _face_values(face: Face) -> list[Any]:
    q = face.quality
    return [
        _box_values(face.box),
        [[round(x, 2), round(y, 2)] for x, y in face.landmarks],
        round(face.detector_confidence, 4),
        [round(v, 4) for v in (q.inter_eye_px, q.sharpness, q.luminance, q.yaw, q.roll_deg, q.inside_share)],
    ]


def _box_values(box: Box) -> list[float]:
    return [round(v, 2) for v in (box.x, box.y, box.width, box.height)]


def _frame_face(values: list[Any]) -> FrameFace:
    frame, box, landmarks, confidence, quality = values
    right_eye, left_eye, nose, right_mouth, left_mouth = ((float(x), float(y)) for x, y in landmarks)
    face = Face(
        box=_box(box),
        landmarks=(right_eye, left_eye, nose, right_mouth, left_mouth),
        detector_confidence=float(confidence),
        quality=Quality(*(float(v) for v in quality)),
    )
    return FrameFace(_number(frame), face)


def _box(values: list[Any]) -> Box:
    x, y, width, height = (float(v) for v in values)
    return Box(x, y, width, height)


def _number(value: Any) -> int:
    """A count or a frame's number. A truth value or a number with a fraction is none."""
    if type(value) is not int:
        raise ValueError("not a faces message: a number of frames is whole")
    return value
