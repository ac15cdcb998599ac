"""What only shows when the parts are joined: the waits of one function against the time that it has."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from proviso import wiring
from proviso.cloud import clients
from proviso.store import connection

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
FOR_STORAGE_S = 5
"""What a stop's few calls to S3 may take together: delete permits, spool the stop, delete permits again."""


class _Tags(yaml.SafeLoader):
    """Reads a template as it is; what its tags mean does not matter here."""


_Tags.add_multi_constructor("!", lambda loader, suffix, node: None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict]:
    """What govern's connector was made with."""
    given: dict = {}
    real = connection.Connector

    def recorded(conninfo, **settings):
        made = real(conninfo, **settings)
        given.update(made._arguments)
        return made

    monkeypatch.setattr(connection, "Connector", recorded)
    monkeypatch.setattr(clients, "_made", {})
    for name, value in {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "PERMITS_BUCKET": "p",
        "SUBJECTS_TABLE": "s",
        "CAMERAS_TABLE": "c",
        "ANCHORS_BUCKET": "a",
        "OUTBOX_BUCKET": "o",
        "SOFTWARE_BUILD": "b",
        "AWS_DEFAULT_REGION": "eu-west-2",
    }.items():
        monkeypatch.setenv(name, value)
    wiring._read.cache_clear()
    wiring.govern.cache_clear()
    yield given
    wiring._read.cache_clear()
    wiring.govern.cache_clear()


def test_a_stop_is_spooled_before_the_function_runs_out_of_time(asked):
    """S04: killed by its time-out, it would have taken the permits and told nobody."""
    wiring.govern()
    template = yaml.load(TEMPLATE.read_text(), Loader=_Tags)
    function = template["Resources"]["GovernFunction"]["Properties"]
    timeout = function.get("Timeout", template["Globals"]["Function"]["Timeout"])
    options = dict(option.split("=", 1) for option in asked["options"].removeprefix("-c ").split(" -c "))
    lock_s = int(options["lock_timeout"]) / 1000
    assert asked["connect_timeout"] + 2 * lock_s + FOR_STORAGE_S <= timeout
