"""What each login role may do, table by table: written down here once more, so that a grant too many is seen."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from proviso.store.migrations import ROLES
from tests.contract.store_samples import House, Scene, act, house
from tests.embedded_database import Database

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

# S select, I insert, U update, D delete; small letters: some columns only. What is not named here is not granted.
RIGHTS = {
    "proviso_match": {
        "deployment": "su",
        "deployment_camera": "S",
        "build": "S",
        "build_template": "S",
        "entry": "s",
        "candidate": "SIu",
        "sighting": "SI",
        "runner_up": "I",
        "searched_frame": "SI",
    },
    "proviso_enrol": {
        "person": "S",
        "watchlist": "Su",
        "entry": "S",
        "reference": "SI",
        "reference_template": "I",
        "test_pair": "SIu",
    },
    "proviso_govern": {
        "schema_migration": "S",
        "person": "SIu",
        "watchlist": "SIu",
        "entry": "SIu",
        "reference": "S",
        "build": "SI",
        "build_reference": "SI",
        "deployment": "SIu",
        "deployment_camera": "SI",
        "certificate": "S",
        "audit_event": "S",
        "audit_head": "S",
        "audit_anchor": "SIu",
        "calibration": "Si",
        "calibration_point": "SI",
        "calibration_stranger": "S",
        "calibration_group": "S",
        "deployment_member": "SIu",
        "attestation": "SI",
        "prior_authorisation": "SI",
        "evidence_hold": "SIu",
        "backup_certificate": "S",
        "candidate": "s",
        "contact": "SIu",
        "test_pair": "s",
        "suspension": "Su",
    },
    "proviso_review": {
        "deployment_member": "S",
        "person": "S",
        "deployment": "su",
        "deployment_camera": "S",
        "build_reference": "S",
        "reference": "s",
        "entry": "s",
        "candidate": "Su",
        "review": "SI",
        "contact": "s",
        "withdrawal": "SI",
        "outcome": "SI",
        "demographics": "SI",
        "test_pair": "s",
        "test_candidate": "SIu",
        "evidence_hold": "SI",
        "calibration_stranger": "S",
    },
    "proviso_retain": {
        "person": "S",
        "watchlist": "Su",
        "build": "S",
        "build_reference": "SD",
        "deployment": "Su",
        "deployment_camera": "S",
        "candidate": "Su",
        "runner_up": "SD",
        "review": "Su",
        "certificate": "SI",
        "backup_certificate": "SI",
        "evidence_hold": "Su",
        "searched_frame": "S",
        "audit_event": "S",
        "audit_head": "S",
        "audit_anchor": "SIu",
        "reference": "sD",
        "reference_template": "sD",
        "build_template": "sD",
        "entry": "su",
        "outcome": "SI",
        "withdrawal": "Su",
        "test_pair": "s",
        "test_candidate": "su",
        "demographics": "sD",
        "group_count": "s",
        "group_margin": "s",
        "published_record": "SIu",
        "group_batch": "SIu",
        "group_batch_member": "SI",
        "false_group": "s",
        "suspension": "Su",
        "ledger_fold": "SI",
    },
    "proviso_report": {},
}
# The columns of which a right on "some columns" speaks.
COLUMNS = {
    ("proviso_match", "deployment", "UPDATE"): {"held"},
    ("proviso_match", "entry", "SELECT"): {"id", "watchlist_id", "removed_at"},
    ("proviso_match", "candidate", "UPDATE"): {"sightings", "last_sighting_at"},
    ("proviso_enrol", "watchlist", "UPDATE"): {"held"},
    ("proviso_govern", "watchlist", "UPDATE"): {"held", "delete_requested_at", "delete_requested_by"},
    ("proviso_govern", "person", "UPDATE"): {"roles", "trained_until", "rank"},
    ("proviso_govern", "entry", "UPDATE"): {"removed_at", "approved_by", "approved_at"},
    ("proviso_govern", "deployment_member", "UPDATE"): {"added_by", "added_at", "removed_at"},
    ("proviso_govern", "evidence_hold", "UPDATE"): {"released_by", "released_at"},
    ("proviso_govern", "audit_anchor", "UPDATE"): {"sequence", "hash", "anchored_at"},
    ("proviso_retain", "audit_anchor", "UPDATE"): {"sequence", "hash", "anchored_at"},
    ("proviso_govern", "calibration", "INSERT"): {
        "id",
        "pipeline",
        "kind",
        "site",
        "made_at",
        "recorded_by",
        "data",
        "remark",
        "deployment_id",
        "trial",
    },
    ("proviso_govern", "candidate", "SELECT"): {
        "id",
        "deployment_id",
        "entry_id",
        "camera",
        "place",
        "captured_at",
        "raised_at",
        "state",
        "decided_at",
        "sightings",
        "evidence_key",
    },
    ("proviso_govern", "deployment", "UPDATE"): {
        "state",
        "authorised_by",
        "authorised_at",
        "authorised_digest",
        "started_at",
        "finished_at",
        "finished_by",
        "held",
    },
    ("proviso_review", "deployment", "UPDATE"): {"held"},
    ("proviso_review", "entry", "SELECT"): {"id", "watchlist_id", "category", "reason", "removed_at", "erased_at"},
    ("proviso_review", "reference", "SELECT"): {"id", "entry_id", "watchlist_id", "image_key", "face"},
    ("proviso_review", "contact", "SELECT"): {"sub", "places", "categories", "removed_at"},
    ("proviso_review", "test_candidate", "UPDATE"): {"decision", "reason", "decided_at"},
    ("proviso_review", "test_pair", "SELECT"): {
        "id",
        "mated",
        "similarity",
        "probe_key",
        "probe_face",
        "reference_key",
        "reference_face",
        "added_by",
        "added_at",
        "removed_at",
    },
    ("proviso_govern", "test_pair", "SELECT"): {"mated", "added_at", "removed_at"},
    ("proviso_retain", "test_pair", "SELECT"): {"probe_key", "reference_key", "added_at", "removed_at"},
    ("proviso_retain", "test_candidate", "SELECT"): {"id", "deployment_id", "decided_at"},
    ("proviso_retain", "test_candidate", "UPDATE"): {"reason"},
    ("proviso_retain", "review", "UPDATE"): {"reason"},
    ("proviso_retain", "withdrawal", "UPDATE"): {"reason"},
    ("proviso_retain", "evidence_hold", "UPDATE"): {"reason"},
    ("proviso_retain", "demographics", "SELECT"): {"candidate_id"},
    ("proviso_retain", "group_count", "SELECT"): {"counted"},
    ("proviso_retain", "group_margin", "SELECT"): {"counted"},
    ("proviso_retain", "published_record", "UPDATE"): {"put"},
    ("proviso_retain", "group_batch", "UPDATE"): {"put"},
    ("proviso_retain", "false_group", "SELECT"): {"counted"},
    ("proviso_govern", "suspension", "UPDATE"): {"reviewed_by", "reviewed_at", "finding"},
    ("proviso_retain", "suspension", "UPDATE"): {"audited_at"},
    ("proviso_enrol", "test_pair", "UPDATE"): {"removed_at", "probe_key", "reference_key"},
    ("proviso_govern", "contact", "UPDATE"): {
        "email",
        "phone",
        "language",
        "places",
        "categories",
        "set_by",
        "set_at",
        "removed_at",
    },
    ("proviso_review", "candidate", "UPDATE"): {
        "state",
        "revision",
        "decided_by",
        "decided_at",
        "confirming_review",
    },
    ("proviso_retain", "reference_template", "SELECT"): {"reference_id", "watchlist_id"},
    ("proviso_retain", "build_template", "SELECT"): {"build_id", "entry_id", "watchlist_id"},
    ("proviso_retain", "candidate", "UPDATE"): {"state", "evidence_key"},
    ("proviso_retain", "entry", "SELECT"): {"id", "watchlist_id", "category", "removed_at", "erased_at"},
    ("proviso_retain", "entry", "UPDATE"): {
        "label",
        "reason",
        "source",
        "lawful_holding",
        "image_date",
        "consent_reference",
        "harm_reason",
        "removed_at",
        "erased_at",
    },
}
NEVER_READ = {  # (role, table): columns that hold what this role must not learn
    ("proviso_match", "entry"): {"label", "reason", "source", "reference_no"},
    ("proviso_match", "deployment"): {"grounds"},
    ("proviso_review", "entry"): {"label", "source", "reference_no"},
    ("proviso_review", "contact"): {"email", "phone"},
    ("proviso_review", "test_pair"): {"consent_reference"},
    ("proviso_govern", "test_pair"): {"id", "probe_key", "reference_key", "consent_reference"},
    ("proviso_retain", "test_candidate"): {"reviewer", "decision", "mated", "reason"},
    ("proviso_retain", "demographics"): {"reviewer", "sex", "age", "ethnicity"},
    ("proviso_retain", "group_count"): {"sex", "age", "ethnicity"},
    ("proviso_retain", "group_margin"): {"axis", "value", "truth", "deployment_id"},
    ("proviso_retain", "false_group"): {"dimension", "value"},
    ("proviso_retain", "entry"): {"label", "reason", "source"},
    ("proviso_retain", "reference_template"): {"template"},
    ("proviso_retain", "build_template"): {"pipeline", "fused", "template"},
}
PRIVILEGES = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}


@pytest.fixture
def rooms(clean_database: Database) -> Iterator[House]:
    with house(clean_database) as made:
        yield made


@pytest.fixture
def master(migrated_database: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(migrated_database.master_url, autocommit=True) as connection:
        yield connection


def tables(master: psycopg.Connection[Any]) -> list[str]:
    found = master.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace = 'public'::regnamespace"
    )
    return sorted(row[0] for row in found)


@pytest.mark.parametrize("role", ROLES)
def test_every_right_on_every_table(master: psycopg.Connection[Any], role: str) -> None:
    found: dict[str, str] = {}
    for table in tables(master):
        rights = ""
        for letter, privilege in PRIVILEGES.items():
            whole, some = master.execute(
                "SELECT has_table_privilege(%(role)s, %(table)s, %(privilege)s),"
                " CASE WHEN %(privilege)s = 'DELETE' THEN false"
                " ELSE has_any_column_privilege(%(role)s, %(table)s, %(privilege)s) END",
                {"role": role, "table": table, "privilege": privilege},
            ).fetchone() or (False, False)
            rights += letter if whole else letter.lower() if some else ""
        for privilege in ("TRUNCATE", "REFERENCES", "TRIGGER"):
            assert master.execute("SELECT has_table_privilege(%s, %s, %s)", [role, table, privilege]).fetchone() == (
                False,
            )
        if rights:
            found[table] = rights
    assert found == RIGHTS[role]


@pytest.mark.parametrize(("role", "table", "privilege"), COLUMNS)
def test_every_right_on_some_columns(master: psycopg.Connection[Any], role: str, table: str, privilege: str) -> None:
    found = master.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND has_column_privilege(%(role)s, attrelid, attnum, %(privilege)s)",
        {"role": role, "table": table, "privilege": privilege},
    )
    assert {row[0] for row in found} == COLUMNS[role, table, privilege]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_nothing_but_itself(master: psycopg.Connection[Any], role: str) -> None:
    found = master.execute(
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication,"
        " EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid),"
        " has_schema_privilege(rolname, 'public', 'CREATE'),"
        " has_database_privilege(rolname, current_database(), 'TEMPORARY'),"
        " has_database_privilege(rolname, current_database(), 'CREATE')"
        " FROM pg_roles r WHERE rolname = %s",
        [role],
    ).fetchone()
    assert found == (False, False, False, False, False)


def test_functions_with_the_owners_rights_are_granted_one_by_one(master: psycopg.Connection[Any]) -> None:
    found = master.execute(
        "SELECT p.proname, r.rolname FROM pg_proc p, pg_roles r"
        " WHERE p.prosecdef AND p.prorettype <> 'trigger'::regtype AND r.rolname LIKE 'proviso\\_%'"
        " AND has_function_privilege(r.oid, p.oid, 'EXECUTE')"
    )
    expected = {(n, role) for n in ("audit_reserve", "audit_append") for role in ROLES if role != "proviso_report"}
    expected |= {
        ("warm_build", "proviso_govern"),
        ("involved_in", "proviso_review"),
        ("deployment_left", "proviso_retain"),
        ("is_held", "proviso_retain"),
        ("trial_sightings", "proviso_govern"),
        ("trial_frames", "proviso_govern"),
        ("is_held", "proviso_review"),
        ("decided_within_the_hour", "proviso_review"),
        ("entries_that_differ", "proviso_govern"),
        ("test_answers", "proviso_review"),
        ("errs_too_often", "proviso_review"),
        ("fate_is_known", "proviso_retain"),
        ("record_counts", "proviso_retain"),
        ("batch_margins", "proviso_retain"),
        ("monitoring_of", "proviso_govern"),
        ("to_look_at", "proviso_retain"),
        ("look_again", "proviso_retain"),
        ("to_stop", "proviso_retain"),
        ("stop_suspended", "proviso_retain"),
        ("is_suspended", "proviso_match"),
        ("is_suspended", "proviso_review"),
    }
    assert {tuple(row) for row in found} == expected


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("match", "SELECT label FROM entry"),
        ("match", "SELECT * FROM entry"),
        ("match", "SELECT grounds FROM deployment"),
        ("match", "SELECT * FROM review"),
        ("match", "SELECT * FROM person"),
        ("match", "UPDATE deployment SET state = 'active'"),
        ("match", "UPDATE deployment SET ends_at = now() + interval '1 day'"),
        ("match", "UPDATE candidate SET state = 'confirmed'"),
        ("match", "DELETE FROM searched_frame"),
        ("match", "INSERT INTO audit_event (chain, sequence, body) VALUES ('x', 1, '{}')"),
        ("match", "SELECT * FROM audit_event"),
        ("match", "CREATE TEMPORARY TABLE kept (template halfvec)"),
        ("match", "CREATE TABLE kept (template halfvec)"),
        ("match", "SELECT warm_build('x')"),
        ("match", "SELECT template FROM reference_template"),
        ("match", "UPDATE build_template SET template = template"),
        ("match", "INSERT INTO build_template SELECT * FROM build_template"),
        ("match", "SELECT fused_template('x', 'y')"),
        ("enrol", "SELECT template FROM build_template"),
        ("enrol", "SELECT template FROM reference_template"),
        ("enrol", "SELECT reference_id FROM reference_template"),
        ("enrol", "SELECT count(*) FROM reference_template"),
        ("enrol", "INSERT INTO reference_template SELECT * FROM reference_template RETURNING template"),
        ("enrol", "INSERT INTO person VALUES ('x', '{authoriser}')"),
        ("enrol", "UPDATE entry SET removed_at = NULL"),
        ("govern", "SELECT template FROM reference_template"),
        ("govern", "SELECT template FROM build_template"),
        ("govern", "INSERT INTO build_template SELECT * FROM build_template"),
        ("govern", "SELECT fused_template('x', 'y')"),
        ("review", "SELECT template FROM build_template"),
        ("retain", "SELECT template FROM build_template"),
        ("retain", "UPDATE build_template SET template = template"),
        ("govern", "INSERT INTO reference SELECT * FROM reference"),
        ("govern", "UPDATE deployment SET threshold = 0"),
        ("govern", "DELETE FROM entry"),
        ("govern", "UPDATE candidate SET state = 'confirmed'"),
        ("govern", "UPDATE deployment_camera SET active = false"),
        ("govern", "UPDATE audit_head SET sequence = 0"),
        ("govern", "INSERT INTO suspension (id) VALUES ('x')"),
        ("govern", "UPDATE suspension SET figures = '{}'"),
        ("govern", "UPDATE suspension SET audited_at = now()"),
        ("govern", "DELETE FROM suspension"),
        ("govern", "SELECT * FROM false_limit"),
        ("govern", "SELECT * FROM false_group"),
        ("govern", "SELECT look_at('x')"),
        ("retain", "UPDATE suspension SET reviewed_at = now()"),
        ("retain", "DELETE FROM suspension"),
        ("retain", "SELECT monitoring_of('x')"),
        ("match", "UPDATE false_limit SET face_limit = 1"),
        ("match", "SELECT * FROM suspension"),
        ("review", "SELECT * FROM suspension"),
        ("review", "INSERT INTO false_group VALUES ('x', 'sex', 'female', 1)"),
        ("report", "SELECT finding FROM suspension"),
        ("review", "SELECT template FROM reference_template"),
        ("review", "SELECT label FROM entry"),
        ("review", "UPDATE candidate SET similarity = 1"),
        ("review", "UPDATE candidate SET decide_by = now() + interval '1 day'"),
        ("review", "UPDATE deployment SET state = 'active'"),
        ("review", "UPDATE person SET roles = '{reviewer}'"),
        ("review", "UPDATE review SET decision = 'confirm'"),
        ("retain", "SELECT template FROM reference_template"),
        ("retain", "DELETE FROM reference_template RETURNING template"),
        ("retain", "SELECT label FROM entry"),
        ("retain", "UPDATE candidate SET decided_by = 'x'"),
        ("retain", "DELETE FROM audit_event"),
        ("retain", "DELETE FROM searched_frame"),
        ("retain", "INSERT INTO review VALUES ('r', 'c', 'p', 'confirm', 'x', now())"),
        ("report", "SELECT reason FROM review"),
        ("report", "SELECT reviewer FROM review"),
        ("report", "SELECT label FROM entry"),
        ("report", "SELECT * FROM reference"),
        ("report", "UPDATE deployment SET state = 'closed'"),
    ],
)
def test_what_is_not_granted_is_refused(migrated_database: Database, role: str, statement: str) -> None:
    with (
        psycopg.connect(migrated_database.url(role)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


def test_what_match_may_update_changes_nothing(rooms: House) -> None:
    """The right that lets it lock the deployment's row is the right to write `false` where `false` stands."""
    scene: Scene = rooms.scene()
    with psycopg.connect(rooms.database.url("match"), autocommit=True) as match:
        with pytest.raises(psycopg.errors.DatabaseError):
            match.execute("UPDATE deployment SET held = true")
        match.execute("UPDATE deployment SET held = false")
    with rooms.govern().work() as work:
        assert work.deployment(scene.deployment.id) == scene.deployment


@pytest.mark.parametrize("role", ["enrol", "review", "retain", "match", "govern"])
def test_every_role_can_record_what_it_does(rooms: House, role: str) -> None:
    with rooms.govern(role).work() as work:
        work.audit(act("chain-1"))


def test_what_must_not_be_learnt_is_not_among_the_rights(master: psycopg.Connection[Any]) -> None:
    for (role, table), columns in NEVER_READ.items():
        for column in columns:
            found = master.execute("SELECT has_column_privilege(%s, %s, %s, 'SELECT')", [role, table, column])
            assert found.fetchone() == (False,), (role, table, column)
