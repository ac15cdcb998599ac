"""S33: before the start the public notice stands, waived only for a recorded critical threat where the policy knows
that; and the signage at the place is attested by a named person, never waived.

APP. The ways round: a notice that is to come, one that does not stand long enough, a waiver by who may not, a waiver of
the signage, and an attestation that is rewritten, taken away, or made by SQL.
"""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from proviso.domain.conditions import Attestation, Attested
from proviso.domain.deployment import Deployment, DeploymentState
from proviso.domain.reasons import Reason, Refused
from proviso.publication.notice_sheet import UNREAD, Contacts, notice_sheet, signage
from proviso.stages.announcing import announced
from tests.safeguards.house import House
from tests.safeguards.past_the_code import OTHERS, WRITERS, attest, broken, never_starts
from tests.samples import policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
HOURS = 24
CONTACTS = Contacts("complaints@example.org", "privacy@example.org", "https://records.example/records/d/latest.html")


@pytest.fixture
def quiet(house: House) -> House:
    """Authorised, under a policy that asks for a day's notice and knows a waiver; and nothing is announced."""
    house.permitted = policy(public_notice_hours=HOURS, public_notice_waivable=True, version="notice")
    house.announce = lambda deployment_id: None
    house.list_id, _ = house.listed(3)
    house.asked = house.requested(house.list_id)
    house.authorise(house.asked.id)
    return house


def signed(house: House) -> None:
    assert isinstance(house.attest(house.asked.id, Attested.SIGNAGE), Attestation)


def published(house: House, ago: timedelta) -> None:
    made = house.attest(house.asked.id, Attested.PUBLIC_NOTICE, published_at=house.now() - ago)
    assert isinstance(made, Attestation), made


def refused(house: House) -> str:
    """Why it does not start, by the stage; and it does not by SQL."""
    found = house.start(house.asked.id)
    assert isinstance(found, Refused)
    assert found.reason is Reason.NOT_ANNOUNCED
    never_starts(house, house.asked.id, "PV033")
    return found.detail


def test_without_anything_it_does_not_start(quiet: House):
    assert "signage" in refused(quiet)


def test_without_signage_it_does_not_start(quiet: House):
    published(quiet, timedelta(hours=HOURS + 1))
    assert "signage" in refused(quiet)


def test_without_a_notice_it_does_not_start(quiet: House):
    signed(quiet)
    assert "notice" in refused(quiet)


def test_a_notice_that_does_not_stand_long_enough_is_none_yet(quiet: House):
    signed(quiet)
    published(quiet, timedelta(hours=HOURS) - timedelta(minutes=2))
    assert "24 h" in refused(quiet)


def test_with_both_it_starts(quiet: House):
    signed(quiet)
    published(quiet, timedelta(hours=HOURS, seconds=1))
    assert quiet.start(quiet.asked.id).state is DeploymentState.ACTIVE


def test_a_clock_that_is_ahead_does_not_make_it_stand_longer(quiet: House):
    signed(quiet)
    published(quiet, timedelta(hours=HOURS) - timedelta(minutes=10))
    quiet.skew = timedelta(minutes=15)
    found = quiet.start(quiet.asked.id)
    assert (found.reason, "database's own clock" in found.detail) == (Reason.NOT_ANNOUNCED, True)
    assert quiet.permits.objects == {}


def test_a_notice_that_is_to_come_is_not_recorded(quiet: House):
    ahead = quiet.now() + timedelta(minutes=1)
    assert quiet.attest(quiet.asked.id, Attested.PUBLIC_NOTICE, published_at=ahead).reason is Reason.INVALID
    for role in WRITERS:
        with broken("s33_not_ahead"):
            attest(quiet, quiet.asked.id, role, kind="'public_notice'", published_at="now() + interval '1 minute'")
        for kind, when in (("'public_notice'", "NULL"), ("'signage'", "now()"), ("'notice_waived'", "now()")):
            with broken("s33_published"):
                attest(quiet, quiet.asked.id, role, kind=kind, published_at=when, made_by="'authoriser'")


@pytest.mark.parametrize("said", ["", "  \n\t"])
def test_who_attests_says_what(quiet: House, said):
    assert quiet.attest(quiet.asked.id, Attested.SIGNAGE, statement=said).reason is Reason.INVALID
    for role in WRITERS:
        with broken("s33_statement"):
            attest(quiet, quiet.asked.id, role, statement="'  '")


# --- the waiver -------------------------------------------------------------------------------------------------------


def waive(house: House, by: str = "authoriser"):
    return house.attest(house.asked.id, Attested.NOTICE_WAIVED, by=by, statement="critical threat, recorded as T-1")


def test_a_waiver_takes_the_place_of_the_notice_and_never_of_the_signage(quiet: House):
    assert isinstance(waive(quiet), Attestation)
    assert "signage" in refused(quiet)
    signed(quiet)
    assert quiet.start(quiet.asked.id).state is DeploymentState.ACTIVE


@pytest.mark.parametrize("by", ["requester", "officer", "reviewer", "auditor"])
def test_nobody_waives_it_but_an_authoriser(quiet: House, by):
    assert waive(quiet, by).reason is Reason.ROLE_MISSING
    for role in WRITERS:
        with broken("PV033"):
            attest(quiet, quiet.asked.id, role, kind="'notice_waived'", made_by=f"'{by}'")


def test_nobody_waives_it_where_the_policy_does_not_know_that(house: House):
    house.announce = lambda deployment_id: None
    house.asked = house.requested(house.listed(3)[0])
    house.authorise(house.asked.id)
    assert waive(house).reason is Reason.POLICY_FORBIDS
    for role in WRITERS:
        with broken("PV033"):
            attest(house, house.asked.id, role, kind="'notice_waived'", made_by="'authoriser'")
    signed(house)
    with house.meddling() as connection:  # and were it there, it would not count
        connection.execute(
            "INSERT INTO attestation (deployment_id, kind, statement, made_by, made_at)"
            " VALUES (%s, 'notice_waived', 'x', 'authoriser', now())",
            (house.asked.id,),
        )
    assert "notice" in refused(house)


def test_there_is_no_waiver_of_signage(quiet: House):
    for role in WRITERS:
        with broken("attestation_kind_check"):
            attest(quiet, quiet.asked.id, role, kind="'signage_waived'")


# --- an attestation stays ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["officer", "reviewer", "auditor"])
def test_nobody_attests_who_neither_requests_nor_authorises(quiet: House, by):
    assert quiet.attest(quiet.asked.id, Attested.SIGNAGE, by=by).reason is Reason.ROLE_MISSING
    for role in WRITERS:
        with broken("PV033"):
            attest(quiet, quiet.asked.id, role, made_by=f"'{by}'")
        with broken("PV033"):
            attest(quiet, quiet.asked.id, role, made_by="'nobody-known'")


def test_what_was_attested_is_not_attested_again(quiet: House):
    signed(quiet)
    assert quiet.attest(quiet.asked.id, Attested.SIGNAGE, statement="elsewhere").reason is Reason.WRONG_STATE
    for role in WRITERS:
        with broken("attestation_pkey"):
            attest(quiet, quiet.asked.id, role)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE attestation SET published_at = published_at - interval '1 day'",
        "UPDATE attestation SET statement = 'another', made_by = 'authoriser'",
        "UPDATE attestation SET deployment_id = deployment_id",
        "DELETE FROM attestation",
    ],
)
def test_nobody_rewrites_or_takes_back_what_was_attested(quiet: House, change):
    signed(quiet)
    published(quiet, timedelta(hours=1))
    for role, rule in (("govern", "42501"), ("master", "PV029")):
        with broken(rule):
            quiet.sql(role, change)


@pytest.mark.parametrize("role", OTHERS)
def test_no_other_functions_role_attests(quiet: House, role):
    with broken("42501"):
        attest(quiet, quiet.asked.id, role)


def test_what_was_attested_for_another_deployment_counts_for_nothing(quiet: House):
    other = quiet.requested(quiet.list_id)
    quiet.asked, here = other, quiet.asked
    signed(quiet)
    published(quiet, timedelta(hours=HOURS + 1))
    quiet.asked = here
    assert "signage" in refused(quiet)


def test_nothing_is_attested_of_what_is_over(quiet: House):
    quiet.stop(quiet.asked.id)
    assert quiet.attest(quiet.asked.id, Attested.SIGNAGE).reason is Reason.WRONG_STATE
    with broken("PV033"):
        attest(quiet, quiet.asked.id)


def test_said_plainly_the_role_of_govern_can_attest_in_anothers_name(quiet: House):
    """Not prevented: who holds govern's login role can write that a requester attested, and a date of publication in
    the past. Whether a sign stands in the street no machine knows; the name of who said so stays."""
    attest(quiet, quiet.asked.id)
    attest(quiet, quiet.asked.id, kind="'public_notice'", published_at="now() - interval '30 days'")
    assert quiet.start(quiet.asked.id).state is DeploymentState.ACTIVE


# --- what is published and put up -------------------------------------------------------------------------------------


def test_before_the_start_there_is_a_notice_and_a_sign_of_what_is_authorised(quiet: House):
    for state in (DeploymentState.AUTHORISED, DeploymentState.STOPPED):
        found = announced(principal=quiet.person("requester"), deployment_id=quiet.asked.id, store=quiet.govern)
        assert isinstance(found, Deployment)
        assert found.state is state
        sheet = notice_sheet(found, CONTACTS, ZoneInfo("Europe/London"))
        for said in (
            found.grounds.operator_name,
            found.grounds.legal_basis,
            found.policy.title,
            found.place,
            "a trained person must look at both pictures and decide",
            f"{found.policy.evidence_hours} hours",
            CONTACTS.complaints,
            CONTACTS.data_protection,
            CONTACTS.record_url,
            "was I on the list?",
            "DEMONSTRATION",
        ):
            assert said in sheet, said
        for size in ("A3", "A4"):
            sign = signage(found, CONTACTS, ZoneInfo("Europe/London"), size)
            assert '<div lang="cy">' in sign
            assert CONTACTS.complaints in sign
            assert UNREAD in sign
        quiet.stop(quiet.asked.id)


def test_a_looser_policy_says_so_with_its_differences_on_the_notice(quiet: House):
    looser = policy(extends="uk-police 2026.11.2", differences=("kept for longer", "<b>x</b>"))
    found = replace(quiet.deployment(quiet.asked.id), policy=looser)
    sheet = notice_sheet(found, CONTACTS, ZoneInfo("Europe/London"))
    assert "NOT uk-police 2026.11.2: 2 differences" in sheet
    assert "kept for longer" in sheet
    assert "<b>x</b>" not in sheet


def test_the_notice_names_nobody_and_no_list(quiet: House):
    found = quiet.deployment(quiet.asked.id)
    for made in (notice_sheet(found, CONTACTS, ZoneInfo("UTC")), signage(found, CONTACTS, ZoneInfo("UTC"))):
        for secret in (found.requested_by, "authoriser", found.watchlist_id, found.build_id, *found.cameras):
            assert f">{secret}<" not in made


def test_who_only_receives_notices_has_none_of_it(quiet: House):
    found = announced(principal=quiet.person("recipient"), deployment_id=quiet.asked.id, store=quiet.govern)
    assert found.reason is Reason.ROLE_MISSING
    gone = announced(principal=quiet.person("requester"), deployment_id="another", store=quiet.govern)
    assert gone.reason is Reason.NOT_FOUND
