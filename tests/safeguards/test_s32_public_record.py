"""S32: the public record is not built yet, and is refused by name; what it would be made from tells no names.

Met practice; EHRC. The ways round: asking all the same, and reading more than counts as the role that it will have.
"""

import json

import psycopg
import pytest

from functions.report.app import handler
from tests.safeguards.house import House
from tests.unit.test_edge_batch import CONTEXT
from tests.unit.test_edge_http import event

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.mark.parametrize("path", ["/records", "/records/some-deployment"])
def test_it_is_refused_by_name(path, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "s32")
    answer = handler(event("GET", path), CONTEXT)
    assert answer["statusCode"] == 501
    assert json.loads(answer["body"])["reason"] == "not_offered_yet"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT label FROM entry",
        "SELECT reason FROM entry",
        "SELECT reviewer, reason FROM review",
        "SELECT sub FROM person",
        "SELECT template FROM reference_template",
        "SELECT reference_no FROM entry",
    ],
)
def test_the_role_of_report_reads_nobodys_name(house: House, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        house.sql("report", statement)


def test_said_plainly_the_role_of_report_reads_the_audit(house: House):
    """Not prevented: it may read the chains, for their heads; who acted stands in them by account name."""
    house.running(house.listed(3)[0])
    assert b"authoriser" in b"".join(bytes(row["body"]) for row in house.sql("report", "SELECT body FROM audit_event"))
