"""A pool of worker processes for each function of the template, with the environment that the template gives it."""

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from proviso.domain.errors import ConfigurationFault
from proviso.local import custom_resource, places, postgres, s3_front
from proviso.local.environment import endpoints_of, environment_of, function_of
from proviso.local.options import LocalCloudOptions
from proviso.local.template import Stack
from proviso.local.worker import Worker, WorkerPool


@dataclass(frozen=True)
class Workers:
    """What was made: pools by function name, the passwords of the login roles, where cameras upload to."""

    pools: Mapping[str, WorkerPool]
    passwords: Mapping[str, str]
    uploads_endpoint: str


@dataclass(frozen=True)
class Addresses:
    """What the functions are told to talk to."""

    aws: str
    api: str
    functions: str
    database: str


def build_workers(
    stack: Stack,
    addresses: Addresses,
    options: LocalCloudOptions,
    data: Path,
    answers: custom_resource.Answers,
    cleanup: contextlib.ExitStack,
    *,
    trusted: bool,
) -> Workers:
    """A pool a function. `trusted`: the database asks for no passwords, so there are none."""
    root = options.root.resolve()
    functions = [function_of(one) for one in stack.all_resources() if one.type == "AWS::Lambda::Function"]
    owners = {custom_resource.function_name(one) for one in custom_resource.declared(stack)}
    pools: dict[str, WorkerPool] = {}
    uploads = ""
    roles = sorted(
        {
            one.environment["DATABASE_USER"]
            for one in functions
            if "DATABASE_USER" in one.environment and one.name not in owners
        }
    )
    passwords = {} if trusted else postgres.new_passwords(roles)
    urls = postgres.role_urls(addresses.database, roles, passwords or None)
    closed = _closed_port(cleanup)
    caller = options.environment
    tree = None
    if options.built is not None:
        pack = options.environment.get("PROVISO_PACK")
        tree = places.built(options.built.resolve(), data, root, options.extra_policies, pack)
        caller = {**caller, "PROVISO_PACK": tree.pack}
    unknown = sorted((options.functions or frozenset()) - {one.logical_id for one in functions})
    if unknown:
        there = ", ".join(sorted(one.logical_id for one in functions))
        raise ConfigurationFault(f"the template has no function {', '.join(unknown)}; it has {there}")
    for function in functions:
        wanted = options.functions is None or function.logical_id in options.functions or function.name in owners
        if not wanted:
            continue
        endpoints = endpoints_of(function, addresses.aws, addresses.functions, closed)
        place = tree.place(function) if tree is not None else places.in_checkout(root)
        environment = environment_of(
            function, place, root, caller, options.extra_policies, endpoints, f"{addresses.api}/local"
        )
        if function.logical_id == s3_front.SIGNS_FOR_CAMERAS:
            front, own = s3_front.in_front_of(addresses.aws, stack.find(function.logical_id))
            cleanup.callback(front.close)
            uploads = front.url
            environment |= own
        if function.name in owners:
            environment["DATABASE_URL"] = addresses.database
            environment["SSL_CERT_FILE"] = str(answers.certificate)
        elif "DATABASE_USER" in function.environment:
            environment["DATABASE_URL"] = urls[function.environment["DATABASE_USER"]]
        log = data / "logs" / f"{function.logical_id}.log"
        number = max(1, options.concurrency.get(function.logical_id, 1))
        pool = WorkerPool([Worker(function, environment, place, log) for _ in range(number)])
        pools[function.name] = pool
        cleanup.callback(pool.close)
    return Workers(pools, passwords, uploads)


def _closed_port(cleanup: contextlib.ExitStack) -> str:
    """An address at which nobody listens, held so that nobody else can begin to."""
    held = socket.socket()
    cleanup.callback(held.close)
    held.bind(("127.0.0.1", 0))
    return f"http://127.0.0.1:{held.getsockname()[1]}"
