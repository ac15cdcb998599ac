"""What a public record, a table of groups and the index may hold, and nothing else: JSON Schema, and a check against
it.

The check knows the few words of JSON Schema 2020-12 that are used here. Everything is closed (additionalProperties
false), so a field that somebody adds to a record is refused before it is published, and again before it is shown.
"""

import re
from collections.abc import Mapping
from typing import Any

from proviso.domain.record import ACTIONS, FORMAT, RESULTS, STATES

GROUPS_FORMAT = "proviso-groups/1"
INDEX_FORMAT = "proviso-records/1"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def _closed(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _list(items: Schema, most: int = 1000) -> Schema:
    return {"type": "array", "items": items, "maxItems": most}


_TEXT: Schema = {"type": "string", "maxLength": 4000}
_WORD: Schema = {"type": "string", "maxLength": 200}
_NAME: Schema = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MOMENT: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
_DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_PROPORTION: Schema = {"type": "string", "pattern": r"^(0(\.\d+)?|1)$"}
_THRESHOLD: Schema = {"type": "string", "pattern": r"^-?\d(\.\d+)?$"}
_RATE = _closed(figure=_WORD, count=_COUNT, of=_COUNT, low=_PROPORTION, high=_PROPORTION, unit=_WORD)
_WHO = _closed(role={"enum": ["requester", "authoriser"]}, rank=_or_null(_WORD))


def _counts(*names: str) -> Schema:
    return _closed(**dict.fromkeys(names, _COUNT))


RECORD_SCHEMA: Schema = {
    "$schema": _DRAFT,
    "title": "The public record of one deployment",
    **_closed(
        format={"const": FORMAT},
        demonstration=_or_null(_WORD),
        deployment=_NAME,
        revision={"type": "integer", "minimum": 1},
        published_at=_MOMENT,
        changes=_list(_TEXT, 200),
        figures={"enum": ["final", "outcomes may still come in"]},
        operator=_closed(kind=_WORD, name=_TEXT),
        place=_TEXT,
        premises=_WORD,
        use=_WORD,
        times=_closed(
            starts_at=_MOMENT,
            ends_at=_MOMENT,
            started_at=_or_null(_MOMENT),
            finished_at=_or_null(_MOMENT),
            closed_at=_MOMENT,
        ),
        legal_basis=_TEXT,
        policy_document=_TEXT,
        policy=_closed(name=_WORD, version=_WORD, title=_TEXT, extends=_WORD, differences=_list(_TEXT), digest=_DIGEST),
        cameras=_COUNT,
        requested=_WHO,
        authorised={**_or_null(_WHO)},
        notice=_closed(
            published_at=_or_null(_MOMENT),
            publication_attested_at=_or_null(_MOMENT),
            waived_at=_or_null(_MOMENT),
            signage_attested_at=_or_null(_MOMENT),
        ),
        list=_closed(
            entries=_COUNT,
            references=_COUNT,
            built_at=_MOMENT,
            age_at_start_minutes=_or_null(_COUNT),
            by_category=_or_null(_list(_closed(category=_WORD, entries=_COUNT))),
            by_group={"const": "not recorded"},
        ),
        search=_closed(
            threshold=_THRESHOLD,
            pipeline=_WORD,
            pack=_or_null(_WORD),
            frames_an_upload={"type": "integer", "minimum": 1},
            software_build=_WORD,
            calibration=_or_null(_closed(id=_WORD, kind=_WORD, made_at=_MOMENT, remark=_TEXT)),
        ),
        faces=_closed(
            detected=_COUNT,
            refused_by_quality=_COUNT,
            searched=_COUNT,
            not_searched=_COUNT,
            passages={"const": "not measured"},
            passages_expected=_COUNT,
        ),
        frames=_closed(
            searched=_COUNT,
            not_searched=_list(_closed(outcome=_WORD, reason=_WORD, frames=_COUNT)),
            remark=_TEXT,
        ),
        candidates=_counts("total", *STATES),
        truth=_counts("true", "false", "not_engaged", "unconfirmed", "not_recorded", "open"),
        outcomes=_counts(*RESULTS),
        actions=_counts(*ACTIONS),
        rates=_list(_RATE, 50),
        caveat=_TEXT,
        stops=_closed(stopped_before_its_end={"type": "boolean"}, suspensions=_or_null(_COUNT)),
        deletion=_closed(
            verified_at=_MOMENT,
            stores=_list(_closed(store=_WORD, left={"const": 0})),
            pictures_held=_COUNT,
            backups_expire_at=_MOMENT,
            backups_expired_at=_or_null(_MOMENT),
        ),
        audit=_closed(chain=_NAME, sequence=_COUNT, hash=_DIGEST),
    ),
}

_CELL = _closed(groups=_list(_WORD, 20), truth=_list(_WORD, 3), count={"type": "integer", "minimum": 10})
GROUPS_SCHEMA: Schema = {
    "$schema": _DRAFT,
    "title": "Tables of groups over one batch of deployments",
    **_closed(
        format={"const": GROUPS_FORMAT},
        demonstration=_or_null(_WORD),
        batch=_NAME,
        operator=_closed(kind=_WORD, name=_TEXT),
        number={"type": "integer", "minimum": 1},
        published_at=_MOMENT,
        deployments=_list(_NAME, 100_000),
        totals=_counts("true", "false", "other"),
        tables=_list(_closed(axis=_WORD, cells=_list(_CELL, 100), withheld={"type": "boolean"}), 10),
        remark=_TEXT,
    ),
}

_ENTRY = _closed(
    deployment=_NAME,
    revision={"type": "integer", "minimum": 1},
    digest=_DIGEST,
    published_at=_MOMENT,
    figures=_WORD,
    demonstration=_or_null(_WORD),
    operator=_TEXT,
    place=_TEXT,
    use=_WORD,
    started_at=_or_null(_MOMENT),
    faces_searched=_COUNT,
    candidates=_COUNT,
    false_candidates=_COUNT,
)
INDEX_SCHEMA: Schema = {
    "$schema": _DRAFT,
    "title": "All published records, newest first",
    **_closed(format={"const": INDEX_FORMAT}, records=_list(_ENTRY, 1_000_000), groups=_list(_NAME, 1_000_000)),
}

PUBLISHED_SCHEMA: Schema = RECORD_SCHEMA | {"$defs": {"groups": GROUPS_SCHEMA, "index": INDEX_SCHEMA}}
"""All three in one document, as it is published: the record, and beside it the groups and the index."""


def schema_fault(value: Any, schema: Mapping[str, Any], at: str = "") -> str | None:
    """The first thing in which a value differs from a schema, by its place; None when it is as described."""
    where = at or "the document"
    if "const" in schema:
        same = value == schema["const"] and type(value) is type(schema["const"])
        return None if same else f"{where} is not {schema['const']!r}"
    if "enum" in schema:
        return None if value in schema["enum"] else f"{where} is none of its {len(schema['enum'])} words"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(_is(value, kind) for kind in kinds):
        return f"{where} is no {' or '.join(kinds)}"
    if isinstance(value, str):
        return _text_fault(value, schema, where)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{where} is less than {schema['minimum']}" if value < schema.get("minimum", value) else None
    if isinstance(value, list):
        if len(value) > schema["maxItems"]:
            return f"{where} has more than {schema['maxItems']} items"
        faults = (schema_fault(item, schema["items"], f"{at}[{place}]") for place, item in enumerate(value))
        return next((fault for fault in faults if fault), None)
    if isinstance(value, dict):
        return _object_fault(value, schema, at)
    return None


def _object_fault(value: Mapping[str, Any], schema: Mapping[str, Any], at: str) -> str | None:
    known = schema["properties"]
    if unknown := sorted(set(value) - set(known)):
        return f"{at or 'the document'} holds {unknown[0]!r}, which is not described"
    if missing := sorted(set(schema["required"]) - set(value)):
        return f"{at or 'the document'} lacks {missing[0]!r}"
    faults = (schema_fault(value[name], known[name], f"{at}.{name}".lstrip(".")) for name in sorted(value))
    return next((fault for fault in faults if fault), None)


def _text_fault(value: str, schema: Mapping[str, Any], where: str) -> str | None:
    if len(value) > schema.get("maxLength", len(value)):
        return f"{where} is longer than {schema['maxLength']} characters"
    if "pattern" in schema and not re.search(schema["pattern"].removesuffix("$") + r"\Z", value):
        return f"{where} has another form than described"
    return None


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)
