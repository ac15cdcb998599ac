"""What routes answer, as the API's description names it: one shape for refusals, and how a route says which it gives.

These models describe and are checked by tests; they alter nothing that goes out. A route says what it gives and why it
may refuse, `responses=gives(Watchlist, Reason.NOT_FOUND)`, and what every route may answer is added here.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from proviso.domain.reasons import SENTENCES, Reason
from proviso.edge.http import RETRY_AFTER_S, STATUS


class Answer(BaseModel):
    """Nothing goes out that is not described."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


Moment = AwareDatetime


class Refusal(Answer):
    """Why something was refused. Final: the same request is refused again until something else changes."""

    reason: Reason = Field(description="from the closed list of reasons")
    message: str = Field(description="what was wrong and what to do, for people")


class NotSignedIn(BaseModel):
    """No valid token. The gateway answers without a reason, a function with one."""

    model_config = ConfigDict(defer_build=True)
    message: str
    reason: Reason | None = Field(default=None, description="absent where the gateway answers")


class Fault(BaseModel):
    """Something failed that should not. Look at what stands before you rely on it."""

    model_config = ConfigDict(defer_build=True)
    message: str
    reason: str | None = Field(default=None, description="`fault`; absent where the gateway answers")


class Later(BaseModel):
    """Nothing was refused: the database wakes or a store failed. The same request again, after Retry-After."""

    model_config = ConfigDict(defer_build=True)
    message: str
    reason: str | None = Field(
        default=None, description="`database_away` or `storage_fault`; absent where the gateway answers"
    )


Responses = dict[int, Any]

_FOR_ALL: Responses = {
    500: {"description": "A fault, and not a refusal", "content": {"application/json": {"model": Fault}}},
    503: {
        "description": "The database is resuming, or a store failed: ask again",
        "content": {"application/json": {"model": Later}},
        "headers": {
            "Retry-After": {
                "description": f"seconds to wait, {RETRY_AFTER_S} here; absent where the gateway answers",
                "schema": {"type": "integer", "minimum": 0},
            }
        },
    },
}
_SIGNED_IN = (Reason.NOT_SIGNED_IN, Reason.ROLE_MISSING)


def gives(
    answer: Any,
    *reasons: Reason,
    status: int | tuple[int, ...] = 200,
    what: str = "",
    roles: bool = True,
    public: bool = False,
) -> Responses:
    """Responses of one route: a model, media types of bytes, or "" for none yet; why it may refuse; what all share.

    `roles` is False where any account may (stop), `public` where no account is asked for.
    """
    if isinstance(answer, str | tuple):
        kinds = (answer,) if isinstance(answer, str) else answer
        said, content = (
            what or "The picture",
            {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds},
        )
    else:
        said, content = what or _first_sentence(answer.__doc__), {"application/json": {"model": answer}}
    codes = _several(status) if answer else ()
    good: Responses = {code: {"description": said, "content": content} for code in codes}
    common = [] if public else [Reason.NOT_SIGNED_IN] if not roles else list(_SIGNED_IN)
    return good | _refusals([Reason.INVALID, *common, *reasons]) | _FOR_ALL


def _refusals(reasons: Iterable[Reason]) -> Responses:
    by_status: dict[int, list[Reason]] = {}
    for reason in dict.fromkeys(reasons):
        by_status.setdefault(STATUS.get(reason, 422), []).append(reason)
    return {
        status: {
            "description": "; ".join(f"`{reason.value}`: {SENTENCES[reason]}" for reason in found),
            "content": {"application/json": {"model": NotSignedIn if status == 401 else Refusal}},
        }
        for status, found in sorted(by_status.items())
    }


def _several(status: int | tuple[int, ...]) -> tuple[int, ...]:
    return (status,) if isinstance(status, int) else status


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "The answer").split()).partition(". ")[0].removesuffix(".")
