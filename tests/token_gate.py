"""What stands in for IAM authentication of Aurora: TLS with a certificate of one's own, and a login by a signed token.

It speaks PostgreSQL's protocol as far as the password, checks the token as Amazon documents it (signed again with the
same key, it must be the same; for this host, port and user; not older than 15 minutes; and only for a login that has the
role `rds_iam`), and then passes on to the real server, which trusts its socket. Without TLS it lets nobody in.
"""

import contextlib
import datetime
import hmac
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import psycopg

SSL_REQUEST = 80877103
CANCEL_REQUEST = 80877102
KEY, SECRET, REGION = "AKIAEXAMPLE", "secret-of-the-example", "eu-west-2"
LASTS = datetime.timedelta(minutes=15)


@dataclass(frozen=True)
class Authority:
    """A certificate authority of one's own; `ca` is its certificate's file."""

    folder: Path
    ca: Path
    _key: Any = field(repr=False)
    _name: Any = field(repr=False)

    @classmethod
    def made(cls, folder: Path, name: str = "Test CA") -> Self:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID

        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = _certificate(subject, subject, key.public_key(), key, host=None)
        path = folder / "ca.pem"
        path.write_bytes(_pem(certificate))
        return cls(folder, path, key, subject)

    def server(self, host: str) -> ssl.SSLContext:
        """A server's TLS for this host name."""
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID

        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        certificate = _certificate(subject, self._name, key.public_key(), self._key, host=host)
        path = self.folder / f"{host}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(_pem(certificate) + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def _certificate(subject: Any, issuer: Any, public: Any, signer: Any, host: str | None) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
    )
    if host is not None:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return made.sign(signer, hashes.SHA256())


def _pem(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class TokenGate:
    """Use as a context: listens on 127.0.0.1 at `port`. `shown` is every password that anybody showed: (login, text)."""

    def __init__(
        self,
        target_url: str,
        tls: ssl.SSLContext,
        host: str,
        clock: Callable[[], datetime.datetime] = _utc_now,
    ) -> None:
        folder = parse_qs(urlsplit(target_url).query)["host"][0]
        self._target = str(Path(unquote(folder)) / ".s.PGSQL.5432")
        self._tls, self.host, self.clock = tls, host, clock
        self.master = psycopg.connect(target_url, autocommit=True)
        self.shown: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.master.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._guarded, args=(client,), daemon=True).start()

    def _guarded(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError, struct.error):
            self._attend(client)
        client.close()

    def _attend(self, client: socket.socket) -> None:
        code, _ = _startup(client)
        if code != SSL_REQUEST:
            return _refuse(client, "28000", "no pg_hba.conf entry: no encryption")
        client.sendall(b"S")
        secure = self._tls.wrap_socket(client, server_side=True)
        code, startup = _startup(secure)
        if code == CANCEL_REQUEST:
            return None
        words = startup[8:].split(b"\0")
        login = dict(zip(words[::2], words[1::2], strict=False)).get(b"user", b"").decode()
        secure.sendall(b"R" + struct.pack("!ii", 8, 3))  # AuthenticationCleartextPassword: inside TLS
        password = _message(secure).rstrip(b"\0").decode()
        self.shown.append((login, password))
        if why := self._fault(login, password):
            self.refused.append(why)
            return _refuse(secure, "28000", f'PAM authentication failed for user "{login}"')
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._target)
        server.sendall(startup)
        _join(secure, server)
        return None

    def _fault(self, login: str, token: str) -> str:
        if not _may_sign_in_by_token(self.master, login):
            return "no rds_iam"
        parts = urlsplit(f"https://{token}")
        given = dict(parse_qsl(parts.query))
        if given.get("Action") != "connect" or "X-Amz-Signature" not in given:
            return "no token"
        if (parts.hostname, parts.port, given.get("DBUser")) != (self.host, self.port, login):
            return "for another host, port or user"
        made_at = datetime.datetime.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
        if not datetime.timedelta(minutes=-5) <= self.clock() - made_at <= LASTS:
            return "too old"
        if not hmac.compare_digest(_signed(self.host, self.port, login, made_at), given["X-Amz-Signature"]):
            return "wrong signature"
        return ""


def _signed(host: str, port: int, user: str, at: datetime.datetime) -> str:
    """The signature that such a token has: SigV4 by hand, as its documentation has it, and not by the library that signs."""
    import hashlib
    from urllib.parse import quote

    day, stamp = at.strftime("%Y%m%d"), at.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{day}/{REGION}/rds-db/aws4_request"
    query = {
        "Action": "connect",
        "DBUser": user,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{KEY}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": "900",
        "X-Amz-SignedHeaders": "host",
    }
    canonical = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items()))
    nothing = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{canonical}\nhost:{host}:{port}\n\nhost\n{nothing}"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in (day, REGION, "rds-db", "aws4_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _may_sign_in_by_token(master: psycopg.Connection[Any], login: str) -> bool:
    found = master.execute(
        "SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid"
        " WHERE r.rolname = %s AND g.rolname = 'rds_iam' AND r.rolcanlogin",
        [login],
    ).fetchone()
    return found is not None


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            raise OSError("closed")
        data += part
    return data


def _startup(source: socket.socket) -> tuple[int, bytes]:
    head = _exactly(source, 8)
    size, code = struct.unpack("!ii", head)
    return code, head + _exactly(source, size - 8)


def _message(source: socket.socket) -> bytes:
    _, size = struct.unpack("!ci", _exactly(source, 5))
    return _exactly(source, size - 4)


def _refuse(target: socket.socket, state: str, message: str) -> None:
    body = b"SFATAL\0VFATAL\0" + f"C{state}\0M{message}\0\0".encode()
    target.sendall(b"E" + struct.pack("!i", len(body) + 4) + body)


def _join(secure: ssl.SSLSocket, server: socket.socket) -> None:
    """Both ways in one thread: a TLS socket that waits to read may keep another thread from writing to it."""
    with contextlib.closing(server):
        while True:
            ready = [secure] if secure.pending() else select.select([secure, server], [], [])[0]
            for source in ready:
                data = source.recv(65536)
                if not data:
                    return
                (server if source is secure else secure).sendall(data)
