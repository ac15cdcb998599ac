"""IAM's rules, as far as this project's policies use them: whether a request is allowed, and by which statement.

Written after AWS's description of policy evaluation within one account: an explicit Deny anywhere wins; an endpoint
that the request goes through must allow it; then a role's own policies or the resource's policy must. What is not
understood (an element, an operator, a key of a condition) is refused by name when a policy is read, never skipped: a
condition that was overlooked would be a right that nobody gave.

No session policies, boundaries or organisations: the template uses none, and reading one is a fault.
"""

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from proviso.domain.errors import ConfigurationFault

_ELEMENTS = frozenset({"Sid", "Effect", "Principal", "Action", "Resource", "Condition"})
# Each key, in small letters, is known to be there or absent as AWS has it: the callers of `decide` say so in `context`.
KEYS = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:resourceaccount",
        "aws:securetransport",
        "aws:sourceaccount",
        "aws:sourcearn",
        "lambda:sourcefunctionarn",
        "s3:if-none-match",
    }
)
_OPERATORS = frozenset({"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Bool", "Null", "StringEquals"})

Verdict = Literal["allowed", "denied by a statement", "allowed by nobody", "not let through"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key; any of `values` is enough, for a negated operator none may match."""

    operator: str
    key: str
    values: tuple[str, ...]

    def holds(self, context: Mapping[str, str]) -> bool:
        """Whether it is met. A key that the request does not have meets only Null and the negated operators."""
        found = {key.lower(): value for key, value in context.items()}.get(self.key)
        match self.operator:
            case "Null":
                return (found is None) == (self.values[0] == "true")
            case "ArnNotEquals" | "ArnNotLike":
                return found is None or not any(_arn_matches(one, found) for one in self.values)
        if found is None:
            return False
        match self.operator:
            case "Bool":
                return found.lower() in (one.lower() for one in self.values)
            case "StringEquals":
                return found in self.values
        return any(_arn_matches(one, found) for one in self.values)  # for ARNs, Equals and Like are one operator


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `principals` holds ("AWS" | "Service" | "*", name) in a resource's policy, and nothing in a
    role's; no `resources` means any, as in a trust policy."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    allow: bool = True
    sid: str = ""
    principals: tuple[tuple[str, str], ...] = ()
    conditions: tuple[Condition, ...] = ()

    def names(self, action: str, resource: str) -> bool:
        """IAM's matching: actions whatever their case, resources exactly; `*` is any text and `?` any letter."""
        named = any(matches(pattern.lower(), action.lower()) for pattern in self.actions)
        return named and (not self.resources or any(matches(pattern, resource) for pattern in self.resources))

    def applies(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        return self.names(action, resource) and all(one.holds(context) for one in self.conditions)

    def speaks_of(self, caller: "Caller") -> bool:
        """Whether a resource's statement is about this caller."""
        for kind, name in self.principals:
            if kind == "*" or (kind == "AWS" and name == "*"):
                return True
            if kind == "Service" and name == caller.service:
                return True
            if kind == "AWS" and name in (caller.arn, caller.account, f"arn:aws:iam::{caller.account}:root"):
                return True
        return False

    def gives(self, caller: "Caller") -> bool:
        """Whether a resource's statement that speaks of this caller is enough by itself. One that names the account
        only lets the account decide: its role's own policy must allow it too."""
        named = {name for kind, name in self.principals if kind == "AWS"}
        return ("*", "*") in self.principals or bool(named & {"*", caller.arn})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a role of an account with its own statements, or a service of AWS, which has none."""

    account: str
    arn: str = ""
    service: str = ""
    statements: tuple[Statement, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """How it went, and the Sids of the statements that decided."""

    verdict: Verdict
    by: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        return self.verdict == "allowed"


def decide(
    caller: Caller,
    action: str,
    resource: str,
    context: Mapping[str, str],
    *,
    owner: str,
    policies: Iterable[Statement] = (),
    endpoint: Sequence[Statement] | None = None,
) -> Decision:
    """Whether `caller` may do `action` on `resource`, which the account `owner` holds. `policies`: the statements of
    resources; `endpoint`: those of the VPC endpoint that the request goes through, None where it goes through none."""
    context = {**context, "aws:ResourceAccount": owner}
    own = [one for one in caller.statements if one.applies(action, resource, context)]
    theirs = [one for one in policies if one.applies(action, resource, context) and one.speaks_of(caller)]
    passing = [one for one in endpoint or () if one.applies(action, resource, context) and one.speaks_of(caller)]
    denying = [one.sid for one in (*own, *theirs, *passing) if not one.allow]
    if denying:
        return Decision("denied by a statement", tuple(denying))
    if endpoint is not None and not passing:
        return Decision("not let through")
    outside = bool(caller.service) or caller.account != owner
    by_resource = [one.sid for one in theirs if outside or one.gives(caller)]
    by_role = [one.sid for one in own]
    # Another account's role needs both; what its own account lets it do is not ours to know, so only ours is asked.
    enough = by_resource if outside else by_role + by_resource
    return Decision("allowed", tuple(enough)) if enough else Decision("allowed by nobody")


def statements_of(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """The statements of a policy, resolved. ConfigurationFault names what is not understood."""
    extra = set(document) - {"Version", "Id", "Statement"}
    if extra or document.get("Version") != "2012-10-17":
        raise ConfigurationFault(f"a policy must have Version 2012-10-17 and no {', '.join(sorted(extra)) or 'other'}")
    return tuple(_statement(one) for one in listed(document["Statement"]))


def _statement(one: Mapping[str, Any]) -> Statement:
    sid = str(one.get("Sid", ""))
    odd = sorted(set(one) - _ELEMENTS)
    if odd:
        raise ConfigurationFault(f"statement {sid!r}: {odd[0]} is not understood here; write it another way")
    if one.get("Effect") not in ("Allow", "Deny"):
        raise ConfigurationFault(f"statement {sid!r}: Effect must be Allow or Deny")
    actions, resources = tuple(listed(one["Action"])), tuple(listed(one.get("Resource", [])))
    if not all(isinstance(text, str) for text in (*actions, *resources)):
        raise ConfigurationFault(f"statement {sid!r}: an action or a resource is not text")
    if not resources and not all(
        text.startswith("sts:") for text in actions
    ):  # else a list that came out empty is "any"
        raise ConfigurationFault(f"statement {sid!r}: it names no resource, as only a role's trust may")
    if "${" in json.dumps([one.get(name) for name in sorted(_ELEMENTS)], default=str):
        raise ConfigurationFault(f"statement {sid!r}: a policy variable is not understood here")
    return Statement(
        actions,
        resources,
        one["Effect"] == "Allow",
        sid,
        _principals(one.get("Principal"), sid),
        tuple(_conditions(one.get("Condition") or {}, sid)),
    )


def _principals(principal: Any, sid: str) -> tuple[tuple[str, str], ...]:
    if principal is None:
        return ()
    if principal == "*":
        return (("*", "*"),)
    if not isinstance(principal, Mapping) or set(principal) - {"AWS", "Service"}:
        raise ConfigurationFault(f"statement {sid!r}: a principal must be *, AWS or Service")
    return tuple((kind, str(name)) for kind, names in principal.items() for name in listed(names))


def _conditions(conditions: Mapping[str, Any], sid: str) -> Iterable[Condition]:
    for operator, tests in conditions.items():
        if operator not in _OPERATORS:
            raise ConfigurationFault(f"statement {sid!r}: the condition {operator} is not understood here")
        for key, values in tests.items():
            if key.lower() not in KEYS:
                raise ConfigurationFault(f"statement {sid!r}: the condition key {key} is not understood here")
            found = tuple(str(value) for value in listed(values))
            if operator == "Null" and found not in (("true",), ("false",)):
                raise ConfigurationFault(f"statement {sid!r}: Null must be true or false")
            yield Condition(operator, key.lower(), found)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _arn_matches(pattern: str, arn: str) -> bool:
    """Each of an ARN's six parts for itself: a `*` in one does not reach into the next."""
    wanted, found = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(found) and all(matches(one, two) for one, two in zip(wanted, found, strict=True))
