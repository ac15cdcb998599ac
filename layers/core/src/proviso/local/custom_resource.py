"""Creates custom resources as CloudFormation does: invoke the function, then wait for its PUT to a signed address.

The address is https, as in AWS, so that a function may insist on it. The certificate is made at each start, for
127.0.0.1 alone; the one function that answers here is told to trust it by SSL_CERT_FILE.
"""

import contextlib
import datetime as dt
import ipaddress
import json
import queue
import ssl
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from proviso.domain.errors import ConfigurationFault
from proviso.local.runtime_api import QuietHandler, QuietServer
from proviso.local.template import Resource, Stack
from proviso.local.worker import Invocation

_ANSWER_S = 5.0  # after the function has ended; CloudFormation would wait an hour


class Answers:
    """The server that takes the answers. `certificate` is the file to trust."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "custom-resource.pem"
        self._waiting: dict[str, queue.Queue[dict[str, Any]]] = {}
        answers = self

        class Handler(_AnswerHandler):
            owner: ClassVar[Answers] = answers

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        key = folder / "custom-resource.key"
        _self_signed(self.certificate, key)
        context.load_cert_chain(self.certificate, key)
        key.unlink()
        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._url = f"https://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.certificate.unlink(missing_ok=True)

    def expect(self, request_id: str) -> str:
        """The address for one answer."""
        self._waiting[request_id] = queue.Queue()
        return f"{self._url}/{request_id}"

    def take(self, request_id: str) -> dict[str, Any] | None:
        """The answer, or None when none came."""
        with contextlib.suppress(queue.Empty):
            return self._waiting[request_id].get(timeout=_ANSWER_S)
        return None

    def put(self, request_id: str, body: bytes) -> bool:
        waiting = self._waiting.get(request_id)
        if waiting is None:
            return False
        answer = json.loads(body)
        if not isinstance(answer, dict):
            raise ValueError("not an object")
        waiting.put(answer)
        return True


class _AnswerHandler(QuietHandler):
    owner: ClassVar[Answers]

    def do_PUT(self) -> None:  # noqa: N802 - the base class finds it by name
        body = self.body()
        try:
            self.reply(200 if self.owner.put(self.path.strip("/"), body) else 404)
        except ValueError:
            self.reply(400)


def declared(stack: Stack) -> list[Resource]:
    """The custom resources of a template."""
    return [one for one in stack.all_resources() if one.type.startswith("Custom::")]


def create(
    resource: Resource,
    invoke: Callable[[str, Any], Invocation],
    answers: Answers,
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """Create one custom resource; returns its answer. ConfigurationFault with the function's reason where it fails."""
    request_id = str(uuid.uuid4())
    event = {
        "RequestType": "Create",
        "ResponseURL": answers.expect(request_id),
        "StackId": resource.stack.resolve({"Ref": "AWS::StackId"}),
        "RequestId": request_id,
        "LogicalResourceId": resource.logical_id,
        "ResourceType": resource.type,
        "ResourceProperties": {**resource.resolved(), **extra},
    }
    invocation = invoke(function_name(resource), event)
    answer = None if invocation.error else answers.take(request_id)
    if answer is None or answer.get("Status") != "SUCCESS":
        said = invocation.error or answer or {}
        reason = said.get("errorMessage") or said.get("Reason") or "it did not answer"
        tail = "\n".join(invocation.log[-15:])
        raise ConfigurationFault(f"{resource.logical_id} could not be created: {reason}\n{tail}".rstrip())
    return answer


def function_name(resource: Resource) -> str:
    """The name of the function that makes it."""
    token = str(resource.stack.resolve(resource.properties["ServiceToken"], resource.path))
    return token.split(":function:")[-1].split(":")[0]


def _self_signed(certificate: Path, key_file: Path) -> None:
    """A certificate for 127.0.0.1, good for a month."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "proviso local cloud")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
