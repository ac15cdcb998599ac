"""A database password that lives for 15 minutes: an IAM token, signed locally, so that no endpoint is needed for it.

Signed by botocore's signer, as `generate_db_auth_token` of its RDS client does it, but without that client, which would
read all that RDS can do: longer than all else that a connect takes.
"""

from collections.abc import Callable
from urllib.parse import urlencode

from proviso.cloud.clients import session
from proviso.domain.errors import ConfigurationFault

_LIFETIME_S = 900


def database_token(*, host: str, port: int, user: str, region: str) -> Callable[[], str]:
    """A function that makes a fresh token at each call, from the credentials that the process has then."""

    def token() -> str:
        from botocore.model import ServiceId
        from botocore.signers import RequestSigner

        credentials = session().get_credentials()
        if credentials is None:
            raise ConfigurationFault("no AWS credentials to make a database token with; give the function a role")
        signer = RequestSigner(
            ServiceId("RDS"), region, "rds-db", "v4", credentials, session().get_component("event_emitter")
        )
        request = {
            "method": "GET",
            "url": f"https://{host}:{port}/?{urlencode({'Action': 'connect', 'DBUser': user})}",
            "body": {},
            "headers": {},
            "context": {},
        }
        signed = signer.generate_presigned_url(request, "connect", region_name=region, expires_in=_LIFETIME_S)
        return str(signed).removeprefix("https://")

    return token
