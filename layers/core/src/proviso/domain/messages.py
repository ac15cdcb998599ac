"""What travels between functions: one message a frame from detect to match. No pixels, no templates (rule 4)."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from proviso.domain.face import Box, Face, Quality
from proviso.domain.frame import FrameKey
from proviso.domain.reasons import Refused

MAX_FACES = 256


@dataclass(frozen=True, slots=True)
class FacesMessage:
    """The faces of one frame that may be searched, largest first, and the counts of those that may not.

    `bystanders` are the boxes of detected faces that are not searched (quality, or over the cap): match needs them
    only to fill them flat in an evidence picture (S15).
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
    faces: tuple[Face, ...]
    bystanders: tuple[Box, ...]
    detected: int
    refused: int
    not_searched: int
    stages: tuple[tuple[str, float], ...] = ()

    def to_json(self) -> str:
        """The queue message's body: at most 256 faces of about 200 bytes."""
        return json.dumps(
            {
                "version": 1,
                "frame_key": self.frame_key,
                "camera": self.camera,
                "captured_at": self.captured_at.astimezone(UTC).isoformat(),
                "deployment_id": self.deployment_id,
                "digest": self.digest,
                "pipeline": self.pipeline,
                "correlation_id": self.correlation_id,
                "received_at": self.received_at.astimezone(UTC).isoformat(),
                "frame_age_limit_s": self.frame_age_limit_s,
                "faces": [_face_values(face) for face in self.faces],
                "bystanders": [[round(v, 2) for v in (b.x, b.y, b.width, b.height)] for b in self.bystanders],
                "detected": self.detected,
                "refused": self.refused,
                "not_searched": self.not_searched,
                "stages": [[name, round(ms, 2)] for name, ms in self.stages],
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, body: str) -> "FacesMessage":
        """Read a body. ValueError when it is not one of ours: the message goes to the dead letters by reference."""
        try:
            values: dict[str, Any] = json.loads(body)
            if values["version"] != 1 or len(values["faces"]) > MAX_FACES:
                raise ValueError("unknown version or too many faces")
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
                faces=tuple(_face(item) for item in values["faces"]),
                bystanders=tuple(Box(*(float(v) for v in box)) for box in values["bystanders"]),
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
        return message


def _face_values(face: Face) -> list[Any]:
    box, q = face.box, face.quality
    return [
        [round(v, 2) for v in (box.x, box.y, box.width, box.height)],
        [[round(x, 2), round(y, 2)] for x, y in face.landmarks],
        round(face.detector_confidence, 4),
        [round(v, 4) for v in (q.inter_eye_px, q.sharpness, q.luminance, q.yaw, q.roll_deg, q.inside_share)],
    ]


def _face(values: list[Any]) -> Face:
    box, landmarks, confidence, quality = values
    right_eye, left_eye, nose, right_mouth, left_mouth = ((float(x), float(y)) for x, y in landmarks)
    return Face(
        box=Box(*(float(v) for v in box)),
        landmarks=(right_eye, left_eye, nose, right_mouth, left_mouth),
        detector_confidence=float(confidence),
        quality=Quality(*(float(v) for v in quality)),
    )
