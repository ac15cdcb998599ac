"""S20, as recipients see it on their page: a reference, a place, a time, and pictures for as long as they are of use.
No name, category, similarity, reviewer or reason; of what is withdrawn no picture; each look recorded first (S29).

Data minimisation. The ways round: a look by somebody else, after its time, with a clock that is behind, after a stop or
a withdrawal; an answer that holds more than it says; and a picture that is given though its look cannot be recorded.
"""

import json
from datetime import timedelta
from typing import Any

import pytest

from functions.review import notice_answers, notices
from proviso.domain.candidate import CandidateState
from proviso.domain.errors import AuditUnwritable
from proviso.domain.frame import Jpeg
from proviso.domain.people import Role
from proviso.domain.reasons import Reason
from tests.safeguards.house import House
from tests.safeguards.receiving import DAY, Receiving

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

USEFUL = timedelta(seconds=600)
SECRET = (
    "Hidden Name",
    "public_domain_photograph",
    "similarity",
    "threshold",
    "alike",
    "reviewer",
    "officer",
)


@pytest.fixture
def told(house: House) -> Receiving:
    made = Receiving(house)
    made.candidate = made.confirmed()
    (made.reference,) = (one.id for one in made.look(made.candidate).references)
    return made


def pictures(told: Receiving, **given: Any) -> list[Any]:
    return [told.picture(told.candidate, one, **given) for one in (None, told.reference)]


def test_while_it_is_of_use_its_pictures_are_shown(told: Receiving) -> None:
    """The control: who must compare on the spot can."""
    assert all(isinstance(one, Jpeg) for one in pictures(told))
    looks = told.acts("picture_consulted")
    assert [b'"evidence"' in one for one in looks] == [True, False]
    assert all(b'"purpose":"notice"' in one and b'"actor":"recipient"' in one for one in looks)
    assert told.reference.encode() not in b"".join(looks)  # S30: a reference's id would name somebody


def test_the_page_is_told_no_more_than_it_must(told: Receiving) -> None:
    told.record(told.candidate)
    (brief,) = (notices._brief(one) for one in told.notices())
    whole = notices._view(told.look(told.candidate))
    slip = notices._slip(told.slip(told.candidate), "here")
    notice_answers.Notice.model_validate(brief)
    notice_answers.ShownNotice.model_validate(whole)
    notice_answers.Slip.model_validate(slip)
    for made in (brief, whole, slip):
        text = json.dumps(made)
        assert not [word for word in SECRET if word in text]


def test_not_a_minute_after_its_time_of_use(told: Receiving) -> None:
    told.later(USEFUL)
    assert [one.reason for one in pictures(told)] == [Reason.TOO_LATE] * 2
    assert told.look(told.candidate).notice.useful_until <= told.house.now()
    assert told.acts("picture_consulted") == []


def test_a_function_whose_clock_is_behind_shows_them_no_longer(told: Receiving) -> None:
    told.later(USEFUL)
    told.house.skew = -USEFUL
    assert [one.reason for one in pictures(told)] == [Reason.TOO_LATE] * 2


def test_a_clock_that_is_ahead_hides_them_early(told: Receiving) -> None:
    told.house.skew = USEFUL
    assert [one.reason for one in pictures(told)] == [Reason.TOO_LATE] * 2


@pytest.mark.safeguard("S04")
def test_none_after_a_stop(told: Receiving) -> None:
    told.house.stop(told.deployment)
    assert [one.reason for one in pictures(told)] == [Reason.TOO_LATE] * 2
    assert [one.id for one in told.notices()] == [told.candidate]  # what came of it is asked for all the same


@pytest.mark.safeguard("S16")
def test_none_of_what_is_withdrawn(told: Receiving) -> None:
    told.house.withdraw(told.candidate)
    assert [one.reason for one in pictures(told)] == [Reason.WRONG_STATE] * 2
    (listed,) = told.notices()
    assert listed.state is CandidateState.WITHDRAWN


@pytest.mark.safeguard("S06")
def test_none_of_who_was_taken_off_the_list(told: Receiving) -> None:
    """What was confirmed of them is taken back by the removal itself, and everybody who was told is told that."""
    told.house.alert_all()
    told.house.sql("govern", "UPDATE entry SET removed_at = clock_timestamp()")
    assert [one.reason for one in pictures(told)] == [Reason.WRONG_STATE] * 2
    (listed,) = told.notices()
    assert listed.state is CandidateState.WITHDRAWN
    told.house.retain()
    assert "sent" in told.house.alert_all()
    assert told.house.told[-1] == ("recipients", "withdrawn")


def test_a_day_after_it_there_is_nothing_to_see(told: Receiving) -> None:
    told.later(DAY)
    assert told.notices() == []
    for answer in (told.look(told.candidate), told.slip(told.candidate), told.hold(told.candidate), *pictures(told)):
        assert answer.reason is Reason.TOO_LATE


@pytest.mark.parametrize("sub", ["requester", "authoriser", "officer", "reviewer", "auditor", "stranger"])
def test_nobody_else_sees_any_of_it(told: Receiving, sub: str) -> None:
    if sub == "stranger":
        told.registered(sub, Role.RECIPIENT)
    reason = Reason.NOT_A_MEMBER if sub == "stranger" else Reason.ROLE_MISSING
    for answer in (told.look(told.candidate, by=sub), told.slip(told.candidate, by=sub), *pictures(told, by=sub)):
        assert answer.reason is reason
    assert told.acts("picture_consulted") == []


def test_a_reference_of_another_entry_is_not_shown(told: Receiving) -> None:
    """By its id: the list holds a second entry, who has nothing to do with this notice."""
    other = told.house.one("SELECT id FROM reference WHERE id <> %(id)s", id=told.reference)
    assert told.picture(told.candidate, other).reason is Reason.NOT_FOUND
    assert told.acts("picture_consulted") == []


@pytest.mark.safeguard("S29")
def test_a_look_that_cannot_be_recorded_is_not_given(told: Receiving) -> None:
    told.house.sql(
        "master",
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        " CREATE TRIGGER broken BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION broken()",
    )
    try:
        for look in (
            lambda: told.look(told.candidate),
            lambda: told.picture(told.candidate),
            lambda: told.picture(told.candidate, told.reference),
            lambda: told.slip(told.candidate),
            lambda: told.record(told.candidate),
            lambda: told.hold(told.candidate),
        ):
            with pytest.raises(AuditUnwritable):
                look()
    finally:
        told.house.sql("master", "DROP TRIGGER broken ON audit_event; DROP FUNCTION broken")
    assert (told.outcomes(), told.holds()) == ([], [])


def test_the_slip_says_who_answers_for_it(told: Receiving) -> None:
    slip = notices._slip(told.slip(told.candidate), "complaints@example.org")
    assert slip["complaints"] == "complaints@example.org"
    assert (slip["controller"], slip["use"], slip["legal_basis"]) == ("Example", "demonstration", "for the test")
    assert (slip["place"], slip["deployment_id"], slip["held_until"]) == ("Gate 1", told.deployment, None)
    assert len(slip["reference"]) == 6
    (act,) = told.acts("slip_consulted")
    assert b'"actor":"recipient"' in act
