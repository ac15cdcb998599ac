"""Settings: every missing or wrong variable is named, and its value never shown."""

import pytest

from proviso import settings
from proviso.domain.errors import ConfigurationFault
from proviso.domain.retention import QUEUES

SECRET = "postgresql://role:topsecret@host/db"
WHOLE = {
    "SIGN_IN_URL": "https://sign-in.example",
    "SIGN_IN_CLIENT_ID": "client",
    "SIGN_IN_COMMAND_LINE_CLIENT_ID": "command-line",
    "FRAMES_BUCKET": "f",
    "PERMITS_BUCKET": "p",
    "ANCHORS_BUCKET": "a",
    "EVIDENCE_BUCKET": "e",
    "ENROLMENT_BUCKET": "n",
    "OUTBOX_BUCKET": "o",
    "LEDGER_TABLE": "l",
    "NOTICES_TABLE": "t",
    "SUBJECTS_TABLE": "s",
    "CAMERAS_TABLE": "c",
    "FACES_QUEUE_URL": "q",
    "FRAMES_QUEUE_URL": "q1",
    "NOTICES_QUEUE_URL": "q2",
    "FRAMES_DEAD_LETTER_QUEUE_URL": "d1",
    "FACES_DEAD_LETTER_QUEUE_URL": "d2",
    "NOTICES_DEAD_LETTER_QUEUE_URL": "d3",
    "REVIEWERS_TOPIC_ARN": "r",
    "RECIPIENTS_TOPIC_ARN": "c",
    "RETAIN_FUNCTION_NAME": "x",
    "DATABASE_URL": SECRET,
    "SOFTWARE_BUILD": "b",
    "COMPLAINTS_CONTACT": "complaints@example.org",
    "RECORDS_BUCKET": "r",
}
KINDS = [
    settings.Detect,
    settings.Match,
    settings.Alert,
    settings.Enrol,
    settings.Govern,
    settings.Grant,
    settings.Review,
    settings.Retain,
    settings.Report,
    settings.Announcing,
    settings.Sweep,
    settings.Migrate,
]


@pytest.mark.parametrize("kind", KINDS)
def test_each_reads_what_it_needs_and_shows_no_secret(kind):
    read = kind.read(WHOLE)
    assert "topsecret" not in repr(read) + str(read)
    with pytest.raises(Exception, match="frozen"):
        read.stage = "other"


@pytest.mark.parametrize("kind", KINDS)
def test_every_missing_variable_is_named(kind):
    needed = [name for name, field in kind.model_fields.items() if field.is_required()]
    with pytest.raises(ConfigurationFault) as fault:
        kind.read({name: value for name, value in WHOLE.items() if name == "DATABASE_URL"} if needed else {})
    for name in needed:
        assert name.upper() in str(fault.value)
    assert "topsecret" not in str(fault.value)
    assert fault.value.__cause__ is None


@pytest.mark.parametrize("kind", [settings.Match, settings.Govern])
def test_what_compares_the_software_build_does_not_run_without_one(kind):
    """S03: two unknown builds would be the same."""
    with pytest.raises(ConfigurationFault, match="SOFTWARE_BUILD"):
        kind.read({name: value for name, value in WHOLE.items() if name != "SOFTWARE_BUILD"})


@pytest.mark.parametrize("empty", ["", "   "])
def test_an_empty_variable_is_a_missing_one(empty):
    with pytest.raises(ConfigurationFault, match="LEDGER_TABLE"):
        settings.Detect.read({**WHOLE, "LEDGER_TABLE": empty})


@pytest.mark.parametrize("missing", ["DATABASE_HOST", "DATABASE_USER", "DATABASE_CA"])
def test_a_database_needs_an_address(missing):
    parts = {"DATABASE_HOST": "h", "DATABASE_USER": "u", "DATABASE_CA": "c", "PERMITS_BUCKET": "p"}
    assert settings.Migrate.read(parts).database_port == 5432
    with pytest.raises(ConfigurationFault, match=missing):
        settings.Migrate.read({name: value for name, value in parts.items() if name != missing})


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (settings.Migrate, "DATABASE_PORT", "topsecret"),
        (settings.Alert, "TIME_ZONE", "Top/secret"),
        (settings.Alert, "TIME_ZONE", "../topsecret"),
        (settings.Sweep, "FRAME_AGE_LIMIT_SECONDS", "0"),
        (settings.Sweep, "FRAME_AGE_LIMIT_SECONDS", "999999"),
    ],
)
def test_a_wrong_value_is_named_and_not_shown(kind, name, value):
    with pytest.raises(ConfigurationFault) as fault:
        kind.read({**WHOLE, name: value})
    assert name in str(fault.value)
    assert "secret" not in str(fault.value)


def test_policies_are_the_default_alone_unless_said():
    assert settings.Govern.read(WHOLE).permitted_policies == {"volunteers"}
    permitted = settings.Govern.read({**WHOLE, "PROVISO_POLICIES": " volunteers, demo ,"}).permitted_policies
    assert permitted == {"volunteers", "demo"}


def test_local_policies_lie_nowhere_unless_a_folder_is_named():
    assert settings.Govern.read(WHOLE).policy_folder is None
    named = settings.Govern.read({**WHOLE, "PROVISO_POLICY_FOLDER": "/opt/policies"}).policy_folder
    assert str(named) == "/opt/policies"


def test_sweep_knows_every_queue_by_the_name_that_a_certificate_gives_it():
    read = settings.Sweep.read(WHOLE)
    assert set(read.queue_urls) == set(QUEUES)
    assert len(set(read.queue_urls.values())) == len(QUEUES)
