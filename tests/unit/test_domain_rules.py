"""What is authorised, under which policy, and why it was refused (S02, S03, S05-S08, S13)."""

from dataclasses import fields, replace
from datetime import timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.deployment import Deployment, DeploymentState, Grounds
from proviso.domain.face import Box
from proviso.domain.people import Role
from proviso.domain.policy import Policy
from proviso.domain.reasons import SENTENCES, Reason, Refused
from proviso.domain.retention import Certificate, StoreCount
from proviso.domain.timing import Stopwatch
from proviso.domain.watchlist import build_digest, enrolment_key
from proviso.stages.deployment import DeploymentRequest, request
from tests.fakes.cloud import FakeDue
from tests.samples import (
    END,
    GATE,
    NOW,
    PIPELINE,
    SOFTWARE,
    START,
    deployment,
    face,
    grounds,
    policy,
    principal,
    watchlist,
)

TERMS = {
    "id": "another",
    "policy": policy(version="2026.12.1"),
    "build_digest": "c" * 64,
    "pipeline": "8" * 64,
    "threshold": Decimal("0.51"),
    "cameras": ("gate-1", "gate-2"),
    "starts_at": START + timedelta(microseconds=1),
    "ends_at": END - timedelta(microseconds=1),
    "place": "Gate 2",
    "use": "another",
    "software_build": "another",
}


@pytest.mark.parametrize("name", TERMS)
def test_whatever_would_change_what_the_machine_does_changes_the_digest(name):
    assert replace(deployment(), **{name: TERMS[name]}).digest != deployment().digest


@pytest.mark.parametrize("name", [f.name for f in fields(Policy)])
def test_every_value_of_the_policy_is_authorised(name):
    """S34: an edited policy is another one."""
    value = getattr(policy(), name)
    other = {bool: lambda v: not v, int: lambda v: v + 1, str: lambda v: v + "X", tuple: lambda v: (*v, "x")}[
        type(value)
    ]
    assert replace(deployment(), policy=policy(**{name: other(value)})).digest != deployment().digest


def test_how_a_term_is_written_does_not_change_the_digest():
    same = replace(
        deployment(cameras=("a", "b")),
        threshold=Decimal("0.500"),
        cameras=("b", "a"),
        starts_at=START.astimezone(timezone(timedelta(hours=3))),
    )
    assert same.digest == deployment(cameras=("a", "b")).digest


def test_what_happened_later_is_no_term():
    later = replace(
        deployment(), state=DeploymentState.ACTIVE, authorised_by="a", started_at=NOW, finished_at=NOW, closed_at=NOW
    )
    assert later.digest == deployment().digest


class TestAuthorising:
    def refused(self, asked: Deployment | None = None, by="authoriser", digest=None, now=NOW, rank=None):
        asked = asked or deployment()
        found = asked.may_authorise(by, rank, asked.digest if digest is None else digest, now)
        return found.reason if found else None

    def test_another_person_may(self):
        assert self.refused() is None

    def test_the_requester_may_not(self):
        assert self.refused(by="requester") is Reason.SAME_PERSON

    def test_of_the_rank_that_the_policy_asks_for(self):
        ranked = deployment(policy=policy(authoriser_ranks=("superintendent", "chief_superintendent")))
        assert self.refused(ranked, rank="superintendent") is None
        assert self.refused(ranked, rank="inspector") is Reason.ROLE_MISSING
        assert self.refused(ranked) is Reason.ROLE_MISSING

    def test_only_what_was_shown(self):
        assert self.refused(digest=replace(deployment(), place="Gate 2").digest) is Reason.TERMS_CHANGED
        assert self.refused(digest="") is Reason.TERMS_CHANGED

    @pytest.mark.parametrize("state", [s for s in DeploymentState if s is not DeploymentState.REQUESTED])
    def test_only_once(self, state):
        assert self.refused(deployment(state=state)) is Reason.WRONG_STATE

    def test_not_after_its_end(self):
        assert self.refused(now=END - timedelta(microseconds=1)) is None
        assert self.refused(now=END) is Reason.TOO_LATE


class Store:
    """Whatever is asked for is there."""

    def __init__(self, entries=1, policy_name="demo", calibration=None):
        self.added = []
        self.calibration = calibration
        self.entries, self.policy_name = entries, policy_name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def work(self):
        return self

    def build(self, build_id):
        from proviso.domain.watchlist import Build

        return Build(build_id, "list-1", PIPELINE, "b" * 64, self.entries, self.entries, "officer", NOW)

    def watchlist(self, watchlist_id):
        return watchlist(id=watchlist_id, policy=self.policy_name)

    def unknown_migrations(self):
        return []

    def trial_at(self, pipeline, place):
        return None

    def calibration_for(self, pipeline):
        return self.calibration

    def add_deployment(self, asked):
        self.added.append(asked)

    def audit(self, act):
        pass


def asked_for(store=None, by=None, rules=None, **changed):
    wanted = DeploymentRequest(
        **{
            "use": "demonstration",
            "place": "Gate 1",
            "premises": "closed_premises",
            "passages_expected": 100,
            "cameras": ("gate-1",),
            "starts_at": START,
            "ends_at": END,
            "watchlist_id": "list-1",
            "build_id": "build-1",
            "threshold": Decimal("0.5"),
            "grounds": grounds(),
            **changed,
        }
    )
    return request(
        principal=by or principal("requester", Role.REQUESTER),
        wanted=wanted,
        policy=rules or policy(),
        software_build=SOFTWARE,
        store=store or Store(),
        due=FakeDue(),
        clock=lambda: NOW,
        new_id=lambda: "d-1",
    )


class TestRequesting:
    def test_with_all_its_grounds(self):
        store = Store()
        assert asked_for(store).state is DeploymentState.REQUESTED
        assert len(store.added) == 1
        assert store.added[0].calibrated is False

    @pytest.mark.parametrize("name", [f.name for f in fields(Grounds)])
    @pytest.mark.parametrize("blank", ["", " \t\n"])
    def test_a_missing_ground_is_refused_and_named(self, name, blank):
        refused = asked_for(grounds=grounds(**{name: blank}))
        assert (refused.reason, name in refused.detail) == (Reason.INVALID, True)

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"use": "crowd control"}, Reason.POLICY_FORBIDS),
            ({"premises": "open_to_the_public"}, Reason.POLICY_FORBIDS),
            ({"grounds": grounds(operator_kind="police_force")}, Reason.POLICY_FORBIDS),
            ({"passages_expected": 0}, Reason.INVALID),
            ({"ends_at": START + timedelta(minutes=60, microseconds=1)}, Reason.POLICY_FORBIDS),
            ({"ends_at": NOW}, Reason.INVALID),
            ({"starts_at": END}, Reason.INVALID),
            ({"cameras": ()}, Reason.INVALID),
            ({"cameras": ("Gate 1",)}, Reason.INVALID),
            ({"cameras": ("gate-1", "../permits")}, Reason.INVALID),
            ({"cameras": ("gate-1\n",)}, Reason.INVALID),
            ({"place": ""}, Reason.INVALID),
            ({"place": "x" * 31}, Reason.INVALID),
            ({"threshold": Decimal(0)}, Reason.INVALID),
            ({"threshold": Decimal(1)}, Reason.INVALID),
            ({"watchlist_id": "another"}, Reason.NOT_FOUND),
            ({"by": principal("x", Role.AUTHORISER)}, Reason.ROLE_MISSING),
            ({"store": Store(entries=6)}, Reason.POLICY_FORBIDS),
            ({"store": Store(policy_name="volunteers")}, Reason.POLICY_FORBIDS),
        ],
    )
    def test_what_could_not_be_authorised_is_refused_at_once(self, changed, reason):
        refused = asked_for(**changed)
        assert isinstance(refused, Refused)
        assert refused.reason is reason

    def test_the_longest_that_the_policy_allows(self):
        assert asked_for(ends_at=START + timedelta(minutes=60)).ends_at == START + timedelta(minutes=60)


def test_a_policy_travels_as_a_mapping():
    assert Policy.from_mapping(policy().as_mapping()) == policy()
    with pytest.raises(TypeError, match="tresholds"):
        Policy.from_mapping({**policy().as_mapping(), "tresholds": 1})
    with pytest.raises(KeyError, match="max_entries"):
        Policy.from_mapping({k: v for k, v in policy().as_mapping().items() if k != "max_entries"})


def test_every_reason_has_a_sentence():
    assert set(SENTENCES) == set(Reason)
    assert Refused(Reason.STALE, "61 s old").sentence.endswith("(61 s old)")


def test_a_certificate_is_complete_at_zero_only():
    counts = (StoreCount("a", 0), StoreCount("b", 0))
    whole = Certificate("d", "w", counts, NOW, NOW)
    assert whole.complete
    assert not replace(whole, counts=(*counts, StoreCount("c", 1))).complete


def test_a_build_digest_covers_each_reference_and_not_their_order():
    rows = [("r1", "e1", "i1"), ("r2", "e1", "i2")]
    made = build_digest("w", "p", rows)
    assert made == build_digest("w", "p", rows[::-1])
    assert (
        len({made, build_digest("w2", "p", rows), build_digest("w", "q", rows), build_digest("w", "p", rows[:1])}) == 4
    )
    assert enrolment_key("w", "e", "r") == "enrolment/w/e/r.jpg"


LIMITS = [
    ({}, {"side": 31.9}, Reason.FACE_TOO_SMALL),
    ({"inter_eye_px": 15.9}, {}, Reason.FACE_TOO_SMALL),
    ({"inside_share": 0.89}, {}, Reason.FACE_CUT_OFF),
    ({"luminance": 39.9}, {}, Reason.UNDER_EXPOSED),
    ({"luminance": 220.1}, {}, Reason.OVER_EXPOSED),
    ({"yaw": -0.41}, {}, Reason.POSE_YAW),
    ({"roll_deg": 30.1}, {}, Reason.POSE_ROLL),
    ({"sharpness": 19.9}, {}, Reason.NOT_SHARP),
    ({}, {"side": 32.0}, None),
    ({"luminance": 40.0, "yaw": 0.4, "roll_deg": -30.0, "sharpness": 20.0, "inside_share": 0.9}, {}, None),
]


@pytest.mark.parametrize(("quality", "shape", "reason"), LIMITS)
def test_the_gate_of_quality(quality, shape, reason):
    assert GATE.judge(face(**shape, **quality)) is reason


@given(st.floats(-500, 2000), st.floats(-500, 2000), st.floats(0.1, 900), st.floats(0.1, 900))
def test_the_share_of_a_box_inside_the_frame(x, y, width, height):
    share = Box(x, y, width, height).inside_share(1280, 720)
    assert 0 <= share <= 1.0001
    assert Box(0, 0, 0, 5).inside_share(1280, 720) == 0
    assert Box(10, 10, 5, 5).inside_share(1280, 720) == 1


def test_a_stopwatch_adds_up_and_goes_on_from_earlier():
    ticks = iter([0.0, 0.010, 1.0, 1.005])
    watch = Stopwatch(lambda: next(ticks), (("before", 3.0),))
    for _ in range(2):
        with watch.lap("read"):
            pass
    assert watch.laps == (("before", 3.0), ("read", 15.0))
