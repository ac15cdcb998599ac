"""Policy files: each valid, each value with its source; local ones extend a shipped one, or are refused by name."""

import re
from dataclasses import fields, replace

import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.domain.notice import GSM7
from proviso.domain.policy import Policy
from proviso.domain.reasons import Reason, Refused
from proviso.policies import EXTENDABLE, PolicyFault, load, parse, parse_local, read_local, read_shipped, shipped

ALL = frozenset({"demo", "volunteers", "uk-police", "eu"})


def text(name):
    from importlib import resources

    return resources.files("proviso.policies").joinpath("files", f"{name}.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", shipped())
def test_each_shipped_file_holds(name):
    policy = load(name, ALL)
    assert isinstance(policy, Policy)
    assert policy.name == name
    assert policy.reviewers_required >= 1  # S16: no policy without a person
    assert policy.frame_age_limit_s <= 120  # what sweep deletes at
    assert policy.image_warn_age_years <= policy.image_refuse_age_years
    assert set(policy.message_prefix) <= GSM7


def test_the_default_asks_for_consent_and_calibration():
    policy = load("volunteers", ALL)
    assert policy.consent_required
    assert policy.calibration_required
    assert policy.max_entries == 50


def test_demo_is_small_short_and_says_what_it_is():
    policy = load("demo", ALL)
    assert (policy.max_entries, policy.max_duration_minutes) == (5, 60)
    assert policy.message_prefix == "DEMONSTRATION"


def test_police_use_is_of_closed_lists_two_reviewers_a_rank_and_a_trial_on_site():
    policy = load("uk-police", ALL)
    assert policy.operator_kinds == ("police_force",)
    assert policy.max_entries == 10_000  # NPL 2023
    assert policy.reviewers_required == 2
    assert policy.authoriser_ranks[0] == "superintendent"
    assert policy.calibration_required
    assert policy.site_trial_required
    assert policy.under_18_allowed
    assert policy.public_notice_hours > 0
    assert policy.message_prefix == ""


def test_in_the_union_nothing_starts_without_a_decision_but_for_a_day():
    policy = load("eu", ALL)
    assert policy.decision_required
    assert policy.urgent_start_hours == 24
    assert len(policy.uses) == 3  # article 5(1)(h)(i) to (iii)
    assert policy.reviewers_required == 2


def test_only_demo_may_run_uncalibrated_and_only_eu_has_an_urgent_start():
    policies = [load(name, ALL) for name in shipped()]
    assert {one.name for one in policies if not one.calibration_required} == {"demo"}
    assert {one.name for one in policies if one.urgent_start_hours} == {"eu"}
    assert {name for name in shipped() if name != "demo"} == set(EXTENDABLE)


@pytest.mark.parametrize("name", shipped())
def test_each_value_has_a_source_and_each_title_is_the_plain_one(name):
    file = read_shipped(name)
    ruling = {field.name for field in fields(Policy)} - {"name", "version", "extends", "differences"}
    assert set(file.sources) == ruling
    assert all(len(source) >= 10 for source in file.sources.values())
    assert (file.policy.extends, file.policy.differences) == ("", ())
    assert file.policy.title == f"{name} {file.policy.version}"


@pytest.mark.parametrize("name", ["demo", "uk-police", "nonsense", "../demo", "", "volunteers.toml"])
def test_what_is_not_permitted_or_not_shipped_is_refused(name):
    refused = load(name, frozenset({"volunteers"}))
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.POLICY_FORBIDS


def test_permitting_what_is_not_shipped_does_not_make_it():
    assert isinstance(load("uk-police", ALL), Refused) or "uk-police" in shipped()


VALUES = re.findall(r"^(\w+) = \{", text("volunteers"), re.MULTILINE)


@pytest.mark.parametrize("name", VALUES)
def test_a_typo_is_named(name):
    with pytest.raises(ConfigurationFault) as fault:
        parse(text("volunteers").replace(f"{name} = {{", f"{name}x = {{"))
    assert f"values.{name}: " in str(fault.value)
    assert f"values.{name}x: " in str(fault.value)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("value = 50,", 'value = "50",', "max_entries"),
        ("value = 50,", "value = 0,", "max_entries"),
        ("value = 50,", "value = 1.5,", "max_entries"),
        ("calibration_required = { value = true,", "calibration_required = { value = 1,", "calibration_required"),
        ('"trial_with_consent"', "", "uses"),
        ('source = "House value: one working day."', 'source = ""', "max_duration_minutes"),
        (', source = "House value: one working day."', "", "max_duration_minutes"),
        ('value = "TRIAL"', 'value = "TRIAL OF FIFTEEN"', "message_prefix"),
        ('value = "TRIAL"', 'value = "[TRIAL]"', "message_prefix"),
        ('version = "2026.11.3"', 'version = "latest"', "version"),
        ('"consenting_volunteer"', '"intelligence_of_any_kind"', "categories.*not closed"),
        ('"consenting_volunteer"', '"some_other_person"', "categories.*not closed"),
        ('"consenting_volunteer"', '"consenting_volunteer", "consenting_volunteer"', "categories.*twice"),
        ('["closed_premises"]', '["somewhere"]', "premises"),
        ('["police_force", ', '["shop", ', "operator_kinds"),
        ("public_notice_hours = { value = 0,", "public_notice_hours = { value = -1,", "public_notice_hours"),
        ("image_warn_age_years = { value = 5,", "image_warn_age_years = { value = 11,", "image_warn_age_years"),
        ("frame_age_limit_s = { value = 60,", "frame_age_limit_s = { value = 121,", "frame_age_limit_s"),
        ("evidence_hours = { value = 24,", "evidence_hours = { value = 745,", "evidence_hours"),
    ],
)
def test_a_wrong_value_is_named(old, new, named):
    assert old in text("volunteers")
    with pytest.raises(ConfigurationFault, match=named):
        parse(text("volunteers").replace(old, new))


def test_what_is_not_toml_is_said_so():
    with pytest.raises(ConfigurationFault, match="not TOML"):
        parse("name = ")


# --- local policies ---------------------------------------------------------------------------------------------------

LOCAL = """
name = "short"
version = "2026.12.1"
extends = "uk-police"
purpose = "As uk-police, but shorter."

[values]
max_duration_minutes = { value = 240, source = "Our policy document, section 5." }
"""


def changed(line):
    return LOCAL + line + "\n"


def test_a_local_policy_is_the_shipped_one_with_what_it_tightens():
    base, file = read_shipped("uk-police"), parse_local(LOCAL)
    assert file.policy == replace(
        base.policy, name="short", version="2026.12.1", extends="uk-police 2026.11.3", max_duration_minutes=240
    )
    assert file.policy.title == "short 2026.12.1 (uk-police 2026.11.3, tightened)"
    assert file.own == {"max_duration_minutes"}
    assert file.sources["max_duration_minutes"] == "Our policy document, section 5."
    assert file.sources["max_entries"] == base.sources["max_entries"]


def test_a_looser_one_loses_the_name_and_says_in_what():
    file = parse_local(changed('max_entries = { value = 20000, source = "Ours, section 4." }'))
    assert file.policy.title == "short 2026.12.1 (NOT uk-police 2026.11.3: 1 difference)"
    assert file.policy.differences == ("max_entries: 20000 here, 10000 in uk-police 2026.11.3 (looser)",)
    two = parse_local(
        changed('max_entries = { value = 20000, source = "Ours, section 4." }')
        + 'decide_within_s = { value = 60, source = "Ours, section 4." }\n'
    )
    assert two.policy.title.endswith(": 2 differences)")


def test_differences_are_part_of_what_is_authorised():
    policy = parse_local(changed('max_entries = { value = 20000, source = "Ours, section 4." }')).policy
    assert replace(policy, differences=()).digest != policy.digest
    assert Policy.from_mapping(policy.as_mapping()) == policy


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "short"', 'name = "uk-police"', "a name of its own"),
        ('name = "short"', 'name = "volunteers"', "a name of its own"),
        ('name = "short"', 'name = "demo"', "a name of its own"),
        ('name = "short"', 'name = "my-demo"', "'demo'"),
        ('name = "short"', 'name = "../short"', "name: "),
        ('extends = "uk-police"', 'extends = "demo"', "nothing may extend demo"),
        ('extends = "uk-police"', 'extends = "demo 2026.11.3"', "nothing may extend demo"),
        ('extends = "uk-police"', 'extends = "short"', "does not ship"),
        ('extends = "uk-police"', "", "extends: is missing"),
        ('extends = "uk-police"', 'extends = "uk-police 2025.1.1"', "2026.11.3 ships"),
        ("[values]", '[values]\ndifferences = { value = [], source = "none, we say" }', "differences: is not known"),
        ("[values]", '[values]\nextends = { value = "", source = "none, we say" }', "extends: is not known"),
        ('"Our policy document, section 5."', '""', "max_duration_minutes.source"),
        (', source = "Our policy document, section 5."', "", "max_duration_minutes.source: is missing"),
        ("[values]", '[values]\nuses = { value = [], source = "Ours, section 4." }', "uses.value: may not be empty"),
        ("[values]", '[values]\ncalibration_required = { value = false, source = "Ours, section 4." }', "S13"),
        ('version = "2026.12.1"', 'version = "new"', "version: is not of the form"),
    ],
)
def test_a_local_file_that_does_not_hold_says_why(old, new, said):
    assert old in LOCAL
    with pytest.raises(PolicyFault) as fault:
        parse_local(LOCAL.replace(old, new))
    assert said in str(fault.value)


def test_a_decision_cannot_be_extended_away():
    with pytest.raises(PolicyFault, match="S37"):
        parse_local(
            LOCAL.replace("uk-police", "eu") + 'decision_required = { value = false, source = "Ours, section 4." }'
        )


@pytest.mark.parametrize("prefix", ["", "PILOT", "TRIALS"])
def test_the_words_of_the_notices_cannot_be_extended_away(prefix):
    text = LOCAL.replace("uk-police", "volunteers")
    with pytest.raises(PolicyFault, match="message_prefix"):
        parse_local(text + f'message_prefix = {{ value = "{prefix}", source = "Ours, section 4." }}')


def test_all_faults_are_named_at_once():
    with pytest.raises(PolicyFault) as fault:
        parse_local(
            LOCAL.replace('"short"', '"eu"')
            + 'mx_entries = { value = 1, source = "Ours, section 4." }\n'
            + 'image_warn_age_years = { value = 99, source = "Ours, section 4." }\n'
            + 'calibration_required = { value = false, source = "Ours, section 4." }\n'
        )
    named = [one.split(":")[0] for one in fault.value.faults]
    assert named == ["values.mx_entries", "image_warn_age_years", "name", "calibration_required"]


def test_a_local_policy_is_loaded_where_it_is_permitted(tmp_path):
    (tmp_path / "short.toml").write_text(LOCAL)
    assert load("short", {"short"}, tmp_path) == parse_local(LOCAL).policy
    for permitted, folder in (({"volunteers"}, tmp_path), ({"short"}, None), ({"short"}, tmp_path / "nowhere")):
        refused = load("short", permitted, folder)
        assert refused.reason is Reason.POLICY_FORBIDS
        assert "not offered here" in refused.detail


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("short", LOCAL.replace('"short"', '"long"').encode(), "long.toml"),
        ("short", b"name = ", "not TOML"),
        ("short", b"\xff\xfe", "UTF-8"),
        ("short", LOCAL.replace('extends = "uk-police"', "").encode(), "extends"),
        ("uk-police", LOCAL.encode(), "uk-police"),  # in the shipped one's place: neither is used
        ("uk-police", text("uk-police").encode(), "extends"),
        ("demo", text("demo").encode(), "extends"),
    ],
)
def test_a_broken_local_file_is_refused_with_a_sentence(tmp_path, name, content, said):
    (tmp_path / f"{name}.toml").write_bytes(content)
    refused = load(name, {name}, tmp_path)
    assert isinstance(refused, Refused)
    assert "cannot be used" in refused.detail
    assert said in refused.detail


def test_a_file_that_cannot_be_read_is_a_fault_and_no_traceback(tmp_path):
    with pytest.raises(PolicyFault, match="cannot be read"):
        read_local(tmp_path / "short.toml")


def test_a_broken_file_beside_does_not_hinder_the_others(tmp_path):
    (tmp_path / "broken.toml").write_text("name = ")
    (tmp_path / "short.toml").write_text(LOCAL)
    assert isinstance(load("short", {"short"}, tmp_path), Policy)
    assert isinstance(load("volunteers", {"volunteers"}, tmp_path), Policy)
