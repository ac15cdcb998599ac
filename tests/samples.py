"""Values of the domain for unit and safeguards tests. Nobody and nothing real."""

import struct
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from proviso.domain.burst import FrameFace
from proviso.domain.candidate import Candidate, CandidateState, ConfirmingReview, Decision, Review, candidate_id
from proviso.domain.conditions import Attestation, Attested, Conditions
from proviso.domain.contacts import Address, Contact, Members
from proviso.domain.deployment import Deployment, DeploymentState, Grounds
from proviso.domain.face import Box, Face, Quality, QualityGate, Template
from proviso.domain.frame import FrameKey
from proviso.domain.messages import FacesMessage
from proviso.domain.monitoring import Cause, Monitoring, Suspension, monitoring_from
from proviso.domain.notice import Kind, Notice
from proviso.domain.people import Person, Principal, Role
from proviso.domain.permit import CheckedPermit, Permit
from proviso.domain.policy import Policy
from proviso.domain.recipient_ports import Noticed, Particulars
from proviso.domain.review_ports import Revealed, Shown
from proviso.domain.seeding import SeedSetting
from proviso.domain.watchlist import Watchlist

NOW = datetime(2026, 11, 22, 20, 15, 30, 250000, tzinfo=UTC)
START = NOW - timedelta(minutes=5)
END = NOW + timedelta(minutes=40)
CAMERA = "gate-1"
DEPLOYMENT = "0d2f7c1a-6a3e-4f5b-9c8d-7e6f5a4b3c2d"
PIPELINE = "9" * 64
SUSPENSION = "7a0d5a9e-1f2b-4c3d-8e4f-5a6b7c8d9e0f"
SOFTWARE = "test-build"
CATEGORY = "public_domain_photograph"
GATE = QualityGate(32, 16, 20, 40, 220, 0.4, 30, 0.9)


def policy(**changed) -> Policy:
    """The rules of `demo`, which may run uncalibrated."""
    rules = Policy(
        name="demo",
        version="2026.11.3",
        uses=("demonstration",),
        categories=("public_domain_photograph",),
        max_entries=5,
        max_duration_minutes=60,
        calibration_required=False,
        site_trial_required=False,
        reviewers_required=1,
        consent_required=False,
        build_max_age_hours=24,
        image_warn_age_years=100,
        image_refuse_age_years=200,
        frame_age_limit_s=60,
        clock_skew_s=5,
        same_entry_window_s=120,
        decide_within_s=300,
        notice_useful_s=600,
        evidence_hours=24,
        message_prefix="DEMONSTRATION",
        extends="",
        differences=(),
        operator_kinds=("demonstration",),
        premises=("closed_premises",),
        authoriser_ranks=(),
        under_18_allowed=False,
        public_notice_hours=0,
        public_notice_waivable=False,
        decision_required=False,
        urgent_start_hours=0,
        false_hits_per_million_faces=1_000_000,
        false_candidates_per_million_passages=1_000_000,
        groups_unrecorded_limit_percent=100,
    )
    return replace(rules, **changed)


def grounds(**changed) -> Grounds:
    return Grounds(
        **{
            "operator_kind": "demonstration",
            "operator_name": "Example",
            "legal_basis": "for the test",
            "policy_document": "P-1",
            "necessity": "for the test",
            "proportionality": "for the test",
            "less_intrusive_means": "none would test it",
            "schedule_8_condition": "not applicable",
            "data_protection_assessment": "D-1",
            "equality_assessment": "E-1",
            "community_assessment": "C-1",
            **changed,
        }
    )


def deployment(**changed) -> Deployment:
    asked = Deployment(
        id=DEPLOYMENT,
        state=DeploymentState.REQUESTED,
        use="demonstration",
        place="Gate 1",
        premises="closed_premises",
        passages_expected=100,
        cameras=(CAMERA,),
        starts_at=START,
        ends_at=END,
        watchlist_id="list-1",
        build_id="build-1",
        build_digest="b" * 64,
        pipeline=PIPELINE,
        threshold=Decimal("0.5"),
        policy=policy(),
        software_build=SOFTWARE,
        grounds=grounds(),
        requested_by="requester",
        requested_at=START - timedelta(minutes=1),
    )
    return replace(asked, **changed)


def watchlist(**changed) -> Watchlist:
    """An empty list under `policy()`."""
    rules = policy()
    made = Watchlist(
        id="list-1",
        name="List",
        policy=rules.name,
        categories=rules.categories,
        max_entries=rules.max_entries,
        created_by="officer",
        created_at=NOW,
        consent_required=rules.consent_required,
        under_18_allowed=rules.under_18_allowed,
        image_refuse_age_years=rules.image_refuse_age_years,
    )
    return replace(made, **changed)


def permit(**changed) -> Permit:
    given = Permit(DEPLOYMENT, "d" * 64, CAMERA, START, END, PIPELINE, frame_age_limit_s=60, clock_skew_s=5)
    return replace(given, **changed)


def checked_permit(**changed) -> CheckedPermit:
    given = CheckedPermit(
        DEPLOYMENT, "d" * 64, "build-1", PIPELINE, Decimal("0.5"), "Gate 1", CAMERA, END, policy(), calibrated=False
    )
    return replace(given, **changed)


def frame_key(sequence: int = 1, camera: str = CAMERA, at: datetime = NOW) -> str:
    return str(FrameKey(camera, at, sequence))


def face(x: float = 100.0, side: float = 96.0, **quality) -> Face:
    """A usable face; measures of its quality may be changed."""
    measures = {"inter_eye_px": side / 2, "sharpness": 210.0, "luminance": 118.0, "yaw": 0.02, "roll_deg": 1.3}
    eye, mouth = 160.0, 200.0
    points = ((x + 20, eye), (x + 60, eye), (x + 40, 180.0), (x + 24, mouth), (x + 56, mouth))
    return Face(Box(x, 120.0, side, side), points, 0.93, Quality(**{**measures, **quality}))


def axis(number: int, pipeline: str = PIPELINE) -> Template:
    """A unit vector along one of 128 axes: similarity 1 to itself and 0 to every other."""
    return Template(struct.pack("<128f", *(1.0 if i == number else 0.0 for i in range(128))), 128, pipeline)


def faces_message(key: str | None = None, count: int = 1, **changed) -> FacesMessage:
    key = key or frame_key()
    parsed = FrameKey.parse(key)
    message = FacesMessage(
        frame_key=key,
        camera=parsed.camera,
        captured_at=parsed.captured_at,
        deployment_id=DEPLOYMENT,
        digest="d" * 64,
        pipeline=PIPELINE,
        correlation_id="3f0e2d1c-4b5a-5968-8776-655443322110",
        received_at=NOW,
        frame_age_limit_s=60,
        frames=1,
        tracks=tuple((FrameFace(0, face(x=100.0 + 120 * i)),) for i in range(count)),
        bystanders=(),
        detected=count,
        refused=0,
        not_searched=0,
    )
    return replace(message, **changed)


def candidate(**changed) -> Candidate:
    key = frame_key()
    raised = Candidate(
        id=candidate_id(DEPLOYMENT, key, "entry-1"),
        deployment_id=DEPLOYMENT,
        entry_id="entry-1",
        camera=CAMERA,
        place="Gate 1",
        frame_key=key,
        captured_at=NOW,
        raised_at=NOW,
        decide_by=NOW + timedelta(minutes=5),
        last_sighting_at=NOW,
        state=CandidateState.RAISED,
        similarity=0.71,
        threshold=Decimal("0.5"),
        pipeline=PIPELINE,
        policy="demo 2026.11.3",
        calibrated=False,
        evidence_key=f"evidence/{DEPLOYMENT}/x.jpg",
        evidence_digest="e" * 64,
        correlation_id="3f0e2d1c-4b5a-5968-8776-655443322110",
    )
    return replace(raised, **changed)


def shown(**changed) -> Shown:
    """`candidate()` as its reviewer sees it."""
    seen = candidate()
    made = Shown(
        id=seen.id,
        deployment_id=DEPLOYMENT,
        camera=CAMERA,
        place="Gate 1",
        captured_at=NOW,
        raised_at=NOW,
        decide_by=seen.decide_by,
        state=CandidateState.RAISED,
        message_prefix="DEMONSTRATION",
        evidence_key=seen.evidence_key,
        face=(10, 20, 30, 40),
        open_to_view=True,
        seeded=False,
        reviewers_required=1,
        error_limit_percent=20,
    )
    return replace(made, **changed)


REVEALED = Revealed(
    similarity=0.71,
    threshold=Decimal("0.5"),
    calibrated=False,
    policy="demo 2026.11.3",
    category="public_domain_photograph",
    listing_reason="for the test",
    others=(),
    demographics_recorded=False,
)
NO_TESTS = SeedSetting(
    percent=0,
    decided=1,
    given=0,
    mates=0,
    non_mates=0,
    cameras=(CAMERA,),
    place="Gate 1",
    decide_within_s=300,
    ends_at=END,
)


def noticed(**changed) -> Noticed:
    """`candidate()` as its recipients see it, confirmed at NOW."""
    seen = candidate()
    made = Noticed(
        id=seen.id,
        deployment_id=DEPLOYMENT,
        state=CandidateState.CONFIRMED,
        camera=CAMERA,
        place="Gate 1",
        captured_at=NOW,
        raised_at=NOW,
        confirmed_at=NOW,
        useful_until=NOW + timedelta(minutes=10),
        over_at=END,
        message_prefix="DEMONSTRATION",
        calibrated=False,
        category="public_domain_photograph",
        evidence_key=seen.evidence_key,
        face=(10, 20, 30, 40),
        outcome=None,
        asked_at=NOW,
    )
    return replace(made, **changed)


def particulars() -> Particulars:
    return Particulars("Example", "demonstration", "for the test", "demo 2026.11.3", policy())


def confirmation(**changed) -> ConfirmingReview:
    confirmed = candidate(state=CandidateState.CONFIRMED, **changed)
    review = Review("review-1", confirmed.id, "reviewer", Decision.CONFIRM, "alike", NOW)
    return ConfirmingReview(review, confirmed, "DEMONSTRATION", NOW + timedelta(minutes=10))


def notice(kind: Kind = Kind.RAISED, **changed) -> Notice:
    made = Notice(
        candidate_id=candidate().id,
        kind=kind,
        deployment_id=DEPLOYMENT,
        camera=CAMERA,
        place="Gate 1",
        occurred_at=NOW,
        expires_at=NOW + timedelta(minutes=5),
        message_prefix="DEMONSTRATION",
        calibrated=False,
        correlation_id="3f0e2d1c-4b5a-5968-8776-655443322110",
        category="" if kind in (Kind.RAISED, Kind.SUSPENDED) else CATEGORY,
        safeguard="S26" if kind is Kind.SUSPENDED else "",
    )
    return replace(made, **changed)


def contact(sub: str = "recipient-1", *roles: Role, **changed) -> Contact:
    """Somebody with one e-mail address and one telephone, told of everything; numbers are Ofcom's for drama."""
    digits = sum(sub.encode()) % 1000
    made = Contact(
        sub=sub,
        language="en",
        email=Address(f"{sub}@example.com"),
        phone=Address(f"+447700900{digits:03}"),
        places=(),
        categories=(),
        roles=frozenset(roles or (Role.RECIPIENT,)),
        set_at=NOW - timedelta(hours=1),
    )
    return replace(made, **changed)


REVIEWERS, RECIPIENTS = ("reviewer-1", "reviewer-2"), ("recipient-1",)


def members(**changed) -> Members:
    return replace(Members(REVIEWERS, RECIPIENTS), **changed)


def contacts() -> dict[str, Contact]:
    """Of everybody in `members()`."""
    reviewers = {sub: contact(sub, Role.REVIEWER) for sub in REVIEWERS}
    return reviewers | {sub: contact(sub) for sub in RECIPIENTS}


def principal(sub: str, *roles: Role) -> Principal:
    return Principal(Person(sub, frozenset(roles), NOW + timedelta(days=30)))


def conditions(**changed) -> Conditions:
    """All that a start under `policy()` asks for."""
    signage = Attestation(DEPLOYMENT, Attested.SIGNAGE, "at each door", "authoriser", START)
    notice = Attestation(DEPLOYMENT, Attested.PUBLIC_NOTICE, "on the web site", "authoriser", START, START)
    return Conditions(**{"built_at": START, "entries": 1, "attestations": (signage, notice), **changed})


ENTRY = {
    "label": "Hidden Name",
    "category": "public_domain_photograph",
    "reason": "for the test",
    "source": "a museum",
    "lawful_holding": "L-1",
    "image_date": date(2020, 1, 1),
}
"""The particulars of an entry, as `EntryRequest` takes them."""


def suspension(**changed) -> Suspension:
    figures = {"f": 3, "m": 40, "ln_e": 6.8, "bar": 5.99, "span": "deployment"}
    made = Suspension(SUSPENSION, DEPLOYMENT, "example", PIPELINE, Cause.FALSE_MATCHES, figures, NOW, True)
    return replace(made, **changed)


def figures(**changed) -> dict:
    """What the database gives of a deployment, with one series measured and one group declared."""
    row = {"kind": "false_matches", "span": "deployment", "deployments": 1, "f": 3, "candidates": 2, "m": 400.0}
    women = {"dimension": "sex", "value": "female", "x": 2, "ns": [3], "highs": [0.5], "ln_e": 0.4}
    return {
        "deployment_id": DEPLOYMENT,
        "operator": "Example",
        "pipeline": PIPELINE,
        "alpha": 0.01,
        "face_limit": 0.001,
        "calibrated": None,
        "passage_limit": None,
        "faces_a_passage": None,
        "series": [{**row, "expected": 0.4, "together": 1.67, "ln_e": 1.0, "bar": 5.99}],
        "groups": [women],
        "ln_e_groups": 0.04,
        "bar_groups": 4.6,
        "false_candidates": 3,
        "unrecorded": 1,
        "unrecorded_limit": 50,
        **changed,
    }


def monitoring(**changed) -> Monitoring:
    return monitoring_from(figures(**changed), (suspension(),))
