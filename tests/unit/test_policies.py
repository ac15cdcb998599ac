"""The shipped policy files: each valid, each value with its source, `demo` only where it is permitted."""

import re

import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.domain.notice import GSM7
from proviso.domain.policy import Policy
from proviso.domain.reasons import Reason, Refused
from proviso.policies import load, parse, shipped

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
        ('source = "One working day."', 'source = ""', "max_duration_minutes"),
        (', source = "One working day."', "", "max_duration_minutes"),
        ('value = "TRIAL"', 'value = "TRIAL OF FIFTEEN"', "message_prefix"),
        ('value = "TRIAL"', 'value = "[TRIAL]"', "message_prefix"),
        ('version = "2026.11.1"', 'version = "latest"', "version"),
    ],
)
def test_a_wrong_value_is_named(old, new, named):
    assert old in text("volunteers")
    with pytest.raises(ConfigurationFault, match=named):
        parse(text("volunteers").replace(old, new))


def test_what_is_not_toml_is_said_so():
    with pytest.raises(ConfigurationFault, match="not TOML"):
        parse("name = ")
