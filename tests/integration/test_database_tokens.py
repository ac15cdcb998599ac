"""The bootstrap (design section 7): no password anywhere; a login by a signed token over TLS that checks the host. What
is tested is the wiring's own conninfo, host, user, token, verify-full, and not DATABASE_URL."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from functions.migrate.app import handler as migrate
from proviso import settings, wiring
from proviso.cloud.tokens import database_token
from proviso.domain.errors import DatabaseAway
from proviso.store.connection import Connector
from proviso.store.migrations import ROLES
from tests.embedded_database import server_or_skip
from tests.token_gate import KEY, REGION, SECRET, Authority, TokenGate

pytestmark = pytest.mark.integration
HOST = "proviso.cluster-example.eu-west-2.rds.amazonaws.com"
OWNER = "proviso_owner"
# What rds_iam and the master of a new Aurora cluster are: no superuser, may make roles and give rds_iam on. There it
# may make the extension too, because the service lets it; here only a superuser may.
NEW_CLUSTER = """
CREATE EXTENSION vector;
CREATE ROLE rds_iam NOLOGIN;
CREATE ROLE proviso_owner LOGIN CREATEROLE CREATEDB;
GRANT rds_iam TO proviso_owner WITH ADMIN OPTION;
ALTER DATABASE proviso OWNER TO proviso_owner;
ALTER SCHEMA public OWNER TO proviso_owner;
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server as Aurora makes one: a database without anything in it. The superuser's address, for looking."""
    with server_or_skip(tmp_path_factory.mktemp("cluster") / "data") as url:
        with psycopg.connect(url, autocommit=True) as master:
            master.execute(NEW_CLUSTER)
        yield url


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def gate(cluster: str, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenGate]:
    for name, value in {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with TokenGate(cluster, authority.server(HOST), HOST) as made:
        monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")  # where the name is; the certificate is checked against the name
        yield made


@pytest.fixture
def asking(gate: TokenGate, authority: Authority) -> Callable[..., Connector]:
    """A connector as the wiring makes it for a function with this login."""

    def made(login: str, ca: Path | None = None, host: str = HOST) -> Connector:
        read = settings.Database.read(
            {
                "DATABASE_HOST": host,
                "DATABASE_PORT": str(gate.port),
                "DATABASE_USER": login,
                "DATABASE_CA": str(ca or authority.ca),
                "AWS_REGION": REGION,
            }
        )
        connector: Connector = wiring._connector(read, "test", connect_timeout_s=5)
        return connector

    return made


@pytest.fixture
def migrated(gate: TokenGate, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The custom resource's answer; by the second test on it finds everything done."""
    for name, value in {
        "DATABASE_HOST": HOST,
        "DATABASE_PORT": str(gate.port),
        "DATABASE_USER": OWNER,
        "DATABASE_CA": str(authority.ca),
        "PERMITS_BUCKET": "permits",
    }.items():
        monkeypatch.setenv(name, value)
    wiring._read.cache_clear()
    context = type("Context", (), {"get_remaining_time_in_millis": lambda self: 300_000})()
    answer: dict[str, Any] = migrate({"RequestType": "Create", "ResourceProperties": {}}, context)
    wiring._read.cache_clear()
    gate.shown.clear()
    return answer


def whoever(connector: Connector) -> Any:
    with connector.transaction() as session:
        found = session.tuples("SELECT current_user, (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())")
    connector.close()
    return found[0][0]


def test_migrate_makes_everything_on_an_empty_cluster_as_a_master_without_superuser(
    migrated: dict[str, Any], gate: TokenGate
) -> None:
    assert migrated["Status"] == "SUCCESS", migrated["Reason"]
    made = gate.master.execute(
        "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolpassword FROM pg_authid"
        " WHERE rolname LIKE 'proviso%' AND rolname <> 'proviso_owner' ORDER BY rolname"
    ).fetchall()
    assert made == [(role, False, False, False, False, None) for role in sorted(ROLES)]


def test_the_answer_is_the_same_a_second_time(migrated: dict[str, Any]) -> None:
    assert (migrated["Status"], migrated["Reason"]) == ("SUCCESS", "done")


@pytest.mark.parametrize("role", [*ROLES, OWNER])
def test_each_login_comes_in_by_its_token(
    migrated: dict[str, Any], asking: Callable[..., Connector], gate: TokenGate, role: str
) -> None:
    assert whoever(asking(role)) == role
    ((login, token),) = gate.shown
    assert login == role
    assert SECRET not in token


def test_each_connect_has_a_token_of_its_own(
    migrated: dict[str, Any], asking: Callable[..., Connector], gate: TokenGate
) -> None:
    """It lasts 15 minutes, and a function's environment for hours."""
    connector = asking("proviso_match")
    for _ in range(3):
        connector.connect()
        connector.close()
    assert len(gate.shown) == 3


def test_a_token_is_refused_after_15_minutes(
    migrated: dict[str, Any], asking: Callable[..., Connector], gate: TokenGate
) -> None:
    gate.clock = lambda: datetime.now(UTC) + timedelta(minutes=14)
    assert whoever(asking("proviso_match")) == "proviso_match"
    gate.clock = lambda: datetime.now(UTC) + timedelta(minutes=16)
    with pytest.raises(DatabaseAway):
        whoever(asking("proviso_match"))
    assert gate.refused == ["too old"]


def test_nobody_comes_in_by_another_s_token(migrated: dict[str, Any], gate: TokenGate, authority: Authority) -> None:
    token = database_token(host=HOST, port=gate.port, user="proviso_match", region=REGION)()
    tls = {"host": HOST, "port": gate.port, "dbname": "proviso", "sslmode": "verify-full", "sslrootcert": authority.ca}
    for login in ("proviso_retain", OWNER):
        with pytest.raises(psycopg.OperationalError, match="PAM"):
            psycopg.connect(make_conninfo(user=login, password=token, **tls))
    assert gate.refused == ["for another host, port or user"] * 2


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda token: "password", "no token"),
        (lambda token: "", "no token"),
        (lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"), "wrong signature"),
        (lambda token: token.replace("DBUser=proviso_match", "DBUser=proviso_owner"), "for another host, port or user"),
        (lambda token: token.replace(HOST, "other.example"), "for another host, port or user"),
    ],
)
def test_nobody_comes_in_by_a_password_or_a_changed_token(
    migrated: dict[str, Any], gate: TokenGate, authority: Authority, spoil: Callable[[str], str], why: str
) -> None:
    token = spoil(database_token(host=HOST, port=gate.port, user="proviso_match", region=REGION)())
    tls = {"host": HOST, "port": gate.port, "dbname": "proviso", "sslmode": "verify-full", "sslrootcert": authority.ca}
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(make_conninfo(user="proviso_match", password=token or "''", **tls))
    assert gate.refused == [why]


def test_a_login_without_rds_iam_has_no_token(cluster: str, asking: Callable[..., Connector], gate: TokenGate) -> None:
    with pytest.raises(DatabaseAway):
        whoever(asking("postgres"))
    assert gate.refused == ["no rds_iam"]


def test_a_server_of_another_authority_is_not_spoken_to(
    migrated: dict[str, Any], asking: Callable[..., Connector], gate: TokenGate, tmp_path: Path
) -> None:
    with pytest.raises(DatabaseAway, match="certificate"):
        whoever(asking("proviso_match", ca=Authority.made(tmp_path, "Another CA").ca))
    assert gate.shown == [], "no token was sent"


def test_a_server_with_a_certificate_for_another_host_is_not_spoken_to(
    migrated: dict[str, Any], asking: Callable[..., Connector], gate: TokenGate
) -> None:
    with pytest.raises(DatabaseAway, match="does not match host name"):
        whoever(asking("proviso_match", host="other.cluster-example.eu-west-2.rds.amazonaws.com"))
    assert gate.shown == []


def test_without_the_file_of_the_authority_nothing_is_sent(
    migrated: dict[str, Any], asking: Callable[..., Connector], gate: TokenGate, tmp_path: Path
) -> None:
    with pytest.raises(DatabaseAway, match="root certificate"):
        whoever(asking("proviso_match", ca=tmp_path / "missing.pem"))
    assert gate.shown == []


def test_without_tls_nobody_comes_in(migrated: dict[str, Any], gate: TokenGate) -> None:
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(f"host={HOST} port={gate.port} dbname=proviso user=proviso_match password=x sslmode=disable")
    assert gate.shown == []
