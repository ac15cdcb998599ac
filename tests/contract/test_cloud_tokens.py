"""A database token is byte for byte the one that botocore's RDS client makes."""

from datetime import UTC, datetime
from typing import Any

import botocore.auth
import botocore.session
import pytest

from proviso.cloud import clients
from proviso.cloud.tokens import database_token
from proviso.domain.errors import ConfigurationFault

HOST, USER, REGION = "proviso.cluster-x.eu-west-2.rds.amazonaws.com", "proviso_match", "eu-west-2"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_made", {})
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: datetime(2026, 11, 27, 9, 0, tzinfo=UTC))
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def as_rds_makes_it() -> str:
    client: Any = botocore.session.get_session().create_client("rds", region_name=REGION)
    return str(client.generate_db_auth_token(DBHostname=HOST, Port=5432, DBUsername=USER))


@pytest.mark.parametrize("session_token", ["", "a/session+token=="])
def test_a_token_is_that_of_the_rds_client(session_token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    if session_token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", session_token)
    token = database_token(host=HOST, port=5432, user=USER, region=REGION)()
    assert token == as_rds_makes_it()
    assert token.startswith(f"{HOST}:5432/?Action=connect&DBUser={USER}&X-Amz-Algorithm=AWS4-HMAC-SHA256")
    assert "X-Amz-Expires=900" in token


def test_each_token_is_made_of_the_moment_and_of_the_credentials_that_the_process_has_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    token = database_token(host=HOST, port=5432, user=USER, region=REGION)
    first = token()
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: datetime(2026, 11, 27, 10, 0, tzinfo=UTC))
    assert token() != first


def test_without_credentials_it_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.session.Session, "get_credentials", lambda self: None)
    with pytest.raises(ConfigurationFault, match="no AWS credentials"):
        database_token(host=HOST, port=5432, user=USER, region=REGION)()
