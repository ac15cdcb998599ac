"""The API's routes as AWS has them, held against the description that was committed: does one lack, is one open?

API Gateway imports routes from a document, and what it does not understand it can leave out, authorizers too.
"""

import json
import re
from collections.abc import Iterable
from importlib.resources import files

from proviso.cli.account.finding import Finding, attention, ok, wrong
from proviso.cli.account.stack import Account, Stack

_NAMED = 5


def routes(account: Account, stack: Stack) -> Finding:
    """One line: how many there are; or the worst that was found."""
    part = stack.one("Api")
    if part is None:
        return wrong("routes", "the stack has no Api", "sam deploy")
    pages = account.client("apigatewayv2").get_paginator("get_routes").paginate(ApiId=part.id)
    deployed = {
        _shape(route["RouteKey"]): route.get("AuthorizationType") == "JWT" for page in pages for route in page["Items"]
    }
    described = _described()
    open_ones = [key for key, signed in deployed.items() if not signed and described.get(key, True)]
    if open_ones:
        how = "proviso stop-all, then sam deploy; docs/operations.md#when-it-fails"
        return wrong("routes", f"answered to anybody, signed in or not: {_names(open_ones)}", how)
    if lacking := described.keys() - deployed.keys():
        how = "sam deploy what this checkout builds; docs/operations.md#when-it-fails"
        return wrong("routes", f"{len(lacking)} of {len(described)} are not there: {_names(lacking)}", how)
    if closed := [key for key, signed in described.items() if not signed and deployed[key]]:
        return wrong("routes", f"ask for a sign-in and should not: {_names(closed)}", "sam deploy")
    if unknown := deployed.keys() - described.keys():
        how = "git pull, or deploy this checkout"
        return attention("routes", f"{len(unknown)} that this checkout does not know: {_names(unknown)}", how)
    return ok("routes", f"{len(deployed)}, of which {sum(deployed.values())} ask for a sign-in")


def _described() -> dict[str, bool]:
    """By route: does it ask for a sign-in?"""
    document = json.loads((files("proviso.edge") / "openapi.json").read_text(encoding="utf-8"))
    return {
        _shape(f"{method.upper()} {path}"): bool(operation.get("security", document["security"]))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def _shape(route: str) -> str:
    """Without the names of what stands in it, which the template and the description choose for themselves."""
    return re.sub(r"\{[^}]*\}", "{}", route)


def _names(routes: Iterable[str]) -> str:
    named = sorted(routes)
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return ", ".join(named[:_NAMED]) + more
