"""The shipped policies, as package data, and the model that a policy file must fit.

Each value in a file carries its source: a rule that nobody can trace is not a rule. Which policies an installation
may use is its setting; `demo` is for the local cloud alone and is left out of every build.
"""

import tomllib
from collections.abc import Collection
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from proviso.domain.errors import ConfigurationFault
from proviso.domain.policy import Policy
from proviso.domain.reasons import Reason, Refused


class _Sourced(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    source: Annotated[str, Field(min_length=10)]


class _Words(_Sourced):
    value: Annotated[list[Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")]], Field(min_length=1)]


class _Ranks(_Sourced):
    value: list[Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")]]


class _Premises(_Sourced):
    value: Annotated[list[Literal["closed_premises", "open_to_the_public"]], Field(min_length=1)]


class _Number(_Sourced):
    value: Annotated[int, Field(ge=1)]


class _Hours(_Sourced):
    value: Annotated[int, Field(ge=0)]


class _Switch(_Sourced):
    value: bool


class _Text(_Sourced):
    value: Annotated[str, Field(max_length=14, pattern=r"^[A-Z ]*$")]


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    uses: _Words
    categories: _Words
    max_entries: _Number
    max_duration_minutes: _Number
    calibration_required: _Switch
    site_trial_required: _Switch
    reviewers_required: _Number
    consent_required: _Switch
    build_max_age_hours: _Number
    image_warn_age_years: _Number
    image_refuse_age_years: _Number
    frame_age_limit_s: _Number
    clock_skew_s: _Number
    same_entry_window_s: _Number
    decide_within_s: _Number
    notice_useful_s: _Number
    evidence_hours: _Number
    message_prefix: _Text
    operator_kinds: _Words
    premises: _Premises
    authoriser_ranks: _Ranks
    under_18_allowed: _Switch
    public_notice_hours: _Hours
    public_notice_waivable: _Switch
    decision_required: _Switch
    urgent_start_hours: _Hours


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]
    version: Annotated[str, Field(pattern=r"^\d{4}\.\d{1,2}\.\d+$")]
    purpose: str
    values: _Values


def parse(text: str) -> Policy:
    """Read a policy file. ConfigurationFault naming each value that is missing, unknown or wrong."""
    try:
        file = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationFault(f"the policy file is not TOML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigurationFault(f"the policy file does not hold: {faults}") from error
    values: dict[str, Any] = {name: sourced["value"] for name, sourced in file.values.model_dump().items()}
    return Policy.from_mapping({"name": file.name, "version": file.version, "extends": "", "differences": [], **values})


def shipped() -> list[str]:
    """The names of the policies that this installation carries."""
    files = resources.files(__name__).joinpath("files")
    return sorted(item.name.removesuffix(".toml") for item in files.iterdir() if item.name.endswith(".toml"))


def load(name: str, permitted: Collection[str]) -> Policy | Refused:
    """A shipped policy, if this installation is permitted to use it."""
    if name not in permitted or name not in shipped():
        offered = ", ".join(sorted(set(permitted) & set(shipped()))) or "none"
        return Refused(Reason.POLICY_FORBIDS, f"policy {name[:40]!r} is not offered here; offered: {offered}")
    return parse(resources.files(__name__).joinpath("files", f"{name}.toml").read_text(encoding="utf-8"))
