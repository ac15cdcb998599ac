"""S37: policy `eu` refuses by default. It starts with a decision of a court or an independent authority for this place,
now, and everybody listed, or urgently for as long as the policy says; a refusal stops it and deletes everything.

EU AI Act 5(1)(h), 5(2)-(4), 27, 49. The ways round: the decision on something else, one that is over or to come, people
it does not name, an urgency that never ends, a clock that is ahead, and a decision that the requester writes.

Calibration and site trial are put there as the owner, so that the decision alone is missing. Time passes by moving
times back with the triggers off, because terms cannot be changed and nobody waits a day here.
"""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from proviso.domain.conditions import Attested, PriorAuthorisation
from proviso.domain.deployment import DeploymentState, RealTimeGrounds
from proviso.domain.frame import Outcome
from proviso.domain.people import Person, Role
from proviso.domain.reasons import Reason, Refused
from proviso.policies import read_shipped
from proviso.stages import conditions, watchlist
from proviso.stages.deployment import write_permits
from tests.safeguards.house import House
from tests.safeguards.past_the_code import (  # fmt: skip
    AUTHORISE,
    OTHERS,
    WRITERS,
    ask,
    attest,
    broken,
    calibrate,
    copied,
    never_starts,
    starts,
    state,
)
from tests.samples import CAMERA, grounds

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
PLACE = "Gate 1"
USE = "prevention_of_imminent_threat_or_terrorist_attack"
REAL_TIME = RealTimeGrounds(USE, "the national law", "FRIA-1", "EU-REG-1")
DECISION_COLUMNS = ("id", "deployment_id", "body", "reference", "decided_on", "document_sha256", "granted", "place",
                    "valid_from", "valid_until", "persons", "recorded_by", "recorded_at")  # fmt: skip


@pytest.fixture
def eu(house: House) -> House:
    """Everything but the decision: two people listed, calibrated, tried at the place, announced, pictures for tests."""
    house.permitted = read_shipped("eu").policy
    house.pool()
    calibrate(house, (50, "0.4", 0.001, 0.002))
    calibrate(house, (50, "0.4", 0.001, 0.002), kind="site_trial", site=PLACE, identifier="trial")
    with house.govern.work() as work:
        work.register(Person("registrar", frozenset({Role.AUTHORISER})))
    house.list_id = house.watchlist()
    house.numbers = []
    for who in (3, 4):
        entry = house.add(house.list_id, category="person_behind_imminent_threat")
        house.enrol(house.list_id, entry.id, f"people {who}".encode())
        house.numbers.append(entry.reference_no)
    return house


def authorised(house: House, urgency: str = "", **changed):
    stated = RealTimeGrounds(USE, "the national law", "FRIA-1", "EU-REG-1", urgency)
    asked = house.requested(
        house.list_id,
        **{
            "use": USE,
            "place": PLACE,
            "premises": "open_to_the_public",
            "threshold": Decimal("0.5"),
            "grounds": grounds(operator_kind="law_enforcement_authority"),
            "real_time": stated,
            **changed,
        },
    )
    assert not isinstance(asked, Refused), asked
    house.attest(asked.id, Attested.NOTICE_WAIVED, by="authoriser")
    assert house.authorise(asked.id).state is DeploymentState.AUTHORISED
    house.asked = asked
    return asked


def decide(house: House, by: str = "registrar", **changed):
    """A decision that allows it, but for what is changed."""
    now = house.now()
    decision = PriorAuthorisation(
        **{
            "id": house.id(),
            "deployment_id": house.asked.id,
            "body": "the court",
            "reference": f"Case {house.id()}",
            "decided_on": now.date(),
            "document_sha256": "d" * 64,
            "granted": True,
            "place": PLACE,
            "valid_from": now - timedelta(hours=1),
            "valid_until": now + timedelta(minutes=30),
            "persons": tuple(house.numbers),
            "recorded_by": by,
            "recorded_at": now,
            **changed,
        }
    )
    return conditions.record_decision(
        principal=house.person(by),
        decision=decision,
        store=house.govern,
        permits=house.permits,
        due=house.due,
        spool=house.spool,
        clock=house.now,
        new_id=house.id,
    )


def refused(house: House) -> None:
    """It does not start: by the stage, and by SQL whoever writes."""
    found = house.start(house.asked.id)
    assert isinstance(found, Refused)
    assert found.reason is Reason.NO_DECISION
    never_starts(house, house.asked.id, "PV037")


def search_until(house: House):
    return house.one("SELECT search_until FROM deployment WHERE id = %(id)s", id=house.asked.id)


def hours_pass(house: House, hours: float) -> None:
    """All its times so much earlier, as if so much time had gone by since, and authorised so."""
    with house.meddling() as connection:
        connection.execute(
            "UPDATE deployment SET started_at = started_at - %(by)s, search_until = search_until - %(by)s,"
            " starts_at = starts_at - %(by)s, authorised_at = authorised_at - %(by)s",
            {"by": timedelta(hours=hours)},
        )
    authorised_as_it_stands(house)


def authorised_as_it_stands(house: House) -> None:
    digest = house.deployment(house.asked.id).digest
    with house.meddling() as connection:
        connection.execute("UPDATE deployment SET authorised_digest = %s WHERE id = %s", (digest, house.asked.id))


# --- before the start -------------------------------------------------------------------------------------------------


def test_without_a_decision_it_is_refused(eu: House):
    authorised(eu)
    refused(eu)


def test_with_one_for_this_place_now_and_everybody_listed_it_starts(eu: House):
    authorised(eu)
    after = decide(eu)
    assert after.state is DeploymentState.AUTHORISED
    assert eu.start(eu.asked.id).state is DeploymentState.ACTIVE
    assert eu.see(3).counts.candidates == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"valid_from": timedelta(days=-2), "valid_until": timedelta(days=-1)},
        {"valid_from": timedelta(minutes=1), "valid_until": timedelta(hours=1)},
        {"persons": ("another",)},
        {"persons": 1},
    ],
    ids=["over", "to come", "other people", "one of two"],
)
def test_a_decision_that_does_not_cover_it_is_as_good_as_none(eu: House, changed):
    authorised(eu)
    now = eu.now()
    given = {name: now + value if isinstance(value, timedelta) else value for name, value in changed.items()}
    if given.get("persons") == 1:
        given["persons"] = tuple(eu.numbers[:1])
    assert not isinstance(decide(eu, **given), Refused)
    refused(eu)


def test_urgency_does_not_help_where_a_decision_does_not_cover_it(eu: House):
    """Somebody has decided by now, and not this."""
    authorised(eu, urgency="an attack is imminent")
    decide(eu, persons=tuple(eu.numbers[:1]))
    refused(eu)


def test_who_is_not_in_the_decision_can_be_removed_and_then_it_starts(eu: House):
    authorised(eu)
    decide(eu, persons=tuple(eu.numbers[:1]))
    with eu.govern.work() as work:
        other = next(one.id for one in work.entries(eu.list_id) if one.reference_no == eu.numbers[1])
    watchlist.remove_entry(
        principal=eu.person("officer"),
        watchlist_id=eu.list_id,
        entry_id=other,
        subjects=eu.subjects,
        anchors=eu.anchors,
        store=eu.govern,
        clock=eu.now,
    )
    assert eu.start(eu.asked.id).state is DeploymentState.ACTIVE
    assert eu.see(3, 4).counts.candidates == 1


def test_a_decision_on_another_place_is_not_recorded(eu: House):
    authorised(eu)
    assert decide(eu, place="Gate 2").reason is Reason.INVALID
    refused(eu)


def test_a_decision_on_another_deployment_counts_for_nothing(eu: House):
    first = authorised(eu)
    authorised(eu, cameras=("gate-2",))
    decide(eu)
    eu.asked = first
    refused(eu)


def test_a_refusal_is_final_whatever_is_recorded_after_it(eu: House):
    authorised(eu)
    assert decide(eu, granted=False).state is DeploymentState.STOPPED
    assert decide(eu).reason is Reason.WRONG_STATE
    assert eu.start(eu.asked.id).reason is Reason.WRONG_STATE


@pytest.mark.parametrize("missing", ["objective", "national_law", "rights_impact_assessment", "registration_number"])
def test_what_the_act_asks_for_beside_is_asked_for(eu: House, missing):
    asked = eu.requested(
        eu.list_id,
        use=USE,
        premises="open_to_the_public",
        grounds=grounds(operator_kind="law_enforcement_authority"),
        real_time=replace(REAL_TIME, **{missing: " "}),
    )
    assert asked.reason is Reason.INVALID
    assert missing in asked.detail
    authorised(eu)
    for role in WRITERS:
        for said in ("' '", "''", "null", "1", "[]"):
            value = said.replace("'", '"')
            with broken("s37_grounds"):
                ask(eu, role, real_time_grounds=f"real_time_grounds || '{{\"{missing}\": {value}}}'")


@pytest.mark.parametrize("stated", ["NULL", 'real_time_grounds || \'{"objective": "another"}\''])
def test_without_its_objective_it_does_not_start_by_sql_either(eu: House, stated):
    """The row written by govern's role, with a decision that would fit."""
    authorised(eu)
    eu.asked = eu.deployment(ask(eu, real_time_grounds=stated))
    attest(eu, eu.asked.id)
    attest(eu, eu.asked.id, kind="'notice_waived'", made_by="'authoriser'")
    eu.sql("govern", AUTHORISE, id=eu.asked.id)
    decide(eu)
    never_starts(eu, eu.asked.id, "PV037")


def test_with_it_it_does(eu: House):
    """So that nothing else kept the one above."""
    authorised(eu)
    eu.asked = eu.deployment(ask(eu))
    attest(eu, eu.asked.id)
    attest(eu, eu.asked.id, kind="'notice_waived'", made_by="'authoriser'")
    eu.sql("govern", AUTHORISE, id=eu.asked.id)
    decide(eu)
    starts(eu, eu.asked.id)


# --- who records it, and that it stays --------------------------------------------------------------------------------


def test_the_requester_does_not_record_it_though_they_hold_the_role(eu: House):
    authorised(eu)
    with eu.govern.work() as work:
        work.register(Person("requester", frozenset({Role.REQUESTER, Role.AUTHORISER})))
    assert decide(eu, by="requester").reason is Reason.SAME_PERSON
    refused(eu)


@pytest.mark.parametrize("by", ["requester", "officer", "reviewer", "auditor"])
def test_nor_does_anybody_who_does_not_authorise(eu: House, by):
    authorised(eu)
    assert decide(eu, by=by).reason is Reason.ROLE_MISSING


def insert(house: House, role: str, **changed: str) -> None:
    """Another decision like the one that is there, by SQL."""
    house.sql(role, copied(DECISION_COLUMNS, "prior_authorisation",
                           {"id": "id || 'x'", "reference": "reference || 'x'", **changed}))  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"place": "'Gate 2'"}, "PV037"),
        ({"persons": "'{}'"}, "PV037"),
        ({"recorded_by": "'requester'"}, "PV037"),
        ({"recorded_by": "'reviewer'"}, "PV037"),
        ({"recorded_by": "'nobody-known'"}, "PV037"),
        ({"valid_until": "valid_from"}, "s37_validity"),
        ({"body": "' '"}, "s37_body"),
        ({"reference": "''"}, "s37_reference"),
        ({"reference": "reference"}, "s37_once"),
        ({"document_sha256": "'d'"}, "s37_document"),
        ({"decided_on": "(now() + interval '3 days')::date"}, "s37_decided_before"),
    ],
)
def test_sql_takes_no_decision_that_is_none(eu: House, changed, rule):
    authorised(eu)
    decide(eu)
    for role in WRITERS:
        with broken(rule):
            insert(eu, role, **changed)
    insert(eu, "govern")  # as it stands it is taken


def test_a_decision_that_is_to_be_made_is_not_recorded(eu: House):
    authorised(eu)
    assert decide(eu, decided_on=eu.now().date() + timedelta(days=3)).reason is Reason.INVALID
    assert decide(eu, decided_on=date(2026, 1, 1)).state is DeploymentState.AUTHORISED


def test_under_a_policy_that_asks_for_none_none_is_recorded(house: House):
    house.list_id, _ = house.listed(3)
    house.numbers = ["R"]
    house.asked = house.running(house.list_id)
    assert decide(house, by="authoriser").reason is Reason.POLICY_FORBIDS


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE prior_authorisation SET persons = persons || '{another}'",
        "UPDATE prior_authorisation SET valid_until = valid_until + interval '1 day'",
        "UPDATE prior_authorisation SET granted = true",
        "DELETE FROM prior_authorisation",
    ],
)
def test_nobody_edits_a_decision(eu: House, change):
    authorised(eu)
    decide(eu)
    for role, rule in (("govern", "42501"), ("master", "PV029")):
        with broken(rule):
            eu.sql(role, change)


@pytest.mark.parametrize("role", OTHERS)
def test_no_other_functions_role_records_one(eu: House, role):
    authorised(eu)
    decide(eu)
    with broken("42501"):
        insert(eu, role)


def test_nobody_is_added_after_the_decision(eu: House):
    """A build does not change, and a new one is for another deployment, which nobody decided on."""
    authorised(eu)
    decide(eu)
    eu.start(eu.asked.id)
    entry = eu.add(eu.list_id, category="person_behind_imminent_threat")
    eu.enrol(eu.list_id, entry.id, b"people 7")
    assert eu.see(7).counts.candidates == 0
    for role in WRITERS:
        with broken("PV003"):
            eu.sql(
                role,
                "INSERT INTO build_reference (build_id, reference_id, entry_id)"
                f" SELECT '{eu.asked.build_id}', id, entry_id FROM reference WHERE entry_id = '{entry.id}'",
            )
    with broken("s31_reference_no_is_unique"):  # nor under a number that the decision names
        eu.sql("govern", copied(
            ("id", "watchlist_id", "reference_no", "label", "category", "reason", "source", "lawful_holding",
             "image_date", "added_by", "added_at"), "entry", {"id": "id || 'x'"}))  # fmt: skip
    eu.stop(eu.asked.id)
    authorised(eu)
    decide(eu)
    refused(eu)  # three are listed by now, and the decision names two


def test_said_plainly_whose_picture_stands_behind_a_number_no_machine_knows(eu: House):
    """Not prevented: an officer can enrol another person's picture for an entry that the decision names. Beside a
    picture of the person named it is seen, since the two do not look alike."""
    with eu.govern.work() as work:
        first = work.entries(eu.list_id)[0]
    eu.enrol(eu.list_id, first.id, b"people 9")
    assert eu.build(eu.list_id) == Refused(Reason.REFERENCES_DIFFER, first.reference_no)
    eu.list_id = eu.watchlist()
    entry = eu.add(eu.list_id, category="person_behind_imminent_threat")
    eu.enrol(eu.list_id, entry.id, b"people 9")
    eu.numbers = [entry.reference_no]
    authorised(eu)
    decide(eu)
    eu.start(eu.asked.id)
    assert eu.see(9).counts.candidates == 1


# --- an urgent start --------------------------------------------------------------------------------------------------


@pytest.fixture
def urgent(eu: House) -> House:
    """Started in urgency, without a decision, for a window that is longer than the day that the policy gives."""
    authorised(eu, urgency="an attack is imminent")
    started = eu.start(eu.asked.id)
    assert started.state is DeploymentState.ACTIVE, started
    with eu.meddling() as connection:  # longer than eu itself allows, so that its end is not what ends it
        connection.execute("UPDATE deployment SET ends_at = ends_at + interval '10 days'")
    authorised_as_it_stands(eu)
    eu.sql("master", "UPDATE deployment SET held = false")
    write_permits(eu.deployment(eu.asked.id), eu.permits)
    return eu


def test_an_urgent_start_may_be_searched_for_a_day_from_its_start_by_the_database(urgent: House):
    row = urgent.deployment(urgent.asked.id)
    assert row.search_until == row.started_at + timedelta(hours=24)
    assert row.over_at == row.search_until
    assert urgent.permits.objects[CAMERA].ends_at == row.search_until
    assert urgent.see(3).counts.candidates == 1


def test_without_urgency_or_without_the_policy_knowing_it_there_is_none(eu: House):
    authorised(eu, urgency="  ")
    refused(eu)
    eu.permitted = replace(eu.permitted, name="eu-strict", version="1", urgent_start_hours=0)
    eu.list_id = eu.watchlist()
    entry = eu.add(eu.list_id, category="missing_person")
    eu.enrol(eu.list_id, entry.id, b"people 5")
    with pytest.raises(AssertionError, match="knows no urgent start"):
        authorised(eu, urgency="an attack is imminent")
    authorised(eu)
    with eu.meddling() as connection:  # and were it written into the row, it would not count
        connection.execute(
            'UPDATE deployment SET real_time_grounds = real_time_grounds || \'{"urgency": "x"}\' WHERE id = %s',
            (eu.asked.id,),
        )
    refused(eu)


def test_nobody_sets_until_when_may_be_searched(urgent: House):
    before = search_until(urgent)
    for role in ("govern", *OTHERS):
        with broken("42501"):
            urgent.sql(role, "UPDATE deployment SET search_until = ends_at")
    urgent.sql("master", "UPDATE deployment SET search_until = ends_at")  # taken, and worked out anew
    assert search_until(urgent) == before


def test_a_clock_that_is_ahead_does_not_lengthen_it(eu: House):
    """By the function's clock it starts in half an hour; the day counts from when the database saw it."""
    authorised(eu, urgency="an attack is imminent", ends_at=eu.now() + timedelta(hours=2))
    eu.skew = timedelta(minutes=30)
    eu.start(eu.asked.id)
    started = eu.one("SELECT started_at <= clock_timestamp() FROM deployment")
    assert started is True
    with broken("PV003"):
        eu.sql("govern", "UPDATE deployment SET started_at = started_at + interval '1 hour'")


def test_after_the_day_nothing_is_searched_decided_or_sent_though_no_function_ran(urgent: House):
    urgent.see(3)
    (candidate,) = urgent.candidates
    messages = [urgent.message(4), urgent.message(4)]
    hours_pass(urgent, 24)
    assert state(urgent, urgent.asked.id) == "active"
    assert urgent.match(messages[0]).reason is Reason.OUTSIDE_WINDOW
    assert urgent.decide(candidate["id"]).reason is Reason.TOO_LATE
    with broken("PV018"):
        urgent.sql(
            "review",
            "INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)"
            " SELECT 'r', id, 'reviewer', 'confirm', 'x', clock_timestamp() - interval '1 minute' FROM candidate",
        )
    urgent.skew = timedelta(minutes=-1)  # a function's clock that was set back
    hours_pass(urgent, -24)
    with urgent.meddling() as connection:
        connection.execute("UPDATE deployment SET search_until = now() - interval '30 seconds'")
    row = urgent.match(messages[1])
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.OUTSIDE_WINDOW)


def test_what_was_reviewed_in_time_is_not_confirmed_after_it(urgent: House):
    """As review's role: both reviews while it could be searched, the confirmation when it could not any more."""
    urgent.see(3)
    for sub in ("reviewer", "second"):
        urgent.sql(
            "review",
            "INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)"
            " SELECT gen_random_uuid(), id, %(sub)s, 'confirm', 'x', clock_timestamp() FROM candidate",
            sub=sub,
        )
    confirm = """
    UPDATE candidate SET state = 'confirmed', decided_by = 'reviewer', decided_at = clock_timestamp(), revision = 2,
        confirming_review = (SELECT id FROM review WHERE reviewer = 'reviewer')
    """
    hours_pass(urgent, 24)
    with broken("PV016"):
        urgent.sql("review", confirm)
    hours_pass(urgent, -24)
    urgent.sql("review", confirm)  # nothing else refused it


def test_it_ends_by_itself(urgent: House):
    urgent.see(3)
    hours_pass(urgent, 24)
    urgent.retain()
    assert state(urgent, urgent.asked.id) == "ended"
    assert urgent.permits.objects == {}
    assert urgent.candidates[0]["state"] == "frozen"


def test_a_granted_decision_lengthens_it_and_the_permits_follow(urgent: House):
    until = urgent.now() + timedelta(days=3)
    after = decide(urgent, valid_until=until)
    assert (after.search_until, urgent.permits.objects[CAMERA].ends_at) == (until, until)
    hours_pass(urgent, 24)
    urgent.sql("master", "UPDATE deployment SET held = false")
    assert search_until(urgent) == until
    urgent.retain()
    assert state(urgent, urgent.asked.id) == "active"
    write_permits(urgent.deployment(urgent.asked.id), urgent.permits)
    assert urgent.see(3).counts.candidates == 1


def test_a_decision_that_ends_sooner_ends_it_sooner(urgent: House):
    until = urgent.now() + timedelta(minutes=5)
    assert decide(urgent, valid_until=until).search_until == until


def test_a_refused_one_stops_it_at_once_and_all_is_deleted_by_the_next_retain(urgent: House):
    urgent.see(3)
    message = urgent.message(4)
    after = decide(urgent, granted=False, persons=())
    assert after.state is DeploymentState.STOPPED
    assert urgent.permits.objects == {}
    assert urgent.match(message).reason is Reason.NOT_ACTIVE
    assert urgent.candidates[0]["state"] == "frozen"
    found = urgent.retain()
    assert found.closed == (urgent.asked.id,)
    assert urgent.evidence.objects == {}
    assert not [key for key in urgent.enrolment.objects if key.startswith("enrolment/")]
    assert urgent.outbox.objects == {}
    left = urgent.one("SELECT count(*) FROM reference") + urgent.one("SELECT count(*) FROM entry WHERE label <> ''")
    assert left == 0


def test_by_sql_too_a_refusal_shuts_the_gate_in_the_same_statement(urgent: House):
    """As govern's role, without the stage that stops it: nothing is searched from then on, and it ends."""
    message = urgent.message(3)
    urgent.sql(
        "govern",
        "INSERT INTO prior_authorisation (id, deployment_id, body, reference, decided_on, document_sha256, granted,"
        " place, valid_from, valid_until, persons, recorded_by, recorded_at) VALUES ('x', %(d)s, 'the court', 'C',"
        " now()::date, repeat('d', 64), false, '', now(), now() + interval '1 hour', '{}', 'registrar', now())",
        d=urgent.asked.id,
    )
    assert state(urgent, urgent.asked.id) == "active"
    assert urgent.match(message).reason is Reason.OUTSIDE_WINDOW
    urgent.retain()
    assert state(urgent, urgent.asked.id) == "ended"


def test_a_granted_one_that_does_not_cover_everybody_stops_it_too(urgent: House):
    message = urgent.message(3)
    assert decide(urgent, persons=tuple(urgent.numbers[:1])).state is DeploymentState.STOPPED
    assert urgent.permits.objects == {}
    assert urgent.match(message).reason is Reason.NOT_ACTIVE


@pytest.mark.parametrize("over", ["stopped", "ended"])
def test_a_refusal_that_comes_when_it_is_over_already_deletes_without_waiting(urgent: House, over):
    urgent.see(3)
    if over == "stopped":
        urgent.stop(urgent.asked.id)
    else:
        hours_pass(urgent, 24)
        urgent.retain()
    assert state(urgent, urgent.asked.id) == over
    assert urgent.retain().closed == ()
    assert decide(urgent).reason is Reason.WRONG_STATE  # a granted one comes too late
    assert not isinstance(decide(urgent, granted=False), Refused)
    assert urgent.retain().closed == (urgent.asked.id,)
    assert urgent.evidence.objects == {}
