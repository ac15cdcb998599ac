"""S13, S08: a site trial is what a deployment of volunteers at the place recorded, and nothing that somebody says.

The ways round: invented counts, by the API and by SQL; the trial of another place or pipeline; one's own trial; a trial
that is no trial; one that says nothing; a step that claims more than was tried; a second trial of one deployment.
"""

import json
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from proviso.domain.calibration import Calibration
from proviso.domain.deployment import DeploymentState
from proviso.domain.people import Person, Role
from proviso.domain.rates import rate
from proviso.domain.reasons import Reason, Refused
from proviso.domain.trial import Passage
from proviso.stages import calibration
from tests.safeguards.house import House
from tests.safeguards.past_the_code import OTHERS, ask, broken, calibrate
from tests.safeguards.trial_place import POINT, TrialPlace
from tests.samples import CAMERA

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def tried(house: House) -> TrialPlace:
    return TrialPlace(house)


def recorded(tried: TrialPlace) -> Calibration:
    found = tried.record()
    assert isinstance(found, Calibration), found
    return found


# --- what is counted --------------------------------------------------------------------------------------------------


def test_the_counts_come_from_the_deployments_own_records(tried: TrialPlace):
    found = recorded(tried)
    counts = found.trial
    assert counts is not None
    assert (counts.mated_passages, counts.found_passages) == (30, 27)
    assert (counts.non_mated_passages, counts.false_passages, counts.false_people) == (100, 2, 2)
    assert (counts.faces_searched, counts.outside) == (100, 0)
    (point,) = found.points
    assert (point.passage_fpir_low, point.passage_fpir_high) == (rate(2, 100).low, rate(2, 100).high)
    assert (point.list_size, point.threshold_floor, found.site) == (1, Decimal("0.5"), "Gate 1")


def test_it_is_audited_and_the_look_into_it_too(tried: TrialPlace):
    recorded(tried)
    tried.readings()
    with tried.house.govern.work() as work:
        said = b"".join(record.body for record in work.audit_records(tried.deployment.id)).decode()
    assert "site_trial_recorded" in said
    assert "trial_consulted" in said
    assert tried.reference not in said


def test_after_it_the_authoriser_sees_false_candidates_per_passage(tried: TrialPlace):
    house = tried.house
    asked = house.requested(tried.list_id, passages_expected=1000)
    assert "per face" in house.shown(asked.id).expected.sentence
    recorded(tried)
    found = house.shown(asked.id).expected
    assert found.unit == "per passage"
    assert found.low == pytest.approx(1000 * rate(2, 100).low)
    assert found.high == pytest.approx(1000 * rate(2, 100).high)


def test_and_a_policy_that_asks_for_a_trial_starts_at_this_place_alone(tried: TrialPlace):
    house = tried.house
    house.permitted = replace(house.permitted, site_trial_required=True, version="asks for a trial")
    asked = house.requested(tried.list_id)
    house.authorise(asked.id)
    assert house.start(asked.id).reason is Reason.NOT_CALIBRATED
    recorded(tried)
    elsewhere = house.requested(tried.list_id, place="Gate 2")
    house.authorise(elsewhere.id)
    assert house.start(elsewhere.id).reason is Reason.NOT_CALIBRATED
    assert house.start(asked.id).state is DeploymentState.ACTIVE


def test_below_the_threshold_that_was_tried_nothing_starts_there(tried: TrialPlace):
    """The floor is the larger of both (S12): 0.40 in the laboratory, 0.5 at the place."""
    recorded(tried)
    assert tried.house.requested(tried.list_id, threshold=Decimal("0.45")).reason is Reason.THRESHOLD_TOO_LOW
    assert not isinstance(tried.house.requested(tried.list_id, threshold=Decimal("0.45"), place="Gate 2"), Refused)


# --- invented counts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", [{"false_passages": 0}, {"found_passages": 30}, {"non_mated_passages": 300}])
def test_a_count_that_the_records_do_not_give_is_refused(tried: TrialPlace, claim):
    refused = tried.record(claimed=claim)
    assert refused.reason is Reason.NOT_AS_RECORDED
    assert next(iter(claim)) in refused.detail


def test_a_candidate_that_the_plan_leaves_out_is_a_false_one(tried: TrialPlace):
    """Whoever strikes the passages that went wrong from the plan wins nothing: each is a person raised wrongly."""
    found = tried.record(plan=[one for one in tried.plan if one.number not in ("30", "31")])
    assert (found.trial.outside, found.trial.false_passages, found.trial.non_mated_passages) == (2, 2, 100)
    assert found.trial.faces_a_passage == 1


def phantoms(tried: TrialPlace, many: int, *, after: float, person: str = "") -> list[Passage]:
    """Lines for people who never walked, all at one time, each with an end of its own."""
    at = tried.began + timedelta(seconds=after)
    return [
        Passage(f"x{n}", person and f"{person}-{n}", CAMERA, at, at + timedelta(seconds=3, milliseconds=n % 1000))
        for n in range(many)
    ]


@pytest.mark.parametrize("person", ["", "invented"])
@pytest.mark.parametrize("after", [5 * 130 + 1, 5 * 50 - 0.1], ids=["when everybody had left", "beside somebody"])
def test_people_who_never_walked_make_no_trial_better(tried: TrialPlace, after, person):
    """Each searched face stands for one line: lines that share one with somebody, or have none, count for nothing."""
    before = tried.counted()
    found = tried.record(plan=tried.plan + phantoms(tried, 900, after=after, person=person))
    assert found.trial.unseen == 900
    for name in ("non_mated_passages", "non_mated_people", "false_passages", "faces_searched", "faces_a_passage"):
        assert getattr(found.trial, name) == getattr(before, name)
    assert found.points[0].passage_fpir_high == rate(2, 100).high


def test_nor_do_they_blind_the_test_of_false_candidates(tried: TrialPlace):
    """S26: how many faces a passage has is worked out from passages that a camera saw."""
    tried.plan += phantoms(tried, 900, after=5 * 130 + 1)
    recorded(tried)
    running = tried.house.running(tried.list_id)
    faces = tried.house.one("SELECT faces_a_passage FROM false_limit WHERE deployment_id = %(id)s", id=running.id)
    assert faces == 1


def test_nor_does_an_outside_candidate(tried: TrialPlace):
    """It counts as a passage and has no face that was counted."""
    tried.plan = [one for one in tried.plan if one.number not in ("30", "31")]
    recorded(tried)
    running = tried.house.running(tried.list_id)
    faces = tried.house.one("SELECT faces_a_passage FROM false_limit WHERE deployment_id = %(id)s", id=running.id)
    assert faces == 1


def test_one_line_under_two_numbers_is_refused(tried: TrialPlace):
    one = replace(tried.plan[40], number="a", person="")
    refused = tried.record(plan=[*tried.plan, one, replace(one, number="b")])
    assert refused.reason is Reason.INVALID
    assert "a and b are one line twice" in refused.detail


def test_a_listed_person_whom_no_camera_saw_was_missed(tried: TrialPlace):
    at = tried.began + timedelta(seconds=5 * 130 + 1)
    unseen = replace(tried.plan[0], number="unseen", begins_at=at, ends_at=at + timedelta(seconds=3))
    counts = tried.record(plan=[*tried.plan, unseen]).trial
    assert (counts.mated_passages, counts.found_passages, counts.unseen_mated, counts.unseen) == (31, 27, 1, 0)


@pytest.mark.parametrize(
    "counts",
    [
        {"faces_searched": 100_000},
        {"found_passages": 31},
        {"wrong_sightings": 1000},
        {"false_people": 3},
        {"false_passages": 2, "false_people": 0},
        {"non_mated_people": 1000},
        {"non_mated_people": 0},
        {"mated_people": 2},
        {"outside": 5},
        {"mated_passages": 29, "found_passages": 27},
        {"non_mated_passages": 99},
        {"found_passages": 0, "found_people": 0, "misnamed": 0, "false_passages": 0, "false_people": 0},
        # 900,000 strangers and nobody raised, where two were: invented people, and sightings that are nowhere
        {"non_mated_passages": 900_000, "non_mated_people": 900_000, "false_passages": 0, "false_people": 0,
         "faces_searched": 1, "wrong_sightings": 0, "found_passages": 1, "found_people": 1},
        {"non_mated_passages": 131},
        {"wrong_sightings": 0},
        {"right_sightings": 27, "wrong_sightings": 0, "misnamed_sightings": 2},
        {"false_passages": 0, "false_people": 0},
        {"right_sightings": None},
        {"unseen_mated": 4},
        {"false_passages": -1},
        {"false_passages": 0.5},
        {"false_passages": "2"},
        {"deployment_id": "another"},
    ],
    ids=str,
)  # fmt: skip
def test_nor_are_they_by_sql(tried: TrialPlace, counts):
    for role in ("govern", "master"):
        with broken("PV013"):
            tried.write(role, counts)
    tried.write()  # so that nothing else kept it


@pytest.mark.parametrize("as_right", [False, True])
def test_twenty_people_raised_wrongly_are_not_written_away(house: House, as_right):
    """Neither left out, nor called found: a face that was a listed person's was no stranger's."""
    tried = TrialPlace(house, false=20)
    nobody = {"false_passages": 0, "false_people": 0, "wrong_sightings": 0}
    with broken("PV013"):
        tried.write("govern", nobody | ({"right_sightings": 47} if as_right else {}))
    tried.write("govern")


def test_the_database_says_no_to_a_stage_that_was_fooled(tried: TrialPlace):
    """The stage is handed readings in which nobody was raised wrongly; the sightings in the tables are others."""
    store = tried.house.govern

    class Lying:
        def __init__(self, work):
            self._work = work

        def __getattr__(self, name):
            return getattr(self._work, name)

        def readings(self, deployment_id):
            real = self._work.readings(deployment_id)
            return replace(real, sightings=(), frames=real.frames * 50)

    class Store:
        def work(self):
            @contextmanager
            def opened():
                with store.work() as work:
                    yield Lying(work)

            return opened()

    refused = calibration.record_trial(
        principal=tried.house.person("authoriser"),
        deployment_id=tried.deployment.id,
        plan=tried.plan,
        claimed={},
        store=Store(),
        clock=tried.house.now,
        new_id=tried.house.id,
    )
    assert refused.reason is Reason.NOT_AS_RECORDED


# --- a step that claims more ------------------------------------------------------------------------------------------

STEP = {
    "list_size": 1,
    "threshold_floor": 0.5,
    "face_fpir_low": 0,
    "face_fpir_high": 0.2,
    "passage_fpir_low": 0.002,
    "passage_fpir_high": 0.2,
    "frames_per_probe": 1,
}


def write_step(tried: TrialPlace, role: str, **changed) -> None:
    """The trial and its step in one transaction, as the store does it."""
    url = tried.house.database.master_url if role == "master" else tried.house.database.url(role)
    step = STEP | changed
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO calibration (id, pipeline, kind, site, made_at, recorded_by, deployment_id, trial)"
            " VALUES ('forged', %s, 'site_trial', %s, now(), 'authoriser', %s, %s)",
            (
                tried.deployment.pipeline,
                tried.deployment.place,
                tried.deployment.id,
                json.dumps(asdict(tried.counted())),
            ),
        )
        connection.execute(
            f"INSERT INTO calibration_point (calibration_id, {', '.join(step)})"
            f" VALUES ('forged', {', '.join(['%s'] * len(step))})".encode(),
            list(step.values()),
        )


@pytest.mark.parametrize(
    "changed",
    [
        {"list_size": 2},
        {"threshold_floor": 0.49},
        {"frames_per_probe": 2},
        {"passage_fpir_high": 0.05},
        {"passage_fpir_high": None, "passage_fpir_low": None},
        {"face_fpir_high": 0.1},
        {"passage_fpir_low": 0.03},
        {"worst_people": 60, "measured_floor": 0.1},
    ],
    ids=str,
)
def test_a_step_claims_no_more_than_was_tried(tried: TrialPlace, changed):
    for role in ("govern", "master"):
        with broken("PV013"):
            write_step(tried, role, **changed)
    write_step(tried, "govern")


def test_and_none_is_added_later(tried: TrialPlace):
    found = recorded(tried)
    with broken("PV013"):
        tried.house.sql(
            "govern",
            "INSERT INTO calibration_point (calibration_id, list_size, threshold_floor, face_fpir_low, face_fpir_high,"
            " passage_fpir_low, passage_fpir_high) VALUES (%(id)s, 1000, 0.9, 0, 0.2, 0, 0.2)",
            id=found.id,
        )


def test_the_interval_holds_for_people_and_not_for_passages_alone(house: House):
    """A hundred passages of four people: the upper end is that of four."""
    tried = TrialPlace(house, false=0)
    tried.plan = [
        replace(one, person=f"one-of-four-{int(one.number) % 4}") if one.person != tried.reference else one
        for one in tried.plan
    ]
    found = recorded(tried)
    assert found.points[0].passage_fpir_high == rate(0, 4).high
    assert found.points[0].face_fpir_high >= rate(0, 4).high


# --- what is no trial -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed", [{"site": "Gate 2"}, {"site": "gate 1"}, {"pipeline": "another"}, {"deployment_id": None}], ids=str
)
def test_it_is_of_its_own_place_and_pipeline(tried: TrialPlace, changed):
    for role in ("govern", "master"):
        with broken("PV013"):
            tried.write(role, **changed)


@pytest.mark.parametrize("who", ["requester", "officer", "nobody"])
def test_it_is_recorded_by_an_authoriser_who_did_not_ask_for_it(tried: TrialPlace, who):
    for role in ("govern", "master"):
        with broken("PV003"):
            tried.write(role, recorded_by=who)
    if who != "nobody":
        assert tried.record(by=who).reason in (Reason.ROLE_MISSING, Reason.SAME_PERSON)


@pytest.mark.parametrize("kind", ["laboratory", "site_trial"])
def test_nobody_but_a_migration_writes_in_the_name_of_a_pack(tried: TrialPlace, kind):
    with broken("PV013"):
        tried.write("govern", recorded_by="pack", kind=kind)
    with broken("PV013"):
        tried.write("master", recorded_by="pack")


def test_none_is_dated_ahead_so_that_it_stays_the_latest(tried: TrialPlace):
    for role in ("govern", "master"):
        with broken("PV013"):
            tried.write(role, made_at="2100-01-01T00:00:00Z")


def test_who_asked_for_it_and_is_an_authoriser_too_does_not_record_it(tried: TrialPlace):
    with tried.house.govern.work() as work:
        work.register(Person("requester", frozenset({Role.REQUESTER, Role.AUTHORISER})))
    assert tried.record(by="requester").reason is Reason.SAME_PERSON
    with broken("PV003"):
        tried.write(recorded_by="requester")


@pytest.mark.parametrize("rules", ["consent_required", "calibration_required"])
def test_a_deployment_before_the_public_or_of_the_demonstration_is_no_trial(tried: TrialPlace, rules):
    with tried.house.meddling() as connection:
        connection.execute(f"UPDATE deployment SET policy = jsonb_set(policy, '{{{rules}}}', 'false')".encode())
    assert tried.record().reason is Reason.POLICY_FORBIDS
    assert tried.readings().reason is Reason.POLICY_FORBIDS
    assert tried.house.sql("govern", f"SELECT * FROM trial_sightings('{tried.deployment.id}')") == []
    assert tried.house.sql("govern", f"SELECT * FROM trial_frames('{tried.deployment.id}')") == []


def test_nor_is_one_that_still_runs(tried: TrialPlace):
    with tried.house.meddling() as connection:
        connection.execute("UPDATE deployment SET state = 'active', finished_at = NULL, finished_by = NULL")
    assert tried.record().reason is Reason.WRONG_STATE
    assert tried.house.sql("govern", f"SELECT * FROM trial_sightings('{tried.deployment.id}')") == []


def test_too_few_passages_say_nothing(house: House):
    tried = TrialPlace(house, found=20, mated=29)
    assert tried.record().reason is Reason.TRIAL_TOO_SMALL


def test_one_deployment_is_one_trial(tried: TrialPlace):
    recorded(tried)
    assert tried.record().reason is Reason.WRONG_STATE


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, camera="another"),
        lambda one: replace(one, begins_at=one.begins_at - timedelta(hours=1)),
        lambda one: replace(one, ends_at=one.begins_at),
        lambda one: replace(one, ends_at=one.ends_at + timedelta(minutes=11)),
        lambda one: replace(one, number="1"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(tried: TrialPlace, change):
    assert tried.record(plan=[*tried.plan[:-1], change(tried.plan[-1])]).reason is Reason.INVALID


def test_a_listed_person_walks_once_at_a_time(tried: TrialPlace):
    double = replace(tried.plan[0], number="again")
    assert tried.record(plan=[*tried.plan, double]).reason is Reason.INVALID


@pytest.mark.parametrize("role", OTHERS)
def test_no_other_function_reads_or_writes_one(tried: TrialPlace, role):
    with broken("42501"):
        tried.write(role)
    for name in ("trial_sightings", "trial_frames"):
        with broken("42501"):
            tried.house.sql(role, f"SELECT * FROM {name}('x')")


def test_a_trial_does_not_replace_the_laboratory(tried: TrialPlace):
    """As govern's role: a request that names the trial as its calibration."""
    found = recorded(tried)
    with broken("PV013"):
        ask(tried.house, calibrated="true", calibration_id=f"'{found.id}'")


def test_an_older_calibration_is_not_chosen(tried: TrialPlace):
    calibrate(tried.house, POINT, identifier="later")
    with broken("PV013"):
        ask(tried.house, calibrated="true", calibration_id="'c-1'")
