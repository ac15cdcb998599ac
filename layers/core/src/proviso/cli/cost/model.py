"""The sums: from a use of this (cameras, hours, frames, faces) to quantities by line, and from those to dollars.

Pure: prices, durations and the template's figures are handed in. A month has 730 hours, of which the scenario's hours
are active: a deployment runs and frames come. In the others nothing comes, the database sleeps, and only the clock
calls functions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from proviso.cli.cost import usage
from proviso.cli.cost.durations import Case, Clock
from proviso.cli.cost.plant import Plant
from proviso.cli.cost.prices import Prices
from proviso.cli.cost.usage import ALERT, DETECT, GRANT, MATCH, RETAIN, REVIEW, SWEEP
from proviso.edge import metrics

MONTH_H = 730.0
NOTICES, TARGET_MILLION, TARGET_IDLE = "notices", 12.0, 5.0
_LEAST_ACU = 0.5
_CLOCKED, _EVERY_S = "by the clock", {ALERT: 300.0, SWEEP: 60.0}
_GB = 1e9


class ScenarioFault(ValueError):
    """A figure of the scenario cannot be; the text says which."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A month of use. `hours` active in the month; `fps` frames a second and camera; `burst` frames an upload;
    `faces_share` of uploads have a usable face, `faces` each; `list_size` entries; `candidates` opened; `reviewers`
    pages open while it is active; `contacts` people who are told; `due` objects that sweep looks at."""

    cameras: int = 2
    hours: float = 40.0
    fps: float = 2.0
    faces_share: float = 0.2
    faces: int = 3
    list_size: int = 500
    sms: int = 20
    emails: int = 40
    candidates: int = 20
    reviewers: int = 1
    contacts: int = 4
    burst: int = 1
    due: int = 1
    arm: bool = True

    def __post_init__(self) -> None:
        limits = {
            "cameras": (0, 10_000), "hours": (0, MONTH_H), "fps": (0, 60), "faces_share": (0, 1), "faces": (1, 256),
            "list_size": (1, 1_000_000), "sms": (0, 10_000_000), "emails": (0, 10_000_000),
            "candidates": (0, 10_000_000), "reviewers": (0, 1000), "contacts": (0, 10_000), "burst": (1, 5),
            "due": (0, 10_000),
        }  # fmt: skip
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if not least <= value <= most:  # not a number fails too
                option = "list" if name == "list_size" else name.replace("_", "-")
                raise ScenarioFault(f"--{option} must lie between {least:,.0f} and {most:,.0f}, not {value:,}")

    @property
    def frames(self) -> float:
        return self.cameras * self.fps * self.hours * 3600

    @property
    def uploads(self) -> float:
        return self.frames / self.burst

    def idle(self) -> "Scenario":
        """The same installation in a month in which nothing runs."""
        return replace(self, hours=0.0, sms=0, emails=0, candidates=0, reviewers=0)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: how much of which price. `amount` in dollars, after what is free if that was asked for."""

    service: str
    what: str
    key: str
    quantity: float
    amount: float = 0.0
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of one function in the month, with what each is charged for."""

    function: str
    what: str
    calls: float
    milliseconds: float
    log_bytes: float
    cold: float = 0.0


@dataclass(frozen=True, slots=True)
class Bill:
    """A month, by line. `warnings` are sentences."""

    lines: tuple[Line, ...]
    calls: tuple[Calls, ...]
    batch: float
    acu: float
    warnings: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        return sum(line.amount for line in self.lines)

    def by_service(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for line in self.lines:
            found[line.service] = found.get(line.service, 0.0) + line.amount
        return found

    def by_line(self) -> dict[tuple[str, str], float]:
        """By service and what it is for: a thing that costs in several prices is one line where people look."""
        found: dict[tuple[str, str], float] = {}
        for line in self.lines:
            found[line.service, line.what] = found.get((line.service, line.what), 0.0) + line.amount
        return found


def bill(scenario: Scenario, plant: Plant, prices: Prices, clock: Clock, *, free: bool = False) -> Bill:
    """The month. `free`: what AWS gives for good every month is taken off."""
    batch = _batch(scenario, plant, clock)
    calls = tuple(one for one in _calls(scenario, plant, clock, batch) if one.calls)
    acu, warnings = _acu(scenario, clock, plant)
    rate = scenario.uploads / max(scenario.hours, 1e-9) / 3600
    if _busy(scenario, plant, clock) * rate > 10 * plant.concurrency.get(DETECT, 5):
        warnings.append("frames come faster than detect is allowed to look: raise DetectConcurrency")
    lines = [line for line in _lines(scenario, plant, calls, batch, acu, clock) if line.quantity]
    return Bill(_priced(lines, prices, free), calls, batch, acu, tuple(warnings))


def per_million(month: Bill, idle: Bill, frames: float) -> dict[str, float]:
    """What running adds, by service, a million frames: the month without what an idle one costs anyway, and without
    SMS and e-mails, which come by the notice."""
    if frames <= 0:
        return {}
    base = idle.by_service()
    found: dict[str, float] = {}
    for line in month.lines:
        if line.kind != NOTICES:
            found[line.service] = found.get(line.service, 0.0) + line.amount
    return {name: max(0.0, value - base.get(name, 0.0)) / frames * 1e6 for name, value in found.items()}


# --- calls ------------------------------------------------------------------------------------------------------------


def _busy(scenario: Scenario, plant: Plant, clock: Clock) -> float:
    """Seconds that one upload without faces keeps detect."""
    return _detect_ms(clock, plant, usage.NO_FACE, clock.measured.detect(None), scenario.burst) / 1000


def _batch(scenario: Scenario, plant: Plant, clock: Clock) -> float:
    """Uploads a call of detect: one while each copy is free again before its next upload comes; more, up to ten, where
    they come faster, because the window is 0 and what waits is taken together."""
    if not scenario.hours:
        return 1.0
    rate = scenario.uploads / scenario.hours / 3600
    return min(10.0, max(1.0, rate * _busy(scenario, plant, clock) / plant.concurrency.get(DETECT, 5)))


def _detect_ms(clock: Clock, plant: Plant, asked: usage.Asked, case: Case, burst: int) -> float:
    """A burst is looked at frame by frame: of the measured time nearly all is that."""
    looked = Case(case.cpu_ms * burst, case.database_ms, case.log_bytes)
    return clock.call_ms(DETECT, looked, asked, plant.memory_mb[DETECT])


def _calls(scenario: Scenario, plant: Plant, clock: Clock, batch: float) -> Iterable[Calls]:
    yield from _by_uploads(scenario, plant, clock, batch)
    yield from _by_the_clock(scenario, plant, clock)
    yield from _by_people_and_cameras(scenario, plant, clock)


def _by_uploads(scenario: Scenario, plant: Plant, clock: Clock, batch: float) -> Iterable[Calls]:
    measured, memory = clock.measured, plant.memory_mb
    empty, full = scenario.uploads * (1 - scenario.faces_share), scenario.uploads * scenario.faces_share
    each, own = measured.detect_each(), _own_ms(plant, clock)
    copies = min(plant.concurrency.get(DETECT, 5), max(1, ceil(batch)))
    for what, uploads, asked, case, cold in (
        ("uploads without faces", empty, usage.NO_FACE, measured.detect(None), _cold(scenario, copies)),
        ("uploads with faces", full, usage.WITH_FACES, measured.detect(scenario.faces), 0.0),
    ):
        alone = _detect_ms(clock, plant, asked, case, scenario.burst)
        lines = each.log_bytes + (case.log_bytes - each.log_bytes) / batch
        yield Calls(
            DETECT, what, uploads / batch, alone * batch - own * (batch - 1), lines * batch, cold if uploads else 0.0
        )
    matched = measured.match(min(256, scenario.faces), scenario.list_size)
    matched = Case(matched.cpu_ms * scenario.burst, matched.database_ms, matched.log_bytes)
    searched = clock.call_ms(MATCH, matched, usage.SEARCHED, memory[MATCH])
    yield Calls(MATCH, "uploads with faces", full, searched, matched.log_bytes, _cold(scenario) if full else 0.0)
    told = measured.case("alert, a notice again")
    noticed = clock.call_ms(ALERT, told, usage.TOLD, memory[ALERT])
    yield Calls(ALERT, "notices", scenario.candidates * 2, noticed, told.log_bytes)


def _own_ms(plant: Plant, clock: Clock) -> float:
    """Of one call of detect, whatever is in it; nothing where durations were billed, which have it in them."""
    if clock.billed and DETECT in clock.billed:
        return 0.0
    own = max(0.0, clock.measured.detect(None).cpu_ms - clock.measured.detect_each().cpu_ms)
    return clock.cpu_ms(own, plant.memory_mb[DETECT]) + usage.waits_ms(usage.PERMIT) * clock.waits


def _by_the_clock(scenario: Scenario, plant: Plant, clock: Clock) -> Iterable[Calls]:
    measured, memory = clock.measured, plant.memory_mb
    always = MONTH_H / usage.LIVES_H
    looks = _sum(usage.SUBSCRIPTIONS, usage.SUBSCRIPTION, scenario.contacts)
    sweeps = _sum(usage.SWEPT, usage.DUE_OBJECT, scenario.due)
    for function, what, asked in ((ALERT, "alert, by the clock", looks), (SWEEP, "sweep, awake", sweeps)):
        case = measured.case(what)
        ms = clock.call_ms(function, case, asked, memory[function])
        yield Calls(function, _CLOCKED, _runs(plant, function), ms, case.log_bytes, always)
    retained = measured.case("retain, nothing to do")
    ms = clock.call_ms(RETAIN, retained, usage.RETAINED, memory[RETAIN])
    yield Calls(RETAIN, "each minute while active", scenario.hours * 60, ms, retained.log_bytes, _cold(scenario))


def _runs(plant: Plant, function: str) -> float:
    """How often the clock calls it in a month."""
    return MONTH_H * 3600 / plant.schedules.get(function, _EVERY_S[function])


def _by_people_and_cameras(scenario: Scenario, plant: Plant, clock: Clock) -> Iterable[Calls]:
    page = clock.measured.case("review, an open page asks")
    asks = scenario.reviewers * scenario.hours * usage.PAGE_ASKS_H
    answered = clock.call_ms(REVIEW, page, usage.PAGE, plant.memory_mb[REVIEW])
    yield Calls(REVIEW, "open pages ask", asks, answered, page.log_bytes, _cold(scenario) if asks else 0.0)
    grants = scenario.cameras * scenario.hours * usage.GRANTS_H
    granted = clock.call_ms(GRANT, page, usage.GRANTED, plant.memory_mb[GRANT])
    yield Calls(GRANT, "upload rights", grants, granted, 400.0)


def _cold(scenario: Scenario, copies: float = 1) -> float:
    """Cold starts of a function that works while a deployment is active: with each session, and as copies age."""
    return copies * (scenario.hours / usage.LIVES_H + ceil(scenario.hours / usage.SESSION_H))


def _sum(base: usage.Asked, each: usage.Asked, times: int) -> dict[str, int]:
    return {name: base.get(name, 0) + each.get(name, 0) * times for name in {*base, *each}}


def _acu(scenario: Scenario, clock: Clock, plant: Plant) -> tuple[float, list[str]]:
    """Capacity while awake: the least there is while searches take less than a quarter of a core, which 0.5 ACU is
    taken to be."""
    if not scenario.hours:
        return _LEAST_ACU, []
    rate = scenario.uploads * scenario.faces_share / scenario.hours / 3600
    busy = rate * clock.measured.match(scenario.faces, scenario.list_size).database_ms / 1000 / clock.speed
    acu = max(_LEAST_ACU, ceil(busy / 0.25) * _LEAST_ACU)
    return acu, [f"searches want about {acu:g} ACU; DatabaseMaximumCapacity must allow them"] if acu > 2 else []


# --- lines ------------------------------------------------------------------------------------------------------------


def _lines(
    scenario: Scenario, plant: Plant, calls: Sequence[Calls], batch: float, acu: float, clock: Clock
) -> Iterable[Line]:
    uploads, hours = scenario.uploads, scenario.hours
    empty, full = uploads * (1 - scenario.faces_share), uploads * scenario.faces_share
    sessions = ceil(hours / usage.SESSION_H)
    yield from _lambda(scenario, plant, calls, clock)
    yield Line("S3", "uploads", "s3_put", uploads)
    kept = 1 - 1 / batch  # permits that are read once for several uploads of a camera
    for what, asked, times in _events(scenario, plant, empty, full):
        for key, amount in usage.units(asked, times).items():
            yield Line(_SERVICE[key], what, key, amount)
    yield Line("S3", "permits read once a batch", "s3_get", -uploads * kept)
    yield Line(
        "SQS",
        "polls of empty queues",
        "sqs_request",
        plant.queues_polled * usage.POLLERS * MONTH_H * 3600 / usage.POLL_S,
    )
    yield Line("SQS", "frames", "sqs_request", uploads * (usage.MESSAGE_SENT + usage.BATCH_TAKEN / batch))
    yield Line("SQS", "faces", "sqs_request", full * usage.BATCH_TAKEN)
    yield Line("SQS", "notices", "sqs_request", scenario.candidates * 2 * (usage.MESSAGE_SENT + usage.BATCH_TAKEN))
    pages = empty * usage.ROW_BYTES / 4096 * 0.5  # each row once, four kilobytes half a unit
    yield Line("DynamoDB", "rows that are folded", "dynamodb_read", pages)
    yield Line("DynamoDB", "rows", "dynamodb_storage", uploads * usage.ROW_BYTES / _GB * 3 / 30)
    awake = min(MONTH_H, hours + sessions * plant.pause_seconds / 3600)
    yield Line("Aurora", f"awake, {acu:g} ACU", "aurora_acu_hour", awake * acu)
    yield Line("Aurora", "storage", "aurora_storage", usage.DATABASE_GB)
    yield Line(
        "Aurora", "I/O", "aurora_io", full * usage.DATABASE_IO["search"] + hours * 60 * usage.DATABASE_IO["minute"]
    )
    yield Line("SNS", "SMS", "sns_sms", scenario.sms, kind=NOTICES)
    yield Line("SNS", "e-mails", "sns_email", scenario.emails, kind=NOTICES)
    yield from _watching(scenario, plant, calls)
    requests = scenario.reviewers * hours * usage.PAGE_ASKS_H + scenario.cameras * hours * usage.GRANTS_H
    requests += sessions * usage.REQUESTS_A_SESSION
    yield Line("API", "HTTP API requests", "http_request", requests)
    yield Line("API", "accounts that signed in", "cognito_account", scenario.contacts if hours else 0)
    yield Line("KMS", "of SNS and DynamoDB", "kms_request", scenario.candidates * 4 + hours * 12 * 4)
    yield Line("X-Ray", "traces", "xray_trace", _traces(scenario, plant, calls))
    pictures = scenario.candidates * 2 * max(1, scenario.reviewers) * usage.PICTURE_KB
    yield Line("Transfer", "out", "transfer_out", (pictures + (requests + uploads) * usage.ANSWER_KB) * 1000 / _GB)


def _lambda(scenario: Scenario, plant: Plant, calls: Sequence[Calls], clock: Clock) -> Iterable[Line]:
    seconds = "lambda_gb_second_arm" if scenario.arm else "lambda_gb_second_x86"
    for one in calls:
        gigabytes = plant.memory_mb[one.function] / 1024
        name = one.function.removesuffix("Function").lower()
        yield Line("Lambda", f"{name}: {one.what}", "lambda_request", one.calls)
        yield Line("Lambda", f"{name}: {one.what}", seconds, one.calls * one.milliseconds / 1000 * gigabytes)
        if one.function in plant.snapstart:
            yield Line("Lambda", f"{name}: SnapStart, restores", "snapstart_restore", one.cold * gigabytes)
            continue
        cold = one.cold * clock.cold_ms(one.function, plant.memory_mb[one.function]) / 1000
        yield Line("Lambda", f"{name}: cold starts", seconds, cold * gigabytes)
    for function in sorted(plant.snapstart):
        kept = plant.memory_mb[function] / 1024 * MONTH_H * 3600
        yield Line("Lambda", f"{function.removesuffix('Function').lower()}: SnapStart, kept", "snapstart_cache", kept)


def _traces(scenario: Scenario, plant: Plant, calls: Sequence[Calls]) -> float:
    """Lambda's sampling, which cannot be changed: the first call of a function in each second, and one in twenty of the
    others. 0 where nothing is traced."""
    traces = 0.0
    for function in plant.traced:
        own = [one for one in calls if one.function == function]
        clocked = any(one.what == _CLOCKED for one in own)
        called = sum(one.calls for one in own)
        first = min(called, (MONTH_H if clocked else scenario.hours) * 3600)
        traces += first + (called - first) / 20
    return traces


def _events(scenario: Scenario, plant: Plant, empty: float, full: float) -> Iterable[tuple[str, usage.Asked, float]]:
    """What is asked for, how often."""
    hours = scenario.hours
    minutes, looks = _runs(plant, SWEEP), _runs(plant, ALERT)
    yield "detect, uploads without faces", usage.NO_FACE, empty
    yield "detect, uploads with faces", usage.WITH_FACES, full
    yield "match", usage.SEARCHED, full
    yield "match, candidates", usage.RAISED, scenario.candidates
    yield "alert, notices", usage.TOLD, scenario.candidates * 2
    yield "retain folds an hour", usage.FOLDED, hours if empty else 0
    yield "retain each minute", usage.RETAINED, hours * 60
    yield "retain, candidates", usage.WAITING, scenario.candidates * usage.WAITS_MIN
    yield "sweep each minute", usage.SWEPT, minutes
    yield "sweep, once a day", usage.LOOKED, MONTH_H / 24
    yield "sweep, due objects", usage.DUE_OBJECT, minutes * scenario.due
    yield "sweep wakes retain", usage.WAKES, hours * 60
    yield "alert by the clock", usage.SUBSCRIPTIONS, looks
    yield "alert, each contact", usage.SUBSCRIPTION, looks * scenario.contacts
    yield "open pages", usage.PAGE, scenario.reviewers * hours * usage.PAGE_ASKS_H
    yield "upload rights", usage.GRANTED, scenario.cameras * hours * usage.GRANTS_H


def _watching(scenario: Scenario, plant: Plant, calls: Sequence[Calls]) -> Iterable[Line]:
    platform = usage.PLATFORM_LOG_BYTES if plant.system_logs else 0
    written = 0.0
    for one in calls:
        amount = one.calls * (one.log_bytes + platform) / _GB
        written += amount
        yield Line("CloudWatch", f"logs of {one.function.removesuffix('Function').lower()}", "logs_ingested", amount)
    asks = scenario.reviewers * scenario.hours * usage.PAGE_ASKS_H * usage.ACCESS_LOG_BYTES / _GB
    yield Line("CloudWatch", "logs of the API", "logs_ingested", asks)
    yield Line(
        "CloudWatch", "logs kept", "logs_stored", (written + asks) * usage.STORED_SHARE * plant.retention_days / 30
    )
    yield Line("CloudWatch", "metrics of the whole month", "custom_metric", metrics.of("idle"))
    active = metrics.of("active") * scenario.hours / MONTH_H
    yield Line("CloudWatch", "metrics of active hours", "custom_metric", active)
    yield Line("CloudWatch", "alarms", "alarm_metric", plant.alarm_metrics)
    yield Line("CloudWatch", "dashboard", "dashboard", plant.dashboards)


_SERVICE: Mapping[str, str] = {
    "s3_put": "S3", "s3_get": "S3", "s3_delete": "S3", "sqs_request": "SQS", "sns_request": "SNS",
    "dynamodb_write": "DynamoDB", "dynamodb_read": "DynamoDB",
}  # fmt: skip


def _priced(lines: Sequence[Line], prices: Prices, free: bool) -> tuple[Line, ...]:
    """Dollars of each line; what is free is taken off the lines of a price in proportion."""
    together: dict[str, float] = {}
    for line in lines:
        together[line.key] = together.get(line.key, 0.0) + line.quantity
    priced = []
    for line in lines:
        price, whole = prices.of(line.key), together[line.key]
        share = max(0.0, whole - price.free) / whole if free and whole > 0 else 1.0
        priced.append(replace(line, amount=line.quantity * price.amount * share))
    return tuple(priced)
