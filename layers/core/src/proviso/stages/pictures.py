"""Which of a candidate's pictures is meant, and where it lies: the same for whoever may look."""

from collections.abc import Sequence
from dataclasses import dataclass

from proviso.domain.frame import Jpeg
from proviso.domain.ports import PictureStore
from proviso.domain.reasons import Reason, Refused
from proviso.domain.review_ports import ShownReference


@dataclass(frozen=True, slots=True)
class Chosen:
    """A picture that somebody is about to look at. `name` is for the audit: "evidence", or a reference by its place
    among the candidate's, since its id would name a listed person (S30)."""

    source: PictureStore
    key: str
    name: str

    def get(self) -> Jpeg | Refused:
        """The picture; NOT_FOUND when it is deleted."""
        if not self.key:
            return Refused(Reason.NOT_FOUND, "picture: it is deleted")
        return self.source.get(self.key) or Refused(Reason.NOT_FOUND, "picture")


def choose(
    reference_id: str | None,
    *,
    evidence: PictureStore,
    evidence_key: str,
    enrolment: PictureStore,
    references: Sequence[ShownReference],
) -> Chosen | Refused:
    """The evidence picture (reference_id None), or one of the references."""
    if reference_id is None:
        return Chosen(evidence, evidence_key, "evidence")
    for place, reference in enumerate(references, 1):
        if reference.id == reference_id:
            return Chosen(enrolment, reference.key, f"reference {place}")
    return Refused(Reason.NOT_FOUND, "reference of this candidate")
