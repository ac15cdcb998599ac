"""What somebody writes who holds a login role, or owns the database, and goes past all code: a request, a calibration,
an attestation, a decision, a start. What is not given is as in the row that is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.safeguards.house import House

WRITERS = ("govern", "master")
OTHERS = ("match", "enrol", "review", "retain", "report")
DEPLOYMENT_COLUMNS = (
    "id",
    "state",
    "use",
    "place",
    "premises",
    "starts_at",
    "ends_at",
    "passages_expected",
    "watchlist_id",
    "build_id",
    "pipeline",
    "threshold",
    "policy",
    "calibrated",
    "calibration_id",
    "software_build",
    "grounds",
    "real_time_grounds",
    "requested_by",
    "requested_at",
)
ANOTHER_VERSION = """policy || '{"version": "another"}'"""
AUTHORISE = """
UPDATE deployment SET state = 'authorised', authorised_by = 'authoriser', authorised_at = now(), authorised_digest = 'd'
WHERE id = %(id)s
"""
WARM = "UPDATE deployment SET state = 'warming' WHERE id = %(id)s"
ACTIVATE = "UPDATE deployment SET state = 'active', started_at = now() WHERE id = %(id)s"


@contextmanager
def broken(rule: str) -> Iterator[None]:
    """The database refuses by this rule: a trigger's code, or a constraint's name."""
    with pytest.raises(psycopg.Error) as caught:
        yield
    told = (caught.value.sqlstate, caught.value.diag.constraint_name)
    assert rule in told, f"{told}: {caught.value}"


def copied(columns: tuple[str, ...], table: str, changed: dict[str, str]) -> str:
    values = {name: name for name in columns} | changed
    return f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {table} LIMIT 1"


def ask(house: House, role: str = "govern", **changed: str) -> str:
    """A request like the first one but for these SQL expressions. Its id."""
    identifier = house.id()
    columns = {"id": f"'{identifier}'", "state": "'requested'", **changed}
    house.sql(role, copied(DEPLOYMENT_COLUMNS, "deployment", columns))
    return identifier


def attest(house: House, deployment_id: str, role: str = "govern", **changed: str) -> None:
    """Signage, unless changed."""
    values = {
        "deployment_id": f"'{deployment_id}'",
        "kind": "'signage'",
        "statement": "'at each door'",
        "made_by": "'requester'",
        "made_at": "now()",
        "published_at": "NULL",
        **changed,
    }
    house.sql(role, f"INSERT INTO attestation ({', '.join(values)}) VALUES ({', '.join(values.values())})")


def announce(house: House, deployment_id: str) -> None:
    attest(house, deployment_id)
    attest(house, deployment_id, kind="'public_notice'", published_at="now()")


def calibrate(
    house: House,
    *points: tuple[Any, ...],
    pipeline: str | None = None,
    kind: str = "laboratory",
    site: str = "",
    identifier: str = "c-1",
    role: str = "master",
) -> str:
    """A calibration, as only the owner can write one; a site trial with the triggers off, as if it had taken place. A
    point: list size, floor, then the FPIR of a searched face and of a passage, each low and high, and frames a
    probe."""
    statements = [
        (
            "INSERT INTO calibration (id, pipeline, kind, site, made_at, recorded_by)"
            " VALUES (%(id)s, %(pipeline)s, %(kind)s, %(site)s, now(), 'laboratory')",
            {"pipeline": pipeline or house.pipeline.digest, "kind": kind, "site": site},
        )
    ]
    for point in points:
        frames = point[6] if len(point) > 6 else 1
        statements.append(
            (
                "INSERT INTO calibration_point VALUES (%(id)s, %(a)s, %(b)s, %(c)s, %(d)s, %(e)s, %(f)s, %(frames)s)",
                {**dict(zip("abcdef", (*point[:6], *[None] * (6 - len(point))), strict=True)), "frames": frames},
            )
        )
    if kind == "site_trial" and role == "master":
        with house.meddling() as connection:
            for statement, given in statements:
                connection.execute(statement.encode(), {"id": identifier, **given})
        return identifier
    for statement, given in statements:
        house.sql(role, statement, id=identifier, **given)
    return identifier


def state(house: House, deployment_id: str) -> str:
    return str(house.one("SELECT state FROM deployment WHERE id = %(id)s", id=deployment_id))


def put_back(house: House, deployment_id: str, name: str) -> None:
    """Into a state, with the triggers off."""
    with house.meddling() as connection:
        connection.execute("UPDATE deployment SET state = %s, started_at = NULL WHERE id = %s", (name, deployment_id))


def never_starts(house: House, deployment_id: str, rule: str) -> None:
    """Authorised, it neither begins to warm nor, if it had, becomes active; by SQL, whoever writes."""
    assert state(house, deployment_id) == "authorised"
    for role in WRITERS:
        with broken(rule):
            house.sql(role, WARM, id=deployment_id)
        put_back(house, deployment_id, "warming")
        with broken(rule):
            house.sql(role, ACTIVATE, id=deployment_id)
        put_back(house, deployment_id, "authorised")
    assert house.permits.objects == {}


def starts(house: House, deployment_id: str) -> None:
    """So that nothing else keeps it: authorised, it starts by SQL."""
    house.sql("govern", WARM, id=deployment_id)
    house.sql("govern", ACTIVATE, id=deployment_id)
    assert state(house, deployment_id) == "active"
