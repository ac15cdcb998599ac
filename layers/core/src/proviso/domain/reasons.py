"""Why something was refused: one closed list, each reason with a sentence that says what to do.

A refusal is a value, not an exception: it is an expected answer, it is counted, and it is final.
Enrolment reasons follow the quality terms of ISO/IEC 29794-5.
"""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    # a frame's way (S01, S04, S36)
    NO_PERMIT = "no_permit"
    OUTSIDE_WINDOW = "outside_window"
    CAMERA_NOT_LISTED = "camera_not_listed"
    NOT_ACTIVE = "not_active"
    DIGEST_DIFFERS = "digest_differs"
    CLOCK_SKEW = "clock_skew"
    STALE = "stale"
    # an object that is no frame or no picture
    BAD_KEY = "bad_key"
    WRONG_TYPE = "wrong_type"
    EMPTY = "empty"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    NOT_A_BURST = "not_a_burst"
    TOO_MANY_FRAMES = "too_many_frames"
    # a face (ISO/IEC 29794-5 terms)
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    FACE_TOO_SMALL = "inter_eye_distance_too_small"
    NOT_SHARP = "not_sharp"
    UNDER_EXPOSED = "under_exposed"
    OVER_EXPOSED = "over_exposed"
    POSE_YAW = "pose_yaw"
    POSE_ROLL = "pose_roll"
    FACE_CUT_OFF = "face_cut_off"
    # people and their acts
    NOT_SIGNED_IN = "not_signed_in"
    CAMERA_KEY = "camera_key"
    ROLE_MISSING = "role_missing"
    SAME_PERSON = "same_person"
    NOT_FOUND = "not_found"
    WRONG_STATE = "wrong_state"
    INVALID = "invalid"
    POLICY_FORBIDS = "policy_forbids"
    TERMS_CHANGED = "terms_changed"
    CAMERA_BUSY = "camera_busy"
    TOO_LATE = "too_late"
    NOT_CALIBRATED = "not_calibrated"
    TRIAL_TOO_SMALL = "trial_too_small"
    NOT_AS_RECORDED = "not_as_recorded"
    THRESHOLD_TOO_LOW = "threshold_too_low"
    NOT_ANNOUNCED = "not_announced"
    NO_DECISION = "no_decision"
    NOT_TRAINED = "not_trained"
    NOT_A_MEMBER = "not_a_member"
    REVIEWER_CAP = "reviewer_cap"
    ERRS_TOO_OFTEN = "errs_too_often"
    NO_TEST_PAIRS = "no_test_pairs"
    SUSPENDED = "suspended"
    TAKEN = "taken"
    NOT_APPROVED = "not_approved"
    BUILD_TOO_OLD = "build_too_old"
    BUILD_EMPTY = "build_empty"
    SCHEMA_NEWER = "schema_newer"
    REFERENCES_DIFFER = "references_differ"
    NOT_REACHABLE = "not_reachable"
    NOT_OFFERED_YET = "not_offered_yet"


SENTENCES: dict[Reason, str] = {
    Reason.NO_PERMIT: "no permit is in force for this camera; request, authorise and start a deployment that lists it",
    Reason.OUTSIDE_WINDOW: "the time lies outside the deployment's window",
    Reason.CAMERA_NOT_LISTED: "the camera is not part of the deployment",
    Reason.NOT_ACTIVE: "the deployment is not active",
    Reason.DIGEST_DIFFERS: "what is running is not what was authorised; it must be authorised again",
    Reason.CLOCK_SKEW: "the capture time lies in the future; set the camera's clock",
    Reason.STALE: "the frame is older than the age limit",
    Reason.BAD_KEY: "the object's name is not <camera>/<YYYY-MM-DD>/<HHMMSS.mmm>Z_<sequence>.jpg or .mjpeg",
    Reason.WRONG_TYPE: "the object is not a JPEG",
    Reason.EMPTY: "the object is empty",
    Reason.TOO_MANY_BYTES: "the object is larger than allowed",
    Reason.TOO_MANY_PIXELS: "the picture has more pixels than allowed",
    Reason.NOT_AN_IMAGE: "the object cannot be decoded as a picture",
    Reason.TRUNCATED: "the picture ends before its data is complete",
    Reason.NOT_A_BURST: "the object is not two to five whole JPEGs of one size, one after the other",
    Reason.TOO_MANY_FRAMES: "the upload holds more frames than were authorised; send fewer, or single frames",
    Reason.NO_FACE: "no face was found; use a picture in which the face is visible",
    Reason.SEVERAL_FACES: "several faces were found; use a picture of one person",
    Reason.FACE_TOO_SMALL: "the face is too small; use a picture with more pixels between the eyes",
    Reason.NOT_SHARP: "the face is not sharp enough",
    Reason.UNDER_EXPOSED: "the face is too dark",
    Reason.OVER_EXPOSED: "the face is too bright",
    Reason.POSE_YAW: "the face is turned too far to the side",
    Reason.POSE_ROLL: "the head is tilted too far",
    Reason.FACE_CUT_OFF: "the face reaches over the edge of the picture",
    Reason.NOT_SIGNED_IN: "sign in first",
    Reason.CAMERA_KEY: "the key is not accepted for this camera; register it and use the key it was given last",
    Reason.ROLE_MISSING: "your account does not have the role that this needs",
    Reason.SAME_PERSON: "another person must do this",
    Reason.NOT_FOUND: "there is nothing of that name",
    Reason.WRONG_STATE: "it is not in a state in which this can be done",
    Reason.INVALID: "the input is not valid",
    Reason.POLICY_FORBIDS: "the policy does not allow this",
    Reason.TERMS_CHANGED: "the terms are not those that were shown; look again and authorise what is there now",
    Reason.CAMERA_BUSY: "a camera of this deployment is already part of another active deployment",
    Reason.TOO_LATE: "the time for this has passed",
    Reason.NOT_CALIBRATED: "there is no calibration for this pipeline, and the policy asks for one",
    Reason.TRIAL_TOO_SMALL: "this is too few passages to say anything about a place; let more people walk",
    Reason.NOT_AS_RECORDED: "these are not the counts that the deployment itself recorded; work them out again",
    Reason.THRESHOLD_TOO_LOW: "the threshold lies below the calibrated floor for a list of this size",
    Reason.NOT_ANNOUNCED: "the public has not been told; record the public notice and the signage first",
    Reason.NO_DECISION: "no court or independent authority has allowed this; record its decision first",
    Reason.NOT_TRAINED: "your training is not current; an authoriser records when it was renewed",
    Reason.NOT_A_MEMBER: "you are not named for this deployment; its requester or an authoriser can do that",
    Reason.REVIEWER_CAP: "you have decided as many candidates as an hour allows; rest, and others go on",
    Reason.ERRS_TOO_OFTEN: "your answers to test candidates are wrong too often; train, and have it recorded",
    Reason.NO_TEST_PAIRS: "the policy asks for tests of reviewers, and there are no pictures for them; add test pairs",
    Reason.SUSPENDED: "a deployment of this operator and pipeline was suspended (S26, S27); an authoriser who had no"
    " part in it reviews that first: proviso suspensions",
    Reason.TAKEN: "this reference number is on the list already, and stays taken when its entry is removed",
    Reason.NOT_APPROVED: "a second person has to approve an entry under 18",
    Reason.BUILD_TOO_OLD: "the watchlist build is too old; build it again and have it authorised",
    Reason.BUILD_EMPTY: "the watchlist has no usable reference; enrol a picture first",
    Reason.SCHEMA_NEWER: "the database was migrated by a newer build of the software than the one that runs; deploy"
    " that build or a later one",
    Reason.REFERENCES_DIFFER: "the pictures of an entry do not look like one person; remove it and enrol it again",
    Reason.NOT_REACHABLE: "these accounts could not be told: an address is not confirmed, has vanished, or was not"
    " looked at in the last 15 minutes; have them confirm and wait 20 minutes, or remove their contact or membership",
    Reason.NOT_OFFERED_YET: "this part is not built yet, and so it is refused",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal: the reason from the closed list, and what exactly was wrong (identifiers and figures only)."""

    reason: Reason
    detail: str = ""

    @property
    def sentence(self) -> str:
        """What was wrong and what to do, for people."""
        return SENTENCES[self.reason] + (f" ({self.detail})" if self.detail else "")
