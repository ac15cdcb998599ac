"""The shipped policies, as package data, and the local ones that extend them.

Each value in a file carries its source: a rule that nobody can trace is not a rule. Which policies an installation
may use is its setting; `demo` is for the local cloud alone and is left out of every build. A local file extends a
shipped policy and may tighten it; where it does not it says so (`domain.tightness`). A file that does not hold is no
policy: whatever names it is refused.
"""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from proviso.domain.errors import ConfigurationFault
from proviso.domain.policy import Policy
from proviso.domain.reasons import Reason, Refused
from proviso.domain.tightness import differences, never
from proviso.policies.models import LocalFile, ShippedFile, Values

EXTENDABLE = ("eu", "uk-police", "volunteers")
RESERVED = (*EXTENDABLE, "demo")
"""Names that no local file may take, whether or not this installation carries the policy itself."""


class PolicyFault(ConfigurationFault):
    """A policy file does not hold. `faults` are sentences, one for each thing that is wrong."""

    def __init__(self, *faults: str) -> None:
        super().__init__(f"the policy file does not hold: {'; '.join(faults)}")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy as its file states it: the source of each value, and which of them are the file's own."""

    policy: Policy
    purpose: str
    sources: Mapping[str, str]
    own: frozenset[str]


def shipped() -> list[str]:
    """The names of the policies that this installation carries."""
    files = resources.files(__name__).joinpath("files")
    return sorted(item.name.removesuffix(".toml") for item in files.iterdir() if item.name.endswith(".toml"))


def local(folder: Path | None) -> list[str]:
    """The names of the local policies in a folder, whether or not they hold."""
    if folder is None or not folder.is_dir():
        return []
    return sorted(path.stem for path in folder.glob("*.toml"))


def load(name: str, permitted: Collection[str], folder: Path | None = None) -> Policy | Refused:
    """A policy by name, shipped or of the folder, if this installation is permitted to use it and its file holds."""
    known = {*shipped(), *local(folder)}
    if name not in permitted or name not in known:
        offered = ", ".join(sorted(set(permitted) & known)) or "none"
        return Refused(Reason.POLICY_FORBIDS, f"policy {name[:40]!r} is not offered here; offered: {offered}")
    if folder is not None and name in local(folder):
        try:
            return read_local(folder / f"{name}.toml").policy
        except PolicyFault as fault:
            return Refused(Reason.POLICY_FORBIDS, f"policy {name!r} cannot be used: {fault}")
    return read_shipped(name).policy


def read_shipped(name: str) -> PolicyFile:
    """A shipped policy with its sources. ConfigurationFault when this installation does not carry it."""
    if name not in shipped():
        raise ConfigurationFault(f"no policy {name[:40]!r} ships here; there are {', '.join(shipped())}")
    return parse(_text_of(name))


def read_local(path: Path) -> PolicyFile:
    """A local policy file. PolicyFault with everything that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PolicyFault("it is not text in UTF-8") from error
    except OSError as error:
        raise PolicyFault(f"it cannot be read: {error.strerror}") from error
    file = parse_local(text)
    if file.policy.name != path.stem:
        raise PolicyFault(f"name: is {file.policy.name!r}, so the file must be called {file.policy.name}.toml")
    return file


def parse(text: str) -> PolicyFile:
    """A file of the form of the shipped ones. PolicyFault naming each value that is missing, unknown or wrong."""
    try:
        file = ShippedFile.model_validate(_toml(text))
    except ValidationError as error:
        raise PolicyFault(*_sentences(error)) from error
    return _made(file, "", frozenset(type(file.values).model_fields))


def parse_local(text: str) -> PolicyFile:
    """A file that extends a shipped policy, with its differences from it. PolicyFault with everything that is wrong."""
    written = _toml(text)
    base = _base(written)
    stated: dict[str, Any] = tomllib.loads(_text_of(base.policy.name))["values"]
    changes = _changes(written)
    faults = [*_head_faults(written), *never(base.policy, _well_typed(changes, base.policy))]
    try:
        file = LocalFile.model_validate({**written, "values": {**stated, **changes}})
    except ValidationError as error:
        raise PolicyFault(*_sentences(error), *_beside(error, stated, changes), *faults) from error
    if faults:
        raise PolicyFault(*faults)
    made = _made(file, f"{base.policy.name} {base.policy.version}", frozenset(changes), base)
    return replace(made, policy=replace(made.policy, differences=differences(base.policy, made.policy)))


def _well_typed(changes: dict[str, Any], base: Policy) -> dict[str, Any]:
    """The values that can be compared at all; what is wrong with the others is said by their form."""
    found = {name: one.get("value") for name, one in changes.items() if isinstance(one, dict)}
    return {name: value for name, value in found.items() if type(value) is type(getattr(base, name, None))}


def _beside(error: ValidationError, stated: dict[str, Any], changes: dict[str, Any]) -> list[str]:
    """What is wrong between the values that hold one by one: whoever mends a file wants to hear it all at once."""
    wrong = {one["loc"][1] for one in error.errors() if len(one["loc"]) > 1}
    try:
        Values.model_validate({**stated, **{name: one for name, one in changes.items() if name not in wrong}})
    except ValidationError as more:
        return _sentences(more) if wrong else []
    return []


def _made(
    file: ShippedFile | LocalFile, extends: str, own: frozenset[str], base: PolicyFile | None = None
) -> PolicyFile:
    stated: dict[str, dict[str, Any]] = file.values.model_dump()
    values = {name: one["value"] for name, one in stated.items()}
    policy = Policy.from_mapping(
        {"name": file.name, "version": file.version, "extends": extends, "differences": [], **values}
    )
    sources = {
        name: one["source"] if base is None or name in own else base.sources[name] for name, one in stated.items()
    }
    return PolicyFile(policy, file.purpose, sources, own)


def _base(written: dict[str, Any]) -> PolicyFile:
    """What the file extends; its version may be named beside it, and must then be the one that ships."""
    extends = written.get("extends")
    if not isinstance(extends, str) or not extends.strip():
        raise PolicyFault(f"extends: is missing; a local policy extends one of {', '.join(EXTENDABLE)}")
    name, _, version = extends.partition(" ")
    if name == "demo":
        raise PolicyFault("extends: nothing may extend demo, which is for the local cloud alone")
    if name not in EXTENDABLE or name not in shipped():
        raise PolicyFault(f"extends: {extends[:40]!r} does not ship; there are {', '.join(EXTENDABLE)}")
    base = read_shipped(name)
    if version and version != base.policy.version:
        raise PolicyFault(
            f"extends: {name} {version} was extended, and {name} {base.policy.version} ships; compare the two, and give"
            " this file a new version"
        )
    return base


def _changes(written: dict[str, Any]) -> dict[str, Any]:
    changes = written.get("values", {})
    if not isinstance(changes, dict):
        raise PolicyFault("values: must be a table, [values]")
    return changes


def _head_faults(written: dict[str, Any]) -> list[str]:
    name = written.get("name")
    if name in RESERVED:
        return [f"name: {name!r} is the name of a policy that ships; a local one needs a name of its own"]
    if isinstance(name, str) and "demo" in name.casefold():
        return ["name: may not have 'demo' in it; that is the word of the local cloud's policy"]
    return []


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyFault(f"it is not TOML: {error}") from error


def _text_of(name: str) -> str:
    return resources.files(__name__).joinpath("files", f"{name}.toml").read_text(encoding="utf-8")


_PLAINLY = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "too_short": "may not be empty",
    "string_too_short": "needs at least 10 signs",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
}
_FORMS = {
    "name": "is not of the form a-z, 0-9 and -, at most 40 signs",
    "version": "is not of the form YYYY.MONTH.NUMBER, as 2026.11.3",
    "extends": f"is not one of {', '.join(EXTENDABLE)}, with or without the version",
}


def _sentences(error: ValidationError) -> list[str]:
    """What pydantic found, a sentence a fault: the place, and what is wrong there."""
    found = []
    for one in error.errors():
        where = ".".join(str(part) for part in one["loc"])
        what = _PLAINLY.get(one["type"]) or _FORMS.get(where) or re.sub(r"^Value error, ", "", one["msg"])
        found.append(f"{where}: {what}" if len(one["loc"]) != 1 or where != "values" else what)
    return [sentence.removeprefix(": ") for sentence in found]
