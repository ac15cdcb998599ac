"""The local sign-in: signs tokens for whoever is named, in place of Cognito. Never part of what is deployed.

A key is made at each start, so a token of one start is worth nothing in the next, and nothing anywhere else.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

TOKEN_USE = "id"  # noqa: S105 - the kind of token, as Cognito names it
NAME_LENGTH = 128
_REMEMBERED = 100


def account_fault(name: str) -> str | None:
    """Why this cannot be the name of an account, or None."""
    if not name.strip():
        return "Type the name of an account."
    if len(name) > NAME_LENGTH:
        return f"The name of an account has at most {NAME_LENGTH} characters."
    if name != name.strip() or not name.isprintable():
        return "The name of an account has no space at its ends and no control characters."
    return None


class SignIn:
    """Signs and checks tokens (RS256). `issuer` and `audiences` are what the API's authorizer asks for."""

    def __init__(self, issuer: str, audiences: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        from cryptography.hazmat.primitives.asymmetric import rsa

        self.issuer = issuer
        self.audiences = tuple(audiences)
        self._clock = clock
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._kid = secrets.token_hex(8)
        self._seen: list[str] = []
        self._lock = threading.Lock()

    def sign(self, subject: str, *, lifetime_s: float = 3600, audience: str | None = None) -> str:
        """A token for that subject, good for `lifetime_s` seconds (negative: already expired)."""
        meant_for = audience or (self.audiences[0] if self.audiences else "local")
        return self._sign(subject, lifetime_s, {"aud": meant_for, "token_use": TOKEN_USE})

    def access_token(self, subject: str, client_id: str, *, lifetime_s: float, scope: str) -> str:
        """An access token with the claims of Cognito's: `client_id` and no `aud`."""
        own = {"client_id": client_id, "token_use": "access", "scope": scope, "username": subject}
        return self._sign(subject, lifetime_s, own)

    def id_token(self, subject: str, client_id: str, *, lifetime_s: float, nonce: str | None) -> str:
        """An ID token with the claims of Cognito's."""
        own = {"aud": client_id, "token_use": TOKEN_USE, "cognito:username": subject}
        return self._sign(subject, lifetime_s, own | ({} if nonce is None else {"nonce": nonce}))

    def known(self) -> list[str]:
        """Who was signed for since the start, the last one first."""
        with self._lock:
            return self._seen[::-1]

    def _sign(self, subject: str, lifetime_s: float, own: dict[str, str]) -> str:
        import jwt

        with self._lock:
            self._seen = [*(one for one in self._seen if one != subject), subject][-_REMEMBERED:]
        now = int(self._clock())
        claims = {
            "sub": subject,
            "iss": self.issuer,
            **own,
            "iat": min(now, now + int(lifetime_s)),
            "auth_time": min(now, now + int(lifetime_s)),
            "exp": now + int(lifetime_s),
            "jti": secrets.token_hex(16),
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._kid})

    def claims(self, token: str, audiences: Sequence[str]) -> dict[str, Any] | None:
        """The claims of a token that an API's JWT authorizer would let in, else None.

        As API Gateway does: kid, signature, iss, exp, nbf, iat, and aud or, without one, client_id.
        """
        import jwt

        try:
            if jwt.get_unverified_header(token).get("kid") != self._kid:
                return None
            found: dict[str, Any] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=["RS256"],
                issuer=self.issuer,
                options={"verify_aud": False, "require": ["exp", "iss"]},
            )
        except jwt.PyJWTError:
            return None
        held = found.get("aud", found.get("client_id"))
        held = held if isinstance(held, list) else [held]
        return found if set(held) & set(audiences) else None


def as_api_gateway_gives_them(claims: dict[str, Any]) -> dict[str, str]:
    """All claims as text, lists as [a b], as they stand in an event."""
    given = {}
    for name, value in claims.items():
        if isinstance(value, list):
            given[name] = f"[{' '.join(str(one) for one in value)}]"
        elif isinstance(value, str):
            given[name] = value
        else:
            given[name] = json.dumps(value)
    return given
