"""A database password that lives for 15 minutes: an IAM token, signed locally, so that no endpoint is needed for it."""

from collections.abc import Callable
from typing import Any


def database_token(*, host: str, port: int, user: str, region: str) -> Callable[[], str]:
    """A function that makes a fresh token at each call, from the credentials that the process has then."""

    def token() -> str:
        import botocore.session

        session = botocore.session.get_session()
        rds: Any = session.create_client("rds", region_name=region)
        return str(rds.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user))

    return token
