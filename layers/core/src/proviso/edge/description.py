"""The API's description as it was committed: openapi.json beside this module, made by scripts/openapi.py.

Served from the package, so that what a deployment says of itself is what its own code was tested against.
"""

from importlib.resources import files

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict

FILE = "openapi.json"
_KEPT_S = 300


class Description(BaseModel):
    """This very document."""

    model_config = ConfigDict(extra="allow", defer_build=True)
    openapi: str


def description() -> Response[str]:
    """The document. Anybody may keep it for some minutes: it changes with a new release only."""
    text = (files("proviso.edge") / FILE).read_text(encoding="utf-8")
    return Response(200, "application/json", text, headers={"Cache-Control": f"public, max-age={_KEPT_S}"})
