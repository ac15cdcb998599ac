"""migrate: the schema and its login roles, at deploy, as CloudFormation's custom resource `Custom::DatabaseSchema`.

CloudFormation waits for an answer at a signed address; without one it waits an hour. So there is always an answer.
"""

import json
from typing import Any
from urllib.request import Request, urlopen

from proviso import wiring
from proviso.domain.errors import Fault

_PHYSICAL_ID = "proviso-schema"  # always the same: an update is never a replacement


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Create, Update: migrate. Delete: nothing, since the tables go with the cluster. Returns what it answered."""
    status, reason, applied = "SUCCESS", "", []
    if event["RequestType"] != "Delete":
        try:
            applied = wiring.migrate(event.get("ResourceProperties", {}))
        except Exception as error:  # noqa: BLE001  the boundary: whatever it was, CloudFormation must be told
            status, reason = "FAILED", str(error) if isinstance(error, Fault) else type(error).__name__
    answer = {
        "Status": status,
        "Reason": reason[:1000] or "done",
        "PhysicalResourceId": _PHYSICAL_ID,
        "Data": {"Applied": ",".join(applied)},
        **{name: event.get(name, "") for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    if url := event.get("ResponseURL"):
        if not url.startswith(("https://", "http://127.0.0.1:")):  # the second is the local cloud
            raise ValueError("ResponseURL is not an address of CloudFormation")
        # S3 signed this address without a content type, so none may be sent.
        request = Request(url, json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT")  # noqa: S310
        urlopen(request, timeout=30).close()  # noqa: S310
    return answer
