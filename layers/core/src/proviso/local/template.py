"""Reads template.yaml as CloudFormation would, so that the local cloud has no second description of the system.

SAM resources are expanded by AWS's own translator; intrinsics are resolved here. What a resource is called once it
exists (its Ref and its attributes) is not known to a template: that comes from `Identities`, given by the caller.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, Protocol

from proviso.domain.errors import ConfigurationFault

ACCOUNT = "123456789012"
REGION = "eu-west-2"
STACK = "proviso-local"
_SAM = "AWS::Serverless-2016-10-31"
NESTED = ("AWS::CloudFormation::Stack", "AWS::Serverless::Application")
_NO_VALUE = object()
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


class Identities(Protocol):
    """What Ref and Fn::GetAtt answer for a resource."""

    def reference(self, resource: "Resource") -> Any: ...

    def attribute(self, resource: "Resource", name: str) -> Any: ...


@dataclass
class Resource:
    """One resource of one stack; `properties` are unresolved."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    stack: "Stack"
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def resolved(self) -> dict[str, Any]:
        """Its properties with every intrinsic answered."""
        return dict(self.stack.resolve(dict(self.properties), f"{self.stack.name}/{self.logical_id}"))

    @property
    def path(self) -> str:
        return f"{self.stack.name}/{self.logical_id}"


@dataclass
class Stack:
    """A template with its parameters answered. `resources` holds only those whose condition is true."""

    name: str
    template: Mapping[str, Any]
    parameters: Mapping[str, Any]
    identities: Identities
    resources: dict[str, Resource] = field(default_factory=dict)
    nested: dict[str, "Stack"] = field(default_factory=dict)

    def all_resources(self) -> Iterator[Resource]:
        """Of this stack and its nested ones; the nested stack resources themselves are left out."""
        for resource in self.resources.values():
            if resource.type not in NESTED:
                yield resource
        for child in self.nested.values():
            yield from child.all_resources()

    def find(self, logical_id: str) -> Resource:
        """The resource of that logical id, in this stack first. ConfigurationFault where there is none."""
        for resource in self.all_resources():
            if resource.logical_id == logical_id:
                return resource
        raise ConfigurationFault(f"the template has no resource {logical_id}")

    def output(self, name: str) -> Any:
        outputs = self.template.get("Outputs", {})
        if name not in outputs:
            raise ConfigurationFault(f"{self.name} has no output {name}")
        return self.resolve(outputs[name]["Value"], f"{self.name}/Outputs/{name}")

    def exports(self) -> dict[str, Any]:
        found = {}
        for name, output in (self.template.get("Outputs") or {}).items():
            if "Export" in output and self._holds(output.get("Condition")):
                found[self.resolve(output["Export"]["Name"], name)] = self.output(name)
        for child in self.nested.values():
            found.update(child.exports())
        return found

    def condition(self, name: str) -> bool:
        conditions = self.template.get("Conditions", {})
        if name not in conditions:
            raise ConfigurationFault(f"{self.name} has no condition {name}")
        return bool(self.resolve(conditions[name], f"{self.name}/Conditions/{name}"))

    def _holds(self, condition: str | None) -> bool:
        return condition is None or self.condition(condition)

    def resolve(self, value: Any, place: str = "") -> Any:
        """The value with Ref, Fn::* and conditions answered; AWS::NoValue removes what holds it."""
        answer = self._resolve(value, place)
        return None if answer is _NO_VALUE else answer

    def _resolve(self, value: Any, place: str) -> Any:
        if isinstance(value, Mapping):
            if len(value) == 1:
                name, argument = next(iter(value.items()))
                if name == "Ref":
                    return self._ref(str(argument), place)
                if (
                    name == "Condition"
                    and isinstance(argument, str)
                    and argument in self.template.get("Conditions", {})
                ):
                    return self.condition(argument)
                if isinstance(name, str) and name.startswith("Fn::"):
                    return self._function(name, argument, place)
            found = {key: self._resolve(item, place) for key, item in value.items()}
            return {key: item for key, item in found.items() if item is not _NO_VALUE}
        if isinstance(value, list | tuple):
            return [item for item in (self._resolve(one, place) for one in value) if item is not _NO_VALUE]
        return value

    def _ref(self, name: str, place: str) -> Any:
        if name in self.parameters:
            return self.parameters[name]
        if name.startswith("AWS::"):
            return _pseudo(name, self.name)
        if name in self.resources:
            return self.identities.reference(self.resources[name])
        raise ConfigurationFault(f"{place or self.name}: Ref {name} names nothing that exists here")

    def _attribute(self, logical_id: str, name: str, place: str) -> Any:
        if logical_id not in self.resources:
            raise ConfigurationFault(
                f"{place or self.name}: Fn::GetAtt {logical_id}.{name} names nothing that exists here"
            )
        if logical_id in self.nested and name.startswith("Outputs."):
            return self.nested[logical_id].output(name.removeprefix("Outputs."))
        return self.identities.attribute(self.resources[logical_id], name)

    def _function(self, name: str, argument: Any, place: str) -> Any:
        if name == "Fn::If":
            condition, yes, no = argument
            return self._resolve(yes if self.condition(condition) else no, place)
        if name == "Fn::Sub":
            return self._sub(argument, place)
        if name == "Fn::GetAtt":
            parts = (
                argument.split(".", 1)
                if isinstance(argument, str)
                else [str(argument[0]), self._resolve(argument[1], place)]
            )
            return self._attribute(parts[0], parts[1], place)
        argument = self._resolve(argument, place)
        match name:
            case "Fn::Join":
                return str(argument[0]).join(str(item) for item in _list(argument[1]))
            case "Fn::Select":
                return _list(argument[1])[int(argument[0])]
            case "Fn::Split":
                return str(argument[1]).split(argument[0])
            case "Fn::Equals":
                return str(argument[0]) == str(argument[1])
            case "Fn::Not":
                return not argument[0]
            case "Fn::And":
                return all(argument)
            case "Fn::Or":
                return any(argument)
            case "Fn::FindInMap":
                return self._find_in_map(argument, place)
            case "Fn::GetAZs":
                return [f"{argument or REGION}{letter}" for letter in "abc"]
            case "Fn::Cidr":
                return _cidr(argument)
            case "Fn::Base64":
                import base64

                return base64.b64encode(str(argument).encode()).decode()
            case "Fn::ToJsonString":
                return json.dumps(argument)
            case "Fn::Length":
                return len(argument)
            case "Fn::ImportValue":
                exports = self._root_exports()
                if argument in exports:
                    return exports[argument]
                raise ConfigurationFault(f"{place}: Fn::ImportValue {argument}: nothing here exports it")
        raise ConfigurationFault(f"{place}: {name} is not known to the local cloud")

    def _root_exports(self) -> dict[str, Any]:
        return self.exports()

    def _find_in_map(self, argument: Any, place: str) -> Any:
        table, first, second = argument[:3]
        try:
            return self.template["Mappings"][table][first][second]
        except KeyError:
            if len(argument) > 3 and isinstance(argument[3], Mapping) and "DefaultValue" in argument[3]:
                return argument[3]["DefaultValue"]
            raise ConfigurationFault(f"{place}: no {table}.{first}.{second} in Mappings") from None

    def _sub(self, argument: Any, place: str) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else (argument[0], argument[1])

        def answer(found: re.Match[str]) -> str:
            name = found.group(1)
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return str(self._resolve(own[name], place))
            if "." in name:
                logical_id, attribute = name.split(".", 1)
                return str(self._attribute(logical_id, attribute, place))
            return str(self._ref(name, place))

        return _PLACEHOLDER.sub(answer, text)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else str(value).split(",")


def _cidr(argument: Any) -> list[str]:
    import ipaddress

    block, count, bits = argument[0], int(argument[1]), int(argument[2]) if len(argument) > 2 else 6
    network = ipaddress.ip_network(block)
    subnets = network.subnets(new_prefix=network.max_prefixlen - bits)
    return [str(next(subnets)) for _ in range(count)]


def _pseudo(name: str, stack: str) -> Any:
    known: dict[str, Any] = {
        "AWS::AccountId": ACCOUNT,
        "AWS::Region": REGION,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": stack,
        "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/00000000-0000-0000-0000-000000000000",
        "AWS::NotificationARNs": [],
        "AWS::NoValue": _NO_VALUE,
    }
    if name not in known:
        raise ConfigurationFault(f"the pseudo parameter {name} is not known to the local cloud")
    return known[name]


def read_yaml(path: Path) -> dict[str, Any]:
    """A template's YAML with the short forms (!Ref, !Sub, !GetAtt ...) written out. Dates stay text."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def intrinsic(loader: Any, suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            value: Any = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        if suffix in ("Ref", "Condition"):
            return {suffix: value}
        if suffix == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {f"Fn::{suffix}": value}

    Loader.add_multi_constructor("!", intrinsic)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 - a SafeLoader with the short forms
    except FileNotFoundError:
        raise ConfigurationFault(f"there is no template {path.name} in {path.parent}") from None
    except yaml.YAMLError as fault:
        raise ConfigurationFault(f"{path.name} is not YAML: {fault}") from None
    if not isinstance(content, dict) or "Resources" not in content:
        raise ConfigurationFault(f"{path.name} is not a template: it has no Resources")
    return content


def _expand(template: dict[str, Any], parameters: Mapping[str, Any], name: str) -> dict[str, Any]:
    """SAM to plain CloudFormation by AWS's translator. Code locations are local, so they are stubbed first."""
    transforms = template.get("Transform", [])
    transforms = [transforms] if isinstance(transforms, str) else list(transforms)
    unknown = [one for one in transforms if one not in (_SAM, "AWS::LanguageExtensions")]
    if unknown:
        raise ConfigurationFault(f"{name}: the transform {unknown[0]} is not known to the local cloud")
    if _SAM not in transforms:
        return template
    import boto3
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        properties = resource.get("Properties") or {}
        match resource.get("Type"):
            case "AWS::Serverless::Function":
                properties["CodeUri"] = "s3://local/code"
            case "AWS::Serverless::LayerVersion":
                properties["ContentUri"] = "s3://local/layer"
            case "AWS::Serverless::Application" if isinstance(properties.get("Location"), str):
                resource["Type"] = "AWS::CloudFormation::Stack"
                properties["TemplateURL"] = properties.pop("Location")
    (template.get("Globals") or {}).get("Function", {}).pop("CodeUri", None)
    managed: Any = _AnyPolicy()
    # Only single values: the translator writes them into the text of the template.
    known = {key: value for key, value in parameters.items() if isinstance(value, str)}
    try:
        translator = Translator(managed, Parser(), boto_session=boto3.Session(region_name=REGION))
        return dict(translator.translate(template, {**known, "AWS::Region": REGION, "AWS::Partition": "aws"}))
    except InvalidDocumentException as fault:
        reasons = "; ".join(cause.message for cause in fault.causes) or fault.message
        raise ConfigurationFault(f"{name} is no valid SAM template: {reasons}") from None


class _AnyPolicy(dict[str, str]):
    """Managed policies by name: the local cloud checks no IAM, so any name has an ARN."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and not name.startswith("arn:")

    def __getitem__(self, name: str) -> str:
        return f"arn:aws:iam::aws:policy/{name}"

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if isinstance(name, str) and name in self else default


def _parameters(template: Mapping[str, Any], given: Mapping[str, Any], name: str) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    declared = template.get("Parameters") or {}
    for key, rule in declared.items():
        value = given.get(key, rule.get("Default"))
        if value is None:
            raise ConfigurationFault(f"{name} needs a value for its parameter {key}")
        allowed = rule.get("AllowedValues")
        if allowed and str(value) not in [str(one) for one in allowed]:
            raise ConfigurationFault(f"{name}: parameter {key} must be one of {', '.join(map(str, allowed))}")
        kind = str(rule.get("Type", "String"))
        if kind == "Number":
            _check_number(f"{name}: parameter {key}", str(value), rule)
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            value = value if isinstance(value, list) else [one.strip() for one in str(value).split(",") if one.strip()]
        else:
            value = str(value)
        answers[key] = value
    return answers


def _check_number(what: str, value: str, rule: Mapping[str, Any]) -> None:
    """Patterns of texts are not checked: the local cloud has policies and addresses of its own."""
    least, most = (float(rule.get(end, default)) for end, default in (("MinValue", -inf), ("MaxValue", inf)))
    if not _NUMBER.fullmatch(value) or not least <= float(value) <= most:
        limits = f" from {least:g} to {most:g}" if rule.keys() & {"MinValue", "MaxValue"} else ""
        raise ConfigurationFault(f"{what} must be a number{limits}, not {value!r}")


def load_stack(path: Path, parameters: Mapping[str, Any], identities: Identities, name: str = STACK) -> Stack:
    """Read a template file with all nested ones. Parameters without value or default: ConfigurationFault."""
    raw = read_yaml(path)
    known = set(raw.get("Parameters") or {})
    unknown = sorted(set(parameters) - known)
    if unknown:
        raise ConfigurationFault(f"{path.name} has no parameter {', '.join(unknown)}")
    answers = _parameters(raw, parameters, path.name)
    template = _expand(raw, answers, path.name)
    stack = Stack(name, template, answers, identities)
    for logical_id, body in template["Resources"].items():
        condition = body.get("Condition")
        if condition is not None and not stack.condition(condition):
            continue
        stack.resources[logical_id] = Resource(
            logical_id, str(body.get("Type")), body.get("Properties") or {}, stack, body.get("Metadata") or {}
        )
    for logical_id in _in_order(stack):
        _load_nested(stack, logical_id, path)
    return stack


def _in_order(stack: Stack) -> list[str]:
    """Nested stacks, each after those whose outputs its parameters name."""
    waiting = {key: json.dumps(one.properties) for key, one in stack.resources.items() if one.type in NESTED}
    order: list[str] = []
    while waiting:
        ready = [
            key for key, text in waiting.items() if not any(f'"{o}"' in text or f"{{{o}." in text for o in waiting)
        ]
        if not ready:
            raise ConfigurationFault(f"the nested stacks {', '.join(waiting)} wait for each other")
        for key in ready:
            del waiting[key]
            order.append(key)
    return order


def _load_nested(stack: Stack, logical_id: str, path: Path) -> None:
    properties = stack.resources[logical_id].properties
    location = properties.get("TemplateURL") or properties.get("Location")
    if not isinstance(location, str) or "://" in location:
        raise ConfigurationFault(f"{stack.name}/{logical_id}: only nested templates in this repository can be read")
    given = stack.resolve(dict(properties.get("Parameters") or {}), f"{stack.name}/{logical_id}")
    stack.nested[logical_id] = load_stack(path.parent / location, given, stack.identities, f"{stack.name}-{logical_id}")
