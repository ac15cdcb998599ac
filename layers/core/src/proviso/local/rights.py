"""What a function's role allows, from the compiled template: for the check that stands in front of the local S3.

Only what this template uses is understood: Allow statements with actions and resources, wildcards in both. A statement
with a condition allows nothing here, and a Deny stops the start by name: where this errs, it refuses.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proviso.domain.errors import ConfigurationFault
from proviso.local.template import Resource


@dataclass(frozen=True, slots=True)
class Statement:
    """One Allow statement."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def allows(self, action: str, resource: str) -> bool:
        """IAM's matching: actions whatever their case, resources exactly; `*` is any text and `?` any letter."""
        named = any(_matches(pattern.lower(), action.lower()) for pattern in self.actions)
        return named and any(_matches(pattern, resource) for pattern in self.resources)


@dataclass(frozen=True, slots=True)
class Rights:
    """A role's statements."""

    statements: tuple[Statement, ...]

    def allow(self, action: str, resource: str) -> bool:
        """Whether any statement allows it. What none allows is denied."""
        return any(statement.allows(action, resource) for statement in self.statements)


def rights_of(function: Resource) -> Rights:
    """The rights of the role that the template gives a function. ConfigurationFault where it has no role there."""
    wanted = function.resolved().get("Role")
    for one in function.stack.all_resources():
        if one.type == "AWS::IAM::Role" and one.stack.identities.attribute(one, "Arn") == wanted:
            documents = [policy["PolicyDocument"] for policy in one.resolved().get("Policies") or []]
            return Rights(tuple(understood([s for document in documents for s in _listed(document["Statement"])])))
    raise ConfigurationFault(f"{function.path} has no role in the template")


def understood(statements: Sequence[dict[str, Any]]) -> list[Statement]:
    """The plain Allow statements among these. One with a condition is left out; a Deny is refused, not overlooked."""
    found = []
    for one in statements:
        if one.get("Effect") != "Allow":
            raise ConfigurationFault("the local check of rights knows Allow statements only")
        if set(one) <= {"Sid", "Effect", "Action", "Resource"}:
            found.append(Statement(tuple(_listed(one["Action"])), tuple(_listed(one["Resource"]))))
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _matches(pattern: str, text: str) -> bool:
    parts = (".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None
