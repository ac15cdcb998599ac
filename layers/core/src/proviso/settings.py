"""Environment → settings: one frozen class a function, validated once at first use, read by wiring alone.

What a function does not need is not in its class, and so is not in its environment either.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from proviso.domain.errors import ConfigurationFault

Name = Annotated[str, Field(min_length=1)]


class Settings(BaseModel):
    """Fields are read from environment variables of the same name in capitals."""

    # Built at first use: a function reads one class of these, and a start need not pay for the others.
    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, defer_build=True)

    stage: str = "local"

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """ConfigurationFault naming every variable that is missing or wrong, never its value."""
        values = {name: environment[name.upper()] for name in cls.model_fields if environment.get(name.upper())}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            faults = sorted(
                {f"{str(e['loc'][0] if e['loc'] else cls.__name__).upper()}: {e['msg']}" for e in error.errors()}
            )
            raise ConfigurationFault(f"settings: {'; '.join(faults)}") from None


class Vision(Settings):
    """Which pack, and where its files are."""

    proviso_pack: Name = "mobilefacenet"
    proviso_models: str = ""


class Database(Settings):
    """`database_url` (with the function's own login role) or host, port, name and user with an IAM token."""

    database_url: str = Field(default="", repr=False)
    database_host: str = ""
    database_port: int = 5432
    database_name: str = "proviso"
    database_user: str = ""
    database_ca: str = ""
    aws_region: str = ""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not self.database_url and not (self.database_host and self.database_user and self.database_ca):
            raise ValueError("DATABASE_URL, or DATABASE_HOST, DATABASE_USER and DATABASE_CA, must be set")
        return self


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

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)

    @field_validator("time_zone", mode="before")
    @classmethod
    def _zone(cls, value: object) -> object:
        try:
            return ZoneInfo(value) if isinstance(value, str) else value
        except (KeyError, ValueError) as error:
            raise ValueError("unknown time zone") from error


class Alert(Zoned):
    outbox_bucket: Name
    permits_bucket: Name
    notices_table: Name
    reviewers_topic_arn: Name
    recipients_topic_arn: Name
    console_url: str = ""
    subscription_settles_minutes: int = Field(default=15, ge=0, le=60)


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
    sign_in_url: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~/-]*)?$")]
    sign_in_client_id: Name
    sign_in_command_line_client_id: Name
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
    frame_age_limit_seconds: int = Field(default=120, ge=1, le=3600)


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
    frame_age_limit_seconds: int = Field(default=120, ge=1, le=3600)

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
    permits_bucket: Name
