"""S34: an edited policy is a new version; a deployment keeps the one under which it was authorised.

ICO audit 2025 (version control). The ways round: editing a file and leaving its version, editing what an authorised
deployment runs under (through the file, and by SQL as govern's role and as master), and a file that takes the name of a
shipped policy or hides in what it differs.
"""

from dataclasses import replace

import psycopg
import pytest

from proviso.domain.deployment import Deployment, DeploymentState
from proviso.domain.frame import Outcome
from proviso.domain.reasons import Reason
from proviso.policies import PolicyFault, parse_local, read_shipped, shipped
from tests.safeguards.house import House

pytest_plugins = ["tests.databases"]

PUBLISHED = {
    "demo 2026.11.1": "64775d94496c63abd1d4bd8067cef03e19911e4c05f61732359ac255dcac7e19",
    "eu 2026.11.1": "8f5493fdf927e21c6625bdb265bc0491a6f8c81283779e6e5f41546ba6f3d1a5",
    "uk-police 2026.11.1": "e04e35d6c75c1dd123abbd5688e2a110ec309634ad44d2041d6a0ca42d6897f3",
    "volunteers 2026.11.1": "4abf0fac787243ccc95b466748f55a4039c766b566ffd45f1fb4a591dd053143",
    "demo 2026.11.2": "49ca5368f8229ff9cbf72fbef6819ee88fa5c12abded4f54bace1d91af2002d2",
    "eu 2026.11.2": "88eb933d969227b0a2c441bd6a16e07ca77d0aaadebe02dd7e0321dcf54bf925",
    "uk-police 2026.11.2": "a33671fe1ef4431d1811bb01b5ca9f9d1eba6ca190ea1e52d621a0b0499e2619",
    "volunteers 2026.11.2": "5e99671ea5e7352804dbba8d8e9f80c4eba501931d420d365b2beb349c4b9266",
    "demo 2026.11.3": "cb0337a91421d81ca2a824537577b105cde0a2fe61a40e194ed1563f9e94df95",
    "eu 2026.11.3": "a0857d94c89e23d3d9c254e58d80e421053ca804c4fa85c332c34c636a21eb58",
    "uk-police 2026.11.3": "99c29bcdd8897838203c17113cc871eaaeea56380442fb3c8fb610d95019928c",
    "volunteers 2026.11.3": "d261411f2bff452fbcff44d5ea7561eed16cc1de427d78702263d3550c84239f",
}
"""What each version says. A file that was edited gets a new version and a new line here; lines are never changed."""


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_file_is_not_edited_under_its_version(name):
    policy = read_shipped(name).policy
    assert policy.digest == PUBLISHED[policy.title], f"{name}.toml was edited: give it a new version, and a line here"


LOCAL = """
name = "short"
version = "2026.12.1"
extends = "uk-police"
purpose = "As uk-police, but shorter."
[values]
max_duration_minutes = { value = 240, source = "Our policy document, section 5." }
"""


def test_a_local_file_that_is_edited_under_its_version_is_not_what_was_authorised():
    was = parse_local(LOCAL).policy
    for edited in (
        LOCAL.replace("240", "120"),
        LOCAL.replace("240", "500"),
        LOCAL.replace('"2026.12.1"', '"2026.12.2"'),
        LOCAL + 'max_entries = { value = 5, source = "Our policy document." }',
    ):
        assert parse_local(edited).policy.digest != was.digest


def test_a_local_file_names_the_version_that_it_extends_and_can_ask_for_it():
    assert parse_local(LOCAL).policy.extends == "uk-police 2026.11.3"
    assert parse_local(LOCAL.replace('"uk-police"', '"uk-police 2026.11.3"')).policy == parse_local(LOCAL).policy
    with pytest.raises(PolicyFault, match="give this file a new version"):
        parse_local(LOCAL.replace('"uk-police"', '"uk-police 2025.1.1"'))


def test_no_file_can_say_itself_what_it_differs_in():
    for line in ("differences = []", 'extends = { value = "eu", source = "ours, we say" }'):
        with pytest.raises(PolicyFault):
            parse_local(LOCAL.replace("[values]", f"[values]\n{line}"))
        with pytest.raises(PolicyFault):
            parse_local(LOCAL.replace("[values]", f"{line}\n[values]"))


# --- a running deployment keeps its own -------------------------------------------------------------------------------


@pytest.fixture
def running(house: House) -> House:
    house.list_id, house.entries = house.listed(3)
    house.run = house.running(house.list_id)
    return house


@pytest.mark.integration
def test_a_running_deployment_keeps_the_version_it_was_authorised_under(running: House):
    was = running.run.policy
    running.permitted = replace(was, version="2026.12.1", max_duration_minutes=1, frame_age_limit_s=1)
    kept = running.deployment(running.run.id)
    assert kept.state is DeploymentState.ACTIVE
    assert kept.policy == was
    row = running.match(running.message(3))
    assert (row.outcome, row.counts.candidates) == (Outcome.SEARCHED, 1)


@pytest.mark.integration
def test_the_next_request_is_under_the_edited_one_and_is_authorised_anew(running: House):
    edited = replace(running.permitted, version="2026.12.1", max_duration_minutes=90)
    running.permitted = edited
    asked = running.requested(running.list_id)
    assert isinstance(asked, Deployment)
    assert (asked.state, asked.policy) == (DeploymentState.REQUESTED, edited)
    assert asked.digest != replace(asked, policy=running.run.policy).digest
    refused = running.authorise(asked.id, digest=replace(asked, policy=running.run.policy).digest)
    assert refused.reason is Reason.TERMS_CHANGED


@pytest.mark.integration
@pytest.mark.parametrize("role", ["govern", "match", "master"])
@pytest.mark.parametrize(
    "change",
    [
        "jsonb_set(policy, '{max_duration_minutes}', '100000')",
        "jsonb_set(policy, '{version}', '\"2026.12.1\"')",
        "jsonb_set(policy, '{differences}', '[\"nothing\"]')",
        "policy - 'message_prefix'",
    ],
)
def test_sql_does_not_edit_the_policy_of_a_deployment(running: House, role, change):
    with pytest.raises(psycopg.Error) as error:
        running.sql(role, f"UPDATE deployment SET policy = {change} WHERE id = %(id)s", id=running.run.id)
    assert error.value.sqlstate == ("PV003" if role == "master" else "42501")
    assert running.deployment(running.run.id).policy == running.run.policy


@pytest.mark.integration
def test_whoever_edits_it_beyond_what_sql_prevents_has_a_deployment_that_nobody_authorised(running: House):
    message = running.message(3)
    with running.meddling() as connection:
        connection.execute("UPDATE deployment SET policy = jsonb_set(policy, '{evidence_hours}', '700')")
    row = running.match(message)
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.DIGEST_DIFFERS)
