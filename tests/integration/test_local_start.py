"""How the local cloud starts and does not start: each reason said, and nothing left behind."""

import threading
from pathlib import Path

import psutil
import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.local.cloud import LocalCloudOptions, local_cloud
from proviso.local.invoke import invoke_once
from proviso.local.postgres import embedded_postgres
from proviso.local.running import RunningCloud, find_running, publish
from tests.integration.test_local_cloud import TEMPLATE, write_root

pytestmark = pytest.mark.integration


def options_for(root: Path, **environment: str) -> LocalCloudOptions:
    return LocalCloudOptions(
        root=root, data=root / "data", environment={"PATH": "/usr/bin:/bin", "HOME": str(root), **environment}
    )


def children() -> list[str]:
    return [" ".join(one.cmdline()) for one in psutil.Process().children(recursive=True)]


def test_an_unknown_resource_stops_the_start_by_name_and_leaves_nothing(tmp_path: Path) -> None:
    root = write_root(tmp_path, TEMPLATE + "  Stream: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}\n")
    before = set(children())
    with (
        pytest.raises(ConfigurationFault, match="Stream is of type AWS::Kinesis::Stream"),
        local_cloud(options_for(root)),
    ):
        pass
    assert set(children()) <= before
    assert find_running(root / "data") is None


def test_a_schema_that_fails_stops_the_start_with_its_reason(tmp_path: Path) -> None:
    root = write_root(tmp_path)
    source = (root / "functions" / "schema" / "app.py").read_text()
    (root / "functions" / "schema" / "app.py").write_text(
        source.replace('status, reason = "SUCCESS", ""', 'status, reason = "FAILED", "version 3 is newer"')
    )
    before = set(children())
    with (
        pytest.raises(ConfigurationFault, match="Schema could not be created: version 3 is newer"),
        local_cloud(options_for(root)),
    ):
        pass
    assert set(children()) <= before


def test_a_schema_function_that_breaks_shows_its_last_lines(tmp_path: Path) -> None:
    root = write_root(tmp_path)
    (root / "functions" / "schema" / "app.py").write_text("print('about to')\nimport nothing_of_this_name\n")
    with pytest.raises(ConfigurationFault) as raised, local_cloud(options_for(root)):
        pass
    assert "nothing_of_this_name" in str(raised.value)
    assert "about to" in str(raised.value)


def test_a_database_of_one_s_own_gets_passwords_for_its_roles(tmp_path: Path) -> None:
    root = write_root(tmp_path)
    (root / "functions" / "schema" / "app.py").write_text(
        (root / "functions" / "schema" / "app.py")
        .read_text()
        .replace(
            'connection.execute("create role proviso_inside login")',
            """password = event["ResourceProperties"]["RolePasswords"]["proviso_inside"]
        connection.execute("create role proviso_inside login password '" + password + "'")""",
        )
    )
    (root / "functions" / "inside" / "app.py").write_text(
        "import os, psycopg\n"
        "def handler(event, context):\n"
        "    info = psycopg.conninfo.conninfo_to_dict(os.environ['DATABASE_URL'])\n"
        "    with psycopg.connect(os.environ['DATABASE_URL']) as connection:\n"
        "        user = connection.execute('select current_user').fetchone()[0]\n"
        "    return [user, len(info['password'])]\n"
    )
    with (
        embedded_postgres(tmp_path / "elsewhere") as url,
        local_cloud(options_for(root, DATABASE_URL=url)) as cloud,
    ):
        assert cloud.database_url == url
        assert cloud.invoke("InsideFunction", {}).payload == ["proviso_inside", 32]
        found = find_running(root / "data")
        assert found is not None
        assert found.database_url is None  # it may hold a password
    assert find_running(root / "data") is None


def test_one_function_alone_comes_up_for_one_call(tmp_path: Path) -> None:
    root = write_root(tmp_path)
    (root / "functions" / "schema" / "app.py").write_text("raise RuntimeError('not wanted for this one')\n")
    answer = invoke_once(options_for(root), "OddFunction", {"source": "me"})
    assert (answer.ok, answer.cold, answer.payload["source"]) == (True, True, "me")
    with pytest.raises(ConfigurationFault, match="no function NothingFunction"):
        invoke_once(options_for(root), "NothingFunction", {})
    assert not [one for one in threading.enumerate() if one.name.startswith("postgres")]


def test_a_file_left_by_a_killed_cloud_is_not_a_running_one(tmp_path: Path) -> None:
    assert find_running(tmp_path) is None
    publish(tmp_path, RunningCloud(2**22 - 1, "http://127.0.0.1:9", "", "", "", None))
    assert find_running(tmp_path) is None
    publish(tmp_path, RunningCloud(1, "http://127.0.0.1:9", "", "", "", None))
    assert find_running(tmp_path) is None
    assert (tmp_path / "current.json").stat().st_mode & 0o077 == 0
    (tmp_path / "current.json").write_text("{}")
    assert find_running(tmp_path) is None
