"""The local cloud: everything that template.yaml names, running on this machine.

This module only joins the parts and decides their order: the moto server and the gateway first, because names contain
their addresses; PostgreSQL beside them; then resources, the schema (by the template's custom resource, as in AWS), and
last the pumps, so that no event meets a function whose tables are not there yet.
"""

import contextlib
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from proviso.domain.errors import ConfigurationFault
from proviso.local import custom_resource, postgres, resources, running
from proviso.local import poller as sqs_poller
from proviso.local.database import Database
from proviso.local.enforcement import ENFORCED, Enforced, enforced
from proviso.local.gateway import Gateway, Route, routes_of
from proviso.local.lambda_api import LambdaApi
from proviso.local.options import LocalCloudOptions
from proviso.local.pages import LocalPages
from proviso.local.people import people
from proviso.local.schedule import Schedule, Scheduler, period_of
from proviso.local.sign_in import SignIn
from proviso.local.simulator import Message, Simulator, simulator
from proviso.local.template import Resource, Stack, load_stack
from proviso.local.worker import Invocation, WorkerPool
from proviso.local.workers import Addresses, build_workers

_LOOKS = "AlertFunction"
_HELD_S = 10.0
_ALWAYS = [
    "AWS: a moto server answers for S3, SQS, SNS, DynamoDB and STS; it checks no rights, no expiry, no signatures",
    "Camera uploads: a check of signature, expiry, POST policy and grant's role stands in front of S3",
    "S3 and DynamoDB expiry: nothing expires by itself here",
    "SNS: what would be sent is shown in the inbox, where a new e-mail address waits to be confirmed; subscriptions are"
    " looked at as soon as it is, and settle at once; an alarm's address counts as confirmed",
]
_GIVEN = (
    "This is the database of DATABASE_URL. It must be PostgreSQL 16 or later with pgvector. Its user must be a"
    " superuser, or own the database and be allowed CREATEROLE, with `CREATE EXTENSION vector` done there beforehand."
    " The login roles proviso_* belong to the whole server: one Proviso on each."
)

__all__ = ["LocalCloud", "LocalCloudOptions", "local_cloud"]


class LocalCloud:
    """A running local cloud. Made by `local_cloud`."""

    def __init__(self, stack: Stack, identities: resources.Identities, simulated: Simulator, gateway: Gateway) -> None:
        self.aws_endpoint = simulated.endpoint
        self.uploads_endpoint = ""
        self.api_url = gateway.url
        self.inbox_url = f"{gateway.url}/local/inbox"
        self.database_url = ""
        self.lambda_endpoint = ""
        self.stood_in_for: list[str] = []
        self.rights: Enforced | None = None
        self._stack = stack
        self._identities = identities
        self._simulator = simulated
        self._gateway = gateway
        self._pools: dict[str, WorkerPool] = {}
        self._pollers: list[sqs_poller.Poller] = []
        self._schedules: list[Schedule] = []
        self._dead_letters: set[str] = set()
        self._later = ThreadPoolExecutor(4, thread_name_prefix="later")
        self._pending = 0
        self._count = threading.Lock()

    def client(self, service: str) -> Any:
        """A boto3 client of the moto server, with credentials that are good for nothing else."""
        return self._simulator.client(service)

    def physical(self, logical_id: str) -> str:
        """Bucket name, queue URL, table name, topic ARN or function name of a resource of the template."""
        return str(self._identities.reference(self._stack.find(logical_id)))

    def sign_in(self, subject: str, *, lifetime_s: float = 3600) -> str:
        """A token for that subject, as the API's authorizer takes it."""
        if self._gateway.sign_in is None:
            raise ConfigurationFault("the template has no API to sign in to")
        return self._gateway.sign_in.sign(subject, lifetime_s=lifetime_s)

    def inbox(self) -> list[Message]:
        """All that SNS would have sent to people so far, in order, its own requests to confirm an address included."""
        return self._simulator.messages()

    def confirm(self, address: str) -> int:
        """Confirm an e-mail address, as its owner's click would; returns how many subscriptions waited for it."""
        return self._simulator.subscriptions.confirm(address)

    def pool(self, name: str) -> WorkerPool:
        """The workers of a function, by logical id, name or ARN (with or without alias). KeyError for no such."""
        short = name.split(":function:")[-1].split(":")[0]
        for pool in self._pools.values():
            if short in (pool.function.logical_id, pool.function.name):
                return pool
        raise KeyError(name)

    def invoke(self, function_logical_id: str, event: Any, timeout_s: float | None = None) -> Invocation:
        """Run a function on an event and wait. KeyError where the template has no such function."""
        return self.pool(function_logical_id).invoke(event, timeout_s)

    def invoke_later(self, function: str, event: Any) -> None:
        """Run a function without waiting, as asynchronous calls do. Once, without retries."""
        pool = self.pool(function)
        with self._count:
            self._pending += 1

        def run() -> None:
            try:
                pool.invoke(event)
            finally:
                with self._count:
                    self._pending -= 1

        self._later.submit(run)

    def hold(self, function_logical_id: str) -> None:
        """Take no more messages to that function: what comes from now on waits in its queue."""
        wanted = self.pool(function_logical_id)
        for one in self._pollers:
            if self.pool(one.mapping.function_arn) is wanted:
                one.stop()
                one.join(_HELD_S)

    def run_schedule(self, function_logical_id: str) -> Invocation:
        """Fire the schedule of that function now."""
        wanted = self.pool(function_logical_id)
        for one in self._schedules:
            if self.pool(one.function_arn) is wanted:
                return wanted.invoke(one.event())
        raise ConfigurationFault(f"the template has no schedule for {function_logical_id}")

    def look_at_subscriptions(self) -> None:
        """Have alert look at them soon, as its schedule does each five minutes: nobody here waits as long as in AWS."""
        for one in self._schedules:
            if self.pool(one.function_arn).function.logical_id == _LOOKS:
                self.invoke_later(one.function_arn, one.event())

    def backlog(self) -> dict[str, tuple[int, int]]:
        """Messages by queue name, (waiting, in flight), dead-letter queues left out."""
        depths = self._simulator.queue_depths()
        return {name: depth for name, depth in depths.items() if name not in self._dead_letters}

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until queues are empty (in flight included) and nothing runs; False when the time was not enough."""
        deadline = time.monotonic() + timeout_s
        quiet = 0
        while time.monotonic() < deadline:
            # Twice in a row: between two looks a function may have put what the next one takes up.
            quiet = quiet + 1 if self._idle() else 0
            if quiet >= 2:
                return True
            time.sleep(0.1)
        return False

    def _idle(self) -> bool:
        if any(waiting or flying for waiting, flying in self.backlog().values()):
            return False
        busy = any(one.busy for one in self._pollers) or any(pool.busy for pool in self._pools.values())
        return not busy and not self._pending


@contextlib.contextmanager
def local_cloud(
    options: LocalCloudOptions, *, progress: Callable[[str], None] = lambda _line: None
) -> Iterator[LocalCloud]:
    """Start the cloud, yield it when it is ready, end all of it. ConfigurationFault says why it cannot start."""
    other = running.find_running(options.data)
    if other is not None:
        raise ConfigurationFault(
            f"a local cloud is running already: {other.api_url}; use that one, or end it first: Ctrl-C where it was"
            f" started, or `kill {other.pid}`"
        )
    root = options.root.resolve()
    data = options.data.absolute()
    data.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(data / "logs", ignore_errors=True)
    with contextlib.ExitStack() as cleanup:
        given = options.environment.get("DATABASE_URL") or None
        if given is not None:
            postgres.check_given(given)
        database = Database(given, data) if given is None else Database(given, None)
        cleanup.callback(database.close)
        simulated = cleanup.enter_context(simulator())
        gateway = Gateway(options.port)
        cleanup.callback(gateway.close)
        identities = resources.Identities(simulated.endpoint, gateway.url)
        stack = load_stack(root / "template.yaml", options.parameters, identities)
        cloud = LocalCloud(stack, identities, simulated, gateway)
        cloud.stood_in_for = [*_ALWAYS, *resources.check(stack)]
        if options.built is not None:
            from_there = f"Layers and functions: as they were built in {options.built}, under Python 3.13"
            cloud.stood_in_for = [from_there, *(one for one in cloud.stood_in_for if one != resources.LAYERS)]
        cleanup.callback(cloud._later.shutdown, False, cancel_futures=True)
        resources.create(stack, simulated.client)
        simulated.count_as_confirmed()
        if options.enforce_rights:
            cloud.rights = cleanup.enter_context(enforced(stack, simulated))
            cloud.stood_in_for[0] = ENFORCED
        progress(_count(stack))
        lambda_api = LambdaApi(lambda name, event: cloud.invoke(name, event), cloud.invoke_later)
        if cloud.rights:
            lambda_api.may = cloud.rights.invokes
        cleanup.callback(lambda_api.close)
        cloud.lambda_endpoint = lambda_api.url
        cloud.database_url = database.url()
        progress("PostgreSQL: " + ("the one of DATABASE_URL" if given else "16, embedded, thrown away at the end"))
        answers = custom_resource.Answers(data)
        cleanup.callback(answers.close)
        addresses = Addresses(cloud.aws_endpoint, cloud.api_url, cloud.lambda_endpoint, cloud.database_url)
        workers = build_workers(
            stack, addresses, options, data, answers, cleanup, trusted=given is None, rights=cloud.rights
        )
        cloud._pools.update(workers.pools)
        cloud.uploads_endpoint = workers.uploads_endpoint
        try:
            _custom_resources(cloud, answers, workers.passwords, options, progress)
        except ConfigurationFault as fault:
            raise fault if given is None else ConfigurationFault(f"{fault}\n{_GIVEN}") from None
        _pumps(cloud, options, cleanup)
        if options.functions is None:
            threading.Thread(target=_warm, args=(list(cloud._pools.values()),), daemon=True).start()
            found = running.RunningCloud(
                os.getpid(),
                cloud.api_url,
                cloud.aws_endpoint,
                cloud.inbox_url,
                cloud.lambda_endpoint,
                cloud.database_url if given is None else None,
                {one.logical_id: str(identities.reference(one)) for one in stack.all_resources() if _named(one)},
                cloud.uploads_endpoint,
            )
            running.publish(data, found)
            cleanup.callback(running.withdraw, data)
        progress(f"functions: {len(cloud._pools)}, each in its own process; API at {cloud.api_url}")
        yield cloud


def _named(resource: Resource) -> bool:
    return resource.type in resources.CREATED


def _count(stack: Stack) -> str:
    kinds = Counter(one.type for one in stack.all_resources())
    wanted = {"AWS::S3::Bucket": "buckets", "AWS::SQS::Queue": "queues", "AWS::DynamoDB::Table": "tables"}
    wanted["AWS::SNS::Topic"] = "topics"
    return "resources: " + ", ".join(f"{kinds[kind]} {name}" for kind, name in wanted.items())


def _custom_resources(
    cloud: LocalCloud,
    answers: custom_resource.Answers,
    passwords: Mapping[str, str],
    options: LocalCloudOptions,
    progress: Callable[[str], None],
) -> None:
    chosen = [cloud.pool(name).function for name in options.functions or ()]
    if options.functions is not None and not any(one.in_vpc for one in chosen):
        return  # a single function without a database needs no schema
    kept = {role: postgres.verifier(password) for role, password in passwords.items()}
    extra = {"RolePasswords": kept} if kept else {}
    for resource in custom_resource.declared(cloud._stack):
        begin = time.monotonic()
        answer = custom_resource.create(resource, cloud.invoke, answers, extra)
        cloud._identities.custom[resource.logical_id] = answer
        progress(f"{resource.logical_id}: created in {time.monotonic() - begin:.1f} s")


def _pumps(cloud: LocalCloud, options: LocalCloudOptions, cleanup: contextlib.ExitStack) -> None:
    stack = cloud._stack
    by_arn = {}
    for one in stack.all_resources():
        if one.type == "AWS::SQS::Queue":
            by_arn[str(cloud._identities.attribute(one, "Arn"))] = str(cloud._identities.reference(one))
            policy = one.resolved().get("RedrivePolicy")
            if policy:
                cloud._dead_letters.add(str(policy["deadLetterTargetArn"]).rsplit(":", 1)[-1])
    routes: list[Route] = []
    for one in stack.all_resources():
        match one.type:
            case "AWS::Lambda::EventSourceMapping":
                _add_poller(cloud, one, by_arn, options)
            case "AWS::Events::Rule":
                _add_schedules(cloud, one)
            case "AWS::ApiGatewayV2::Api":
                routes += routes_of(one)
    audiences = sorted({audience for route in routes for audience in route.audiences or ()})
    sign_in = SignIn(f"{cloud.api_url}/local", audiences)
    known = [route for route in routes if _known(cloud, route.function_arn)]
    callbacks = _callbacks(cloud)
    pages = LocalPages(cloud.api_url, sign_in, cloud._simulator, lambda: people(cloud.database_url), callbacks)
    cloud._gateway.open(known, sign_in, lambda arn, event, limit: _limited(cloud, arn, event, limit), pages)
    cloud._simulator.subscriptions.changed = cloud.look_at_subscriptions
    scheduler = Scheduler(cloud._schedules, cloud.invoke_later)
    cleanup.callback(_stop_pollers, cloud._pollers)
    cleanup.callback(scheduler.stop)
    for started in cloud._pollers:
        started.start()
    scheduler.start()


def _callbacks(cloud: LocalCloud) -> dict[str, list[str]]:
    """Where each client of the sign-in may come back to, as the template says: the pages to this console."""
    return {
        str(cloud._identities.reference(one)): [
            address if address.startswith("http://localhost:") else f"{cloud.api_url}/console"
            for address in one.resolved().get("CallbackURLs", ())
        ]
        for one in cloud._stack.all_resources()
        if one.type == "AWS::Cognito::UserPoolClient" and "CallbackURLs" in one.properties
    }


def _stop_pollers(pollers: Sequence[sqs_poller.Poller]) -> None:
    for one in pollers:
        one.stop()


def _known(cloud: LocalCloud, arn: str) -> bool:
    try:
        cloud.pool(arn)
    except KeyError:
        return False
    return True


def _limited(cloud: LocalCloud, arn: str, event: bytes, limit_s: float) -> Invocation:
    pool = cloud.pool(arn)
    return pool.invoke(event, min(limit_s, pool.function.timeout_s))


def _add_poller(cloud: LocalCloud, one: Resource, by_arn: Mapping[str, str], options: LocalCloudOptions) -> None:
    properties = one.resolved()
    queue_arn = properties["EventSourceArn"]
    if queue_arn not in by_arn:
        raise ConfigurationFault(f"{one.path}: the local cloud reads queues only, not {queue_arn}")
    if properties.get("Enabled") in (False, "false") or not _known(cloud, properties["FunctionName"]):
        return
    window = float(properties.get("MaximumBatchingWindowInSeconds", 0))
    if options.max_window_s is not None:
        window = min(window, options.max_window_s)
    mapping = sqs_poller.Mapping(
        queue_arn=queue_arn,
        queue_url=by_arn[queue_arn],
        function_arn=properties["FunctionName"],
        batch_size=int(properties.get("BatchSize", 10)),
        window_s=window,
        partial="ReportBatchItemFailures" in (properties.get("FunctionResponseTypes") or []),
        concurrency=len(cloud.pool(properties["FunctionName"]).workers),
    )
    function = cloud.pool(mapping.function_arn).function.logical_id
    keys = cloud.rights.platform[function] if cloud.rights else None  # Lambda polls with the function's role
    sqs = cloud._simulator.client("sqs", keys)
    cloud._pollers.append(sqs_poller.Poller(mapping, sqs, lambda arn, event: cloud.invoke(arn, event)))


def _add_schedules(cloud: LocalCloud, one: Resource) -> None:
    properties = one.resolved()
    if "ScheduleExpression" not in properties:
        raise ConfigurationFault(f"{one.path}: the local cloud knows rules with a schedule only")
    if properties.get("State") == "DISABLED":
        return
    period = period_of(properties["ScheduleExpression"], one.path)
    for target in properties.get("Targets") or []:
        if _known(cloud, target["Arn"]):
            cloud._schedules.append(Schedule(one.logical_id, target["Arn"], period))


def _warm(pools: Sequence[WorkerPool]) -> None:
    """Start the processes in the background; whoever is called first is started by its call."""
    for pool in pools:
        pool.start()
