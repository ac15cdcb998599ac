"""Lambda's Invoke call, so that one function can wake another by name, and so that `proviso invoke` finds them."""

import base64
import json
import re
import threading
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from proviso.local.runtime_api import QuietHandler, QuietServer
from proviso.local.worker import Invocation

_INVOKE = re.compile(r"^/2015-03-31/functions/([^/]+)/invocations$")
_TAIL = 4096


class LambdaApi:
    """The endpoint. `call` runs a function and waits; `later` runs it and does not; both raise KeyError for no such.
    `may` says whether an access key may call a function."""

    def __init__(self, call: Callable[[str, bytes], Invocation], later: Callable[[str, bytes], None]) -> None:
        self.call = call
        self.may: Callable[[str, str], bool] = lambda _access_key, _function: True
        self.later = later
        api = self

        class Handler(_LambdaHandler):
            owner: ClassVar[LambdaApi] = api

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def as_dict(invocation: Invocation) -> dict[str, Any]:
    """An invocation for the wire."""
    return {
        "function": invocation.function,
        "request_id": invocation.request_id,
        "payload": invocation.payload,
        "error": invocation.error,
        "log": list(invocation.log),
        "duration_ms": invocation.duration_ms,
        "cold": invocation.cold,
    }


def _access_key(authorization: str) -> str:
    return authorization.partition("Credential=")[2].partition("/")[0]


class _LambdaHandler(QuietHandler):
    owner: ClassVar[LambdaApi]

    def do_POST(self) -> None:  # noqa: N802 - the base class finds it by name
        body = self.body() or b"{}"
        path = unquote(urlsplit(self.path).path)
        try:
            json.loads(body)
            if path.startswith("/local/invoke/"):
                answer = as_dict(self.owner.call(path.removeprefix("/local/invoke/"), body))
                return self.reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})
            found = _INVOKE.match(path)
            if found is None:
                return self._fault(404, "ResourceNotFoundException", f"no such path: {path}")
            if not self.owner.may(_access_key(self.headers.get("Authorization", "")), found[1]):
                return self._fault(403, "AccessDeniedException", f"not authorized to invoke {found[1]}")
            kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
            if kind == "Event":
                self.owner.later(found[1], body)
                return self.reply(202)
            if kind == "DryRun":
                return self.reply(204)
            return self._waited(self.owner.call(found[1], body))
        except KeyError as fault:
            return self._fault(404, "ResourceNotFoundException", f"Function not found: {fault.args[0]}")
        except ValueError:
            return self._fault(400, "InvalidRequestContentException", "the payload is not JSON")

    def _waited(self, invocation: Invocation) -> None:
        headers = {"Content-Type": "application/json", "X-Amz-Executed-Version": "$LATEST"}
        content = invocation.payload
        if invocation.error is not None:
            headers["X-Amz-Function-Error"] = "Unhandled"
            content = invocation.error
        if self.headers.get("X-Amz-Log-Type") == "Tail":
            tail = "\n".join(invocation.log).encode()[-_TAIL:]
            headers["X-Amz-Log-Result"] = base64.b64encode(tail).decode()
        self.reply(200, json.dumps(content).encode(), headers)

    def _fault(self, status: int, kind: str, message: str) -> None:
        body = json.dumps({"Type": "User", "Message": message}).encode()
        self.reply(status, body, {"Content-Type": "application/json", "X-Amzn-ErrorType": kind})
