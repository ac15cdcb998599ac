"""The templates as CloudFormation would get them: SAM expanded by AWS's own translator, intrinsics left as they are."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proviso.local.resources import Identities
from proviso.local.rights import System
from proviso.local.template import load_stack

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-2"


@dataclass(frozen=True)
class Template:
    """One template; `raw` as written, `resources` as expanded."""

    name: str
    raw: dict[str, Any] = field(repr=False)
    expanded: dict[str, Any] = field(repr=False)

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        return self.expanded["Resources"]

    def of(self, *types: str) -> dict[str, dict[str, Any]]:
        """Properties by logical id of the resources of these types."""
        return {name: r.get("Properties", {}) for name, r in self.resources.items() if r["Type"] in types}

    def environment(self, function: str) -> dict[str, Any]:
        return self.resources[function]["Properties"]["Environment"]["Variables"]

    def statements(self, function: str) -> list[dict[str, Any]]:
        """What a function's own role allows, beside the managed policies that SAM attaches."""
        role = self.resources[f"{function}Role"]["Properties"]
        found = [s for policy in role.get("Policies", []) for s in policy["PolicyDocument"]["Statement"]]
        assert all(s["Effect"] == "Allow" for s in found)
        return found

    def allowed(self, function: str, action: str) -> set[str]:
        """On which resources a function may do this, as short text: `PermitsBucket/permits/*`, `LedgerTable`."""
        return {
            short(resource)
            for statement in self.statements(function)
            if action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def short(resource: Any) -> str:
    """An ARN written with intrinsics, as `<logical id><rest>`."""
    match resource:
        case {"Fn::GetAtt": [name, *_]} | {"Ref": name}:
            return str(name)
        case {"Fn::Sub": str(text)}:
            return text.replace("${", "").replace(".Arn}", "").replace("}", "")
    return str(resource)


def references(value: Any) -> Iterator[str]:
    """Every logical id that a value refers to by Ref, GetAtt or Sub."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::GetAtt": str(text)}:
            yield text.split(".")[0]
        case {"Fn::Sub": content}:
            text, given = (content[0], content[1]) if isinstance(content, list) else (content, {})
            for part in text.split("${")[1:]:
                name = part.split("}")[0]
                if not name.startswith("!") and name not in given:
                    yield name.split(".")[0]
            yield from references(given)
        case dict():
            for inner in value.values():
                yield from references(inner)
        case list():
            for inner in value:
                yield from references(inner)


def read(path: Path, parameters: Mapping[str, str] | None = None, core_layer: str = "s3://bucket/layer") -> Template:
    """A template, expanded with these parameters. `core_layer` is where its core layer's archive was put."""
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator
    from samtranslator.yaml_helper import yaml_parse

    raw = yaml_parse(path.read_text(encoding="utf-8"))
    if "Transform" not in raw:
        return Template(path.stem, raw, raw)
    import boto3

    local = copy.deepcopy(raw)
    local["Globals"]["Function"]["CodeUri"] = "s3://bucket/code"
    for resource in local["Resources"].values():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = "s3://bucket/layer"
    if "CoreLayer" in local["Resources"]:
        local["Resources"]["CoreLayer"]["Properties"]["ContentUri"] = core_layer
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    return Template(
        path.stem,
        raw,
        translator.translate(local, {"AWS::Region": REGION, "AWS::Partition": "aws"} | dict(parameters or {})),
    )


def compiled(**parameters: str) -> System:
    """Everything that allows or denies, with names as the local cloud gives them."""
    given = {"SoftwareBuild": "test", "ComplaintsContact": "somebody", **parameters}
    return System(load_stack(ROOT / "template.yaml", given, Identities()))


@pytest.fixture(scope="session")
def system() -> System:
    return compiled()


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def template() -> Template:
    return read(ROOT / "template.yaml")


@pytest.fixture(scope="session")
def network() -> Template:
    return read(ROOT / "infra" / "network.yaml")


@pytest.fixture(scope="session")
def database() -> Template:
    return read(ROOT / "infra" / "database.yaml")


@pytest.fixture(scope="session")
def observability() -> Template:
    return read(ROOT / "infra" / "observability.yaml")


@pytest.fixture(scope="session")
def everything(template: Template, network: Template, database: Template, observability: Template) -> list[Template]:
    return [template, network, database, observability]
