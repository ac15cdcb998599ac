"""What a function finds in its environment, made from nothing, so that nothing of the caller's can matter by accident.

Lambda's own variables, then the template's, then what this machine knows better (where models are), then addresses.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from proviso.local.keys import ANYBODY
from proviso.local.places import OPT, under_opt
from proviso.local.resources import physical_name
from proviso.local.template import REGION, Resource
from proviso.local.worker import Function, Place


def function_of(resource: Resource) -> Function:
    """A Lambda function of the template, resolved."""
    properties = resource.resolved()
    variables = properties.get("Environment", {}).get("Variables", {})
    return Function(
        logical_id=resource.logical_id,
        name=physical_name(resource),
        handler=properties["Handler"],
        timeout_s=float(properties.get("Timeout", 3)),
        memory_mb=int(properties.get("MemorySize", 128)),
        environment={name: str(value) for name, value in variables.items()},
        in_vpc=bool(properties.get("VpcConfig")),
        log_format=properties.get("LoggingConfig", {}).get("LogFormat", "Text"),
        snap_start=properties.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions",
        layers=tuple(_layer(resource, one) for one in resource.properties.get("Layers") or []),
    )


def _layer(resource: Resource, reference: Mapping[str, str]) -> str:
    """A layer's own name, which is that of its built folder: its logical id carries a hash once SAM has expanded it."""
    return str(resource.stack.find(reference["Ref"]).resolved()["LayerName"])


def environment_of(
    function: Function,
    place: Place,
    root: Path,
    caller: Mapping[str, str],
    policies: Sequence[str],
    endpoints: Mapping[str, str],
    sign_in_url: str = "",
) -> dict[str, str]:
    """All variables of a worker but DATABASE_URL and the address of its Runtime API. `root` is the checkout."""
    environment = _base(function, place, caller) | dict(function.environment)
    _override(environment, place, root, caller, policies)
    if "SIGN_IN_URL" in environment:
        environment["SIGN_IN_URL"] = sign_in_url  # never Cognito's own: no page of this machine may send anybody there
    if "CONSOLE_URL" in environment:
        environment["CONSOLE_URL"] = f"{sign_in_url.removesuffix('/local')}/console" if sign_in_url else ""
    return environment | dict(endpoints)


def _override(
    environment: dict[str, str], place: Place, root: Path, caller: Mapping[str, str], policies: Sequence[str]
) -> None:
    """What this machine says and not the template: where models and local policies are, which pack, which policies."""
    if place.layers:
        for name, value in environment.items():
            if value.startswith(OPT):
                environment[name] = under_opt(value, place.layers)
    else:
        environment.pop("PROVISO_MODELS", None)  # a folder of a layer
        if "PROVISO_POLICY_FOLDER" in environment:
            environment["PROVISO_POLICY_FOLDER"] = str(root / "layers" / "core" / "policies")
        if caller.get("PROVISO_MODELS"):
            environment["PROVISO_MODELS"] = caller["PROVISO_MODELS"]
    if caller.get("PROVISO_PACK"):
        environment["PROVISO_PACK"] = caller["PROVISO_PACK"]
    if "SUBSCRIPTION_SETTLES_MINUTES" in environment:
        environment["SUBSCRIPTION_SETTLES_MINUTES"] = "0"  # moto's filters hold at once
    if "PROVISO_MODELS" in environment:
        environment["PROVISO_MODELS"] = str(Path(environment["PROVISO_MODELS"]).expanduser().absolute())
    if "PROVISO_POLICIES" in environment:
        names = [one for one in environment["PROVISO_POLICIES"].split(",") if one]
        environment["PROVISO_POLICIES"] = ",".join([*names, *(one for one in policies if one not in names)])


def endpoints_of(function: Function, aws: str, lambda_url: str, closed: str) -> dict[str, str]:
    """The AWS addresses that a function can reach."""
    if function.in_vpc:
        # As in the VPC, where only these two have an endpoint; there such a call would hang, here it is refused.
        return {"AWS_ENDPOINT_URL": closed, "AWS_ENDPOINT_URL_S3": aws, "AWS_ENDPOINT_URL_DYNAMODB": aws}
    return {"AWS_ENDPOINT_URL": aws, "AWS_ENDPOINT_URL_LAMBDA": lambda_url}


def _base(function: Function, place: Place, caller: Mapping[str, str]) -> dict[str, str]:
    """A worker's environment from nothing: what Lambda sets, and of the caller's only what a process needs to run."""
    environment = {
        "PATH": caller.get("PATH", "/usr/bin:/bin"),
        "HOME": caller.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONPATH": os.pathsep.join(map(str, place.path)),
        "PYTHONUNBUFFERED": "1",
        "LAMBDA_TASK_ROOT": str(place.folder),
        "_HANDLER": function.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{_version(place)}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_LAMBDA_LOG_FORMAT": function.log_format,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_SDK_UA_APP_ID": function.logical_id,  # in the user agent: who counts requests sees whose they are
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        **ANYBODY.environment(),
        # A developer's own AWS settings must not be read: no call may reach a real account.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "OMP_NUM_THREADS": "1",
    }
    if "XDG_CACHE_HOME" in caller:
        environment["XDG_CACHE_HOME"] = caller["XDG_CACHE_HOME"]
    return environment


def _version(place: Place) -> str:
    """A built tree has one Python; the checkout runs by this one."""
    return "3.13" if place.layers else f"{sys.version_info.major}.{sys.version_info.minor}"
