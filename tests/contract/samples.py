"""Values for the contract tests of the cloud ports. Nobody and nothing real."""

from datetime import UTC, datetime, timedelta

from proviso.domain.burst import FrameBox, FrameFace
from proviso.domain.face import Box, Face, Quality
from proviso.domain.frame import Counts, LedgerEntry, Outcome
from proviso.domain.messages import FacesMessage
from proviso.domain.notice import Kind, Notice
from proviso.domain.permit import Permit
from proviso.domain.reasons import Reason

NOW = datetime(2026, 11, 22, 20, 15, 30, 250000, tzinfo=UTC)
CANDIDATE = "5b0c1f7e-9a55-5c1d-8a53-0b6f1c2d3e4f"
DEPLOYMENT = "0d2f7c1a-6a3e-4f5b-9c8d-7e6f5a4b3c2d"
CAMERA = "gate-1"
FRAME = "gate-1/2026-11-22/201530.250Z_000001.jpg"


def permit(camera: str = CAMERA) -> Permit:
    return Permit(
        deployment_id=DEPLOYMENT,
        digest="d" * 64,
        camera=camera,
        starts_at=NOW - timedelta(minutes=5),
        ends_at=NOW + timedelta(minutes=55),
        pipeline="p" * 64,
        frame_age_limit_s=300,
        clock_skew_s=2,
    )


def notice(kind: Kind = Kind.RAISED, candidate: str = CANDIDATE, place: str = "Gate 1") -> Notice:
    return Notice(
        candidate_id=candidate,
        kind=kind,
        deployment_id=DEPLOYMENT,
        camera=CAMERA,
        place=place,
        occurred_at=NOW,
        expires_at=NOW + timedelta(minutes=5),
        message_prefix="DEMONSTRATION",
        calibrated=False,
        correlation_id="3f0e2d1c-4b5a-5968-8776-655443322110",
        category="" if kind is Kind.RAISED else "public_domain_photograph",
    )


def refused(key: str = FRAME, finished_at: datetime | None = NOW) -> LedgerEntry:
    return LedgerEntry(
        key=key,
        outcome=Outcome.REFUSED,
        received_at=NOW - timedelta(seconds=1),
        reason=Reason.NO_PERMIT,
        detail="no permit object",
        camera=CAMERA,
        finished_at=finished_at,
    )


def searched(key: str = FRAME) -> LedgerEntry:
    return LedgerEntry(
        key=key,
        outcome=Outcome.SEARCHED,
        received_at=NOW - timedelta(seconds=1),
        camera=CAMERA,
        deployment_id=DEPLOYMENT,
        counts=Counts(detected=4, refused=1, searched=2, not_searched=1, candidates=1),
        finished_at=NOW,
        stages=(("decode", 2.125), ("detect", 5.75)),
    )


def faces() -> FacesMessage:
    face = Face(
        box=Box(100.0, 120.0, 96.0, 120.0),
        landmarks=((125.0, 160.0), (170.0, 161.0), (148.0, 185.0), (130.0, 210.0), (166.0, 211.0)),
        detector_confidence=0.93,
        quality=Quality(45.0, 210.0, 118.0, 0.02, 1.3),
    )
    return FacesMessage(
        frame_key=FRAME,
        camera=CAMERA,
        captured_at=NOW,
        deployment_id=DEPLOYMENT,
        digest="d" * 64,
        pipeline="p" * 64,
        correlation_id="3f0e2d1c-4b5a-5968-8776-655443322110",
        received_at=NOW,
        frame_age_limit_s=300,
        frames=1,
        tracks=((FrameFace(0, face),),),
        bystanders=(FrameBox(0, Box(400.0, 100.0, 20.0, 24.0)),),
        detected=2,
        refused=1,
        not_searched=0,
        stages=(("decode", 2.12),),
    )
