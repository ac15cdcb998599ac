"""migrate: the schema and its login roles, at deploy, as CloudFormation's custom resource `Custom::DatabaseSchema`.

CloudFormation waits for an answer at a signed address; without one it waits an hour. So there is always an answer: also
when the work takes longer than this function may.
"""

import json
from threading import Lock, Timer
from typing import Any
from urllib.request import Request, urlopen

from proviso.domain.errors import Fault
from proviso.wiring import schema as wiring

_PHYSICAL_ID = "proviso-schema"  # always the same: an update is never a replacement
_TO_ANSWER_S = 40
"""What is kept of the function's time to say that it was not enough: the answer itself may take 30 s."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Create, Update: migrate. Delete: nothing, since the tables go with the cluster. Returns what it answered."""
    answer = _Answer(event)
    left_s = context.get_remaining_time_in_millis() / 1000 - _TO_ANSWER_S
    late = Timer(left_s, answer.send, ("FAILED", f"not done after {left_s:.0f} s; deploy again", []))
    late.daemon = True
    status, reason, applied = "SUCCESS", "done", []
    if event["RequestType"] != "Delete":
        late.start()
        try:
            if _taken_back(event):
                reason = _kept(int(event["ResourceProperties"]["SchemaVersion"]))
            else:
                applied = wiring.migrate(event.get("ResourceProperties", {}))
                if _another_database(event):
                    wiring.stop_restored()
        except Exception as error:  # noqa: BLE001  the boundary: whatever it was, CloudFormation must be told
            status, reason = "FAILED", str(error) if isinstance(error, Fault) else type(error).__name__
        late.cancel()
    return answer.send(status, reason, applied)


def _another_database(event: dict[str, Any]) -> bool:
    """A parameter has put another cluster into the place of the one before: no function has connected to it yet."""
    before, after = event.get("OldResourceProperties", {}), event.get("ResourceProperties", {})
    return "Cluster" in before and before["Cluster"] != after.get("Cluster")


def _taken_back(event: dict[str, Any]) -> bool:
    """The schema was newer before, in the same database: an update is taken back, or an older build is deployed."""
    try:
        before, after = (int(event[of]["SchemaVersion"]) for of in ("OldResourceProperties", "ResourceProperties"))
    except (KeyError, ValueError):
        return False
    return before > after and not _another_database(event)


def _kept(version: int) -> str:
    """Nothing is migrated, whichever build's code runs here. A newer schema stays, so that CloudFormation can finish:
    all is stopped, and govern starts nothing in it. Where the migrations had failed nothing is newer: all goes on."""
    stopped = wiring.keep_schema(version)
    return "done" if stopped is None else f"the newer schema stays, {stopped} deployments were stopped; deploy forward"


class _Answer:
    """The one answer to an event; whoever comes second finds what the first said."""

    def __init__(self, event: dict[str, Any]) -> None:
        self._event = event
        self._lock = Lock()
        self._sent: dict[str, Any] = {}

    def send(self, status: str, reason: str, applied: list[str]) -> dict[str, Any]:
        with self._lock:
            if not self._sent:
                self._sent = {
                    "Status": status,
                    "Reason": reason[:1000],
                    "PhysicalResourceId": _PHYSICAL_ID,
                    "Data": {"Applied": ",".join(applied)},
                    **{name: self._event.get(name, "") for name in ("StackId", "RequestId", "LogicalResourceId")},
                }
                _put(self._event.get("ResponseURL"), self._sent)
            return self._sent


def _put(url: str | None, answer: dict[str, Any]) -> None:
    if not url:
        return
    if not url.startswith(("https://", "http://127.0.0.1:")):  # the second is the local cloud
        raise ValueError("ResponseURL is not an address of CloudFormation")
    # S3 signed this address without a content type, so none may be sent.
    request = Request(url, json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT")  # noqa: S310
    urlopen(request, timeout=30).close()  # noqa: S310
