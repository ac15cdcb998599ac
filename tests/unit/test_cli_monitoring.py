"""`proviso monitoring` and `proviso suspensions`: what people read, the things that cannot be measured included."""

import pytest
from typer.testing import CliRunner

from functions.govern import monitoring as views
from proviso.cli import session
from proviso.cli.main import app
from tests.samples import DEPLOYMENT, SUSPENSION, monitoring, suspension


class Api:
    """Answers as govern would, and keeps what it was sent."""

    def __init__(self):
        self.sent = []

    def get(self, path):
        if path == "/suspensions":
            return {"suspensions": [views.suspension(suspension())]}
        assert path == f"/deployments/{DEPLOYMENT}/monitoring"
        return views.shown(monitoring())

    def post(self, path, body):
        self.sent.append((path, body))
        return views.suspension(suspension(reviewed_by="other", reviewed_at=suspension().suspended_at, finding="x"))


@pytest.fixture
def api(monkeypatch):
    made = Api()
    monkeypatch.setattr(session, "api", lambda acting, say: made)
    return made


def run(*words):
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_it_shows_what_is_measured_and_what_is_not(api):
    said = run("monitoring", DEPLOYMENT)
    assert "false matches deployment 3 400 searched faces 0.4 2.72 399" in said
    assert "sex female 2 3 50.0% 1.49 nothing yet" in said
    assert "false candidates deployment not measurable" in said
    assert "ethnicity black: not measurable: no share of passers-by was declared" in said
    assert "people who were missed: not measurable here" in said
    assert all(word in said for word in (SUSPENSION, DEPLOYMENT, "S26 false matches"))
    assert "WAITS" in said


def test_what_waits_says_how_it_is_reviewed(api):
    said = run("suspensions", "list")
    assert "WAITS" in said
    assert "proviso suspensions review ID --finding TEXT" in said


def test_a_review_sends_its_finding(api):
    said = run("suspensions", "review", SUSPENSION, "--finding", "a poor picture")
    assert api.sent == [(f"/suspensions/{SUSPENSION}/review", {"finding": "a poor picture"})]
    assert "the deployment stays stopped" in said
