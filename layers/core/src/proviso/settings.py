"""Environment → settings: one frozen class a function, validated once at first use, read by wiring alone.

What a function does not need is not in its class, and so is not in its environment either.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, dataclass_transform, get_type_hints
from zoneinfo import ZoneInfo

from proviso.domain.errors import ConfigurationFault

Name = str
"""Text that is not empty. What is set to nothing, or to spaces, counts as not set."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field holds when its variable is not set (`needed`: nothing, it must be), and what its text must be."""

    needed: bool
    default: Any = None
    check: Callable[[Any], str] = lambda _: ""
    shown: bool = True


def _within(default: int, least: int, most: int) -> Any:
    wrong = f"a whole number from {least} to {most} is wanted"
    return Rule(False, default, lambda value: "" if least <= value <= most else wrong)


def _like(pattern: str, wanted: str) -> Any:
    return Rule(True, check=lambda value: "" if re.search(pattern, value) else wanted)


def _secret(default: str) -> Any:
    return Rule(False, default, shown=False)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(_within, _like, _secret))
class Settings:
    """Fields are read from environment variables of the same name in capitals. Without pydantic: its import and models
    would be an eighth of what a function's start takes."""

    stage: str = "local"

    @classmethod
    def rules(cls) -> dict[str, Rule]:
        """The fields by name."""
        given = {name: getattr(cls, name, _UNSET) for name in get_type_hints(cls)}
        return {name: one if isinstance(one, Rule) else Rule(one is _UNSET, one) for name, one in given.items()}

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """ConfigurationFault naming every variable that is missing or wrong, never its value."""
        kinds, values, faults = get_type_hints(cls), {}, []
        for name, rule in cls.rules().items():
            text = environment.get(name.upper(), "").strip()
            if not text and rule.needed:
                faults.append(f"{name.upper()}: it must be set")
                continue
            try:
                value = _KINDS[kinds[name]](text) if text else rule.default
            except (KeyError, ValueError):
                faults.append(f"{name.upper()}: {_WRONG[kinds[name]]}")
                continue
            if wrong := rule.check(value):
                faults.append(f"{name.upper()}: {wrong}")
            values[name] = value
        made = object.__new__(cls)
        made.__dict__.update(values)
        if not faults and (wrong := made._wrong_together()):
            faults.append(wrong)
        if faults:
            raise ConfigurationFault(f"settings: {'; '.join(sorted(faults))}")
        return made

    def _wrong_together(self) -> str:
        """What is wrong with fields that are right one by one; "" when nothing is."""
        return ""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"settings are frozen: {name}")

    def __repr__(self) -> str:
        shown = (f"{name}={self.__dict__[name]!r}" for name, rule in self.rules().items() if rule.shown)
        return f"{type(self).__name__}({', '.join(shown)})"


_UNSET = object()
_KINDS: dict[Any, Callable[[str], Any]] = {str: str, int: int, ZoneInfo: ZoneInfo}
_WRONG = {str: "", int: "a whole number is wanted", ZoneInfo: "unknown time zone"}


class Vision(Settings):
    """Which pack, and where its files are."""

    proviso_pack: Name = "mobilefacenet"
    proviso_models: str = ""


class Database(Settings):
    """`database_url` (with the function's own login role) or host, port, name and user with an IAM token."""

    database_url: str = _secret("")
    database_host: str = ""
    database_port: int = 5432
    database_name: str = "proviso"
    database_user: str = ""
    database_ca: str = ""
    aws_region: str = ""

    def _wrong_together(self) -> str:
        if not self.database_url and not (self.database_host and self.database_user and self.database_ca):
            return "DATABASE_URL, or DATABASE_HOST, DATABASE_USER and DATABASE_CA, must be set"
        return ""


class Detect(Vision):
    frames_bucket: Name
    permits_bucket: Name
    ledger_table: Name
    faces_queue_url: Name


class Running(Settings):
    """Which software this is. It is part of what is authorised (S03), so there is no saying "unknown"."""

    software_build: Name


class Match(Vision, Database, Running):
    frames_bucket: Name
    permits_bucket: Name
    evidence_bucket: Name
    outbox_bucket: Name
    ledger_table: Name


class Zoned(Settings):
    """In which time zone people are told times."""

    time_zone: ZoneInfo = ZoneInfo("Europe/London")


class Alert(Zoned):
    outbox_bucket: Name
    permits_bucket: Name
    notices_table: Name
    reviewers_topic_arn: Name
    recipients_topic_arn: Name
    console_url: str = ""
    subscription_settles_minutes: int = _within(15, 0, 60)


class Enrol(Vision, Database):
    enrolment_bucket: Name
    subjects_table: Name


class Govern(Vision, Database, Running):
    permits_bucket: Name
    subjects_table: Name
    cameras_table: Name
    anchors_bucket: Name
    outbox_bucket: Name
    proviso_policies: Name = "volunteers"
    proviso_policy_folder: str = ""

    @property
    def permitted_policies(self) -> frozenset[str]:
        return frozenset(name.strip() for name in self.proviso_policies.split(",") if name.strip())

    @property
    def policy_folder(self) -> Path | None:
        """Where local policies lie; none where no folder is named."""
        return Path(self.proviso_policy_folder) if self.proviso_policy_folder else None


class Announcing(Zoned):
    """What the notice sheet names. Apart from govern's other settings: a stop asks for none of it."""

    complaints_contact: Name
    data_protection_contact: str = ""


class Review(Database):
    sign_in_url: str = _like(r"^https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~/-]*)?$", "an http(s) address is wanted")
    sign_in_client_id: Name
    permits_bucket: Name
    evidence_bucket: Name
    enrolment_bucket: Name
    outbox_bucket: Name
    complaints_contact: Name


class Retain(Database, Running):
    records_bucket: Name
    proviso_pack: Name = "mobilefacenet"
    subjects_table: Name
    frames_bucket: Name
    permits_bucket: Name
    anchors_bucket: Name
    evidence_bucket: Name
    enrolment_bucket: Name
    outbox_bucket: Name
    ledger_table: Name
    notices_table: Name
    frame_age_limit_seconds: int = _within(120, 1, 3600)


class Report(Settings):
    records_bucket: Name


class Sweep(Settings):
    frames_bucket: Name
    permits_bucket: Name
    ledger_table: Name
    frames_queue_url: Name
    frames_dead_letter_queue_url: Name
    faces_queue_url: Name
    faces_dead_letter_queue_url: Name
    notices_queue_url: Name
    notices_dead_letter_queue_url: Name
    retain_function_name: Name
    frame_age_limit_seconds: int = _within(120, 1, 3600)

    @property
    def queue_urls(self) -> dict[str, str]:
        """By the names of domain.retention.QUEUES."""
        return {
            "frames": self.frames_queue_url,
            "faces": self.faces_queue_url,
            "notices": self.notices_queue_url,
            "dead frames": self.frames_dead_letter_queue_url,
            "dead faces": self.faces_dead_letter_queue_url,
            "dead notices": self.notices_dead_letter_queue_url,
        }


class Grant(Settings):
    frames_bucket: Name
    permits_bucket: Name
    cameras_table: Name


class Migrate(Database):
    pass
