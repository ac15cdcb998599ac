# ruff: noqa: T201 - prints for people
"""Makes the API's description from the routes of all functions: OpenAPI 3.1, one document, sorted.

usage: PYTHONPATH=.:layers/core/src python scripts/openapi.py [--check]

A route is in it by itself: what it takes and gives from its signature and its `responses`, what it does from its
docstring, whether it is public from template.yaml. Run by `make openapi`; a test holds the committed file to it.
"""

import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from proviso import __version__
from proviso.domain.reasons import SENTENCES, Reason
from proviso.domain.record_schema import PUBLISHED_SCHEMA

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "layers/core/src/proviso/edge/openapi.json"
RECORD = ROOT / "docs/record.schema.json"
SCHEME = "SignedIn"
ABOUT = (
    "Live facial recognition that runs only under conditions that the machine enforces. Roles, training and membership"
    " are read from the database at each request; what is not allowed is refused, with a reason from a closed list."
    " The gateway itself may answer 404, 413 and 429 with a message and no reason. See docs/api.md."
)
PARAMETERS = {
    "role": "a role",
    "sub": "an account, as the identity provider names it",
    "camera": "a camera's name",
    "document": "a revision's number or `latest`, with `.json`, `.html` or `.csv`",
    "file": "a name from the closed list of what the pages are made of",
}
NOTHING_OF_THAT_NAME = {
    "description": f"`{Reason.NOT_FOUND.value}`: {SENTENCES[Reason.NOT_FOUND]}",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
}
"""A path with a parameter may name what no name can be, whatever its route refuses for."""
UNUSED = ("HTTPValidationError", "ValidationError", "ResponseValidationError")


def document() -> dict[str, Any]:
    """The whole description."""
    public = public_routes()
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    tags = []
    for function, app, about in functions():
        tags.append({"name": function, "description": about})
        for route in (*app._static_routes, *app._dynamic_routes):
            _from_docstring(route, function)
        made = json.loads(app.get_openapi_json_schema(title="Proviso", version=__version__, openapi_version="3.1.0"))
        for path, methods in made["paths"].items():
            for method, operation in methods.items():
                paths.setdefault(path, {})[method] = _operation(operation, (method.upper(), _shape(path)) in public)
        for name, schema in made.get("components", {}).get("schemas", {}).items():
            if schemas.setdefault(name, schema) != schema:
                raise SystemExit(f"{function}: another function has a different model {name}; give one another name")
    for name in UNUSED:
        schemas.pop(name, None)
    schemas = _without_titles(schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Proviso",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{SCHEME: []}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                SCHEME: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of the user pool. It says who is asking, and nothing about what they may.",
                }
            },
        },
    }


def functions() -> Iterator[tuple[str, Any, str]]:
    """Each function that has routes: its name, its resolver, and the first paragraph of what it is."""
    for file in sorted((ROOT / "functions").glob("*/app.py")):
        module = importlib.import_module(f"functions.{file.parent.name}.app")
        if hasattr(module, "app"):
            first = inspect.cleandoc(module.__doc__ or "").split("\n\n")[0]
            yield file.parent.name, module.app(), " ".join(first.split()).partition(": ")[2]


def public_routes() -> set[tuple[str, str]]:
    """(method, path) of routes that the template lets anybody call, parameters' names left out."""
    template = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    events = [
        event["Properties"]
        for resource in template["Resources"].values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "HttpApi"
    ]
    return {
        (event["Method"].upper(), _shape(event["Path"]))
        for event in events
        if event.get("Auth", {}).get("Authorizer") == "NONE"
    }


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "{}", path)


def _from_docstring(route: Any, function: str) -> None:
    said = inspect.getdoc(route.func) or ""
    summary, _, description = said.partition("\n\n")
    route.summary = " ".join(summary.split()).removesuffix(".")
    route.description = " ".join(description.split()) or None
    route.tags = [function]
    module = route.func.__module__.rpartition(".")[2]
    route.operation_id = f"{function if module in ('app', 'routes') else module}_{route.func.__name__}"


def _operation(operation: dict[str, Any], public: bool) -> dict[str, Any]:
    if _is_powertools_own(operation["responses"].get("422")):
        del operation["responses"]["422"]
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", [])):
        operation["responses"].setdefault("404", NOTHING_OF_THAT_NAME)
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        plain = PARAMETERS.get(name, f"id of the {name.removesuffix('_id')}")
        if parameter["in"] == "path" and not parameter.get("description"):
            parameter["description"] = plain
    if public:
        operation["security"] = []
    return _without_titles(operation)


def _without_titles(schema: Any) -> Any:
    """Without the titles that pydantic makes of names, such as "Deployment Id"."""
    if isinstance(schema, dict):
        return {k: _without_titles(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}
    return [_without_titles(one) for one in schema] if isinstance(schema, list) else schema


def _is_powertools_own(response: Any) -> bool:
    """It describes its own 422 for input that is not valid; ours is 400."""
    return "HTTPValidationError" in json.dumps(response)


def main(arguments: list[str]) -> int:
    """0 when the file is as it should be, or was written."""
    made = text()
    record = json.dumps(PUBLISHED_SCHEMA, indent=1, sort_keys=True) + "\n"
    if "--check" in arguments:
        wanted = {FILE: made, RECORD: record}
        same = all(file.exists() and file.read_text(encoding="utf-8") == found for file, found in wanted.items())
        print("the API's description is up to date" if same else "the routes have changed: run make openapi")
        return 0 if same else 1
    FILE.write_text(made, encoding="utf-8")
    RECORD.write_text(record, encoding="utf-8")
    print(f"{FILE.relative_to(ROOT)}: {made.count('operationId')} operations")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
