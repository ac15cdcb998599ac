"""Runs one function on one event: in the local cloud that runs already, or in a small one made for it."""

import json
import urllib.error
import urllib.request
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from proviso.domain.errors import ConfigurationFault
from proviso.local.cloud import LocalCloudOptions, local_cloud
from proviso.local.running import RunningCloud
from proviso.local.worker import Invocation


def invoke_once(
    options: LocalCloudOptions, function: str, event: Any, *, running: RunningCloud | None = None
) -> Invocation:
    """Invoke `function` (its logical id) and wait. ConfigurationFault where there is no such function.

    With `running` None a cloud with this function alone comes up for the call; what it would send to other functions
    stays in its queues.
    """
    if running is not None:
        return _over_there(running, function, event)
    with local_cloud(replace(options, functions=frozenset({function}))) as cloud:
        return cloud.invoke(function, event)


def _over_there(running: RunningCloud, function: str, event: Any) -> Invocation:
    url = f"{running.lambda_endpoint}/local/invoke/{quote(function)}"
    request = urllib.request.Request(url, data=json.dumps(event).encode(), method="POST")  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            found = json.loads(answer.read())
    except urllib.error.HTTPError as fault:
        if fault.code == 404:
            raise ConfigurationFault(
                f"the running local cloud has no function {function}; names are as in template.yaml: DetectFunction"
            ) from None
        raise ConfigurationFault(f"the running local cloud answered {fault.code}") from None
    except urllib.error.URLError as fault:
        raise ConfigurationFault(f"the local cloud of process {running.pid} does not answer: {fault.reason}") from None
    return Invocation(**{**found, "log": tuple(found["log"])})
