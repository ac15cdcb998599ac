"""The public record over HTTP (S32): as JSON, CSV and pages, for anybody, to be kept by anybody."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from functions.report import answers
from proviso.domain.reasons import Reason, Refused
from proviso.domain.record_schema import PUBLISHED_SCHEMA
from proviso.edge.answers import Responses, gives
from proviso.edge.http import answer, refusal, routes
from proviso.publication.gallery import gallery_page
from proviso.publication.markup import headers, style
from proviso.publication.record_page import record_page
from proviso.publication.tables import record_csv
from proviso.stages import published
from proviso.wiring import records as wiring

router = routes()
HTML, CSV, JSON = "text/html", "text/csv", "application/json"
SOON = "public, max-age=300"
"""How long what may change is kept: a list, a page, and what is the latest."""
FINAL = "public, max-age=31536000, immutable"
KINDS = {"html": HTML, "csv": CSV, "json": JSON}

After = Annotated[int, Query(ge=0, le=1_000_000, description="how many to leave out, as `next_after` says")]
Limit = Annotated[int, Query(ge=1, le=published.MOST_LISTED, description="how many at most")]


def _in_every_form(found: Responses) -> Responses:
    """The same, as a page and as a table too."""
    text = {"schema": {"type": "string"}}
    found[200]["content"] |= {HTML: text, CSV: text}
    return found


@router.get("/records", responses=gives(answers.Records, public=True))
def listing(after: After = 0, limit: Limit = published.MOST_LISTED) -> Response[Any]:
    """Show which records are published, newest first, page by page."""
    found = published.listing(shelf=wiring.shelf(), after=after, limit=limit)
    values = {"records": list(found.records), "total": found.total, "next_after": found.next_after}
    return answer(200, values, headers(JSON, SOON))


@router.get("/records/index.html", responses=gives(HTML, public=True, what="The page"))
def overview() -> Response[Any]:
    """Show all published records on a page, with the tables of groups."""
    shelf = wiring.shelf()
    index = published.index(shelf=shelf)
    made = gallery_page(
        index["records"],
        published.all_groups(shelf=shelf, names=index["groups"]),
        address=lambda one: f"{one['deployment']}/latest.html",
        files=[("as JSON", "../records"), ("groups as JSON", "groups"), ("the schema", "schema.json")],
    )
    return _text(HTML, made, SOON)


@router.get("/records/schema.json", responses=gives(answers.Schema, public=True))
def schema() -> Response[Any]:
    """Show what a record may hold, as JSON Schema."""
    return answer(200, PUBLISHED_SCHEMA, headers(JSON, SOON))


@router.get("/records/groups", responses=gives(answers.Groups, public=True))
def groups() -> Response[Any]:
    """Show the tables of groups, over batches of deployments in which no small cell can be worked out."""
    shelf = wiring.shelf()
    names = published.index(shelf=shelf)["groups"]
    return answer(200, {"groups": published.all_groups(shelf=shelf, names=names)}, headers(JSON, SOON))


@router.get("/records/<deployment_id>", responses=gives(answers.Record, Reason.NOT_FOUND, public=True))
def record(deployment_id: str) -> Response[Any]:
    """Show the latest record of one deployment."""
    return _shown(deployment_id, published.LATEST, "json")


@router.get(
    "/records/<deployment_id>/<document>",
    responses=_in_every_form(gives(answers.Record, Reason.NOT_FOUND, public=True)),
)
def revision(deployment_id: str, document: str) -> Response[Any]:
    """Show one revision of a record: its number or `latest`, and `.json`, `.html` or `.csv`.

    What was published under a number never changes.
    """
    name, _, form = document.rpartition(".")
    return _shown(deployment_id, name, form)


def _shown(deployment_id: str, name: str, form: str) -> Response[Any]:
    if form not in KINDS:
        return refusal(Refused(Reason.NOT_FOUND, "record"))
    found = published.show(shelf=wiring.shelf(), deployment_id=deployment_id, revision=name)
    if isinstance(found, Refused):
        return refusal(found)
    kept = SOON if name == published.LATEST else FINAL
    if form == "json":
        return _text(JSON, found.body.decode(), kept)
    if form == "csv":
        return _text(CSV, record_csv([found.record]), kept)
    return _text(HTML, record_page(found.record, files=_files(found)), SOON)


def _files(found: published.ShownRecord) -> list[tuple[str, str]]:
    number = found.record["revision"]
    others = [(f"revision {one}", f"{one}.html") for one in found.revisions if one != number]
    forms = [("as JSON", f"{number}.json"), ("as CSV", f"{number}.csv")]
    return [("all records", "../index.html"), *forms, *others]


def _text(kind: str, text: str, kept: str) -> Response[Any]:
    named = JSON if kind == JSON else f"{kind}; charset=utf-8"
    return Response(200, named, text, headers=headers(kind, kept, style("record.css")))
