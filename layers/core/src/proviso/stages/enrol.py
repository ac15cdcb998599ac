"""enrol: one picture of a listed person becomes a reference, or is rejected with the reason (S10).

The picture is kept beside its reference, because a reviewer must see whom the machine means; both go together (S23).
The picture is stored before the row commits, and the list is held while both happen: a crash between the two leaves a
picture without a row, which the deletion of the list, coming after, removes with its prefix.

The same picture for the same entry and pipeline is answered with the reference that is there: it is asked for before
any vision work, and again while the list is held, so that two who send it at once make one reference.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from proviso.domain.face import Face, Quality, QualityGate, Template
from proviso.domain.frame import Image, Jpeg, Region
from proviso.domain.govern_ports import GovernStore
from proviso.domain.people import Principal, Role
from proviso.domain.ports import Clock, PictureStore, Pipeline
from proviso.domain.reasons import Reason, Refused
from proviso.domain.subject_ports import SubjectKeys
from proviso.domain.subjects import subject_act
from proviso.domain.watchlist import Reference, enrolment_key
from proviso.stages.subjects import sealed


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An accepted picture: its reference's id, and the measures of the face in it.

    `quality` is None where the picture was enrolled before: it is not measured again.
    """

    reference_id: str
    quality: Quality | None

    @property
    def already(self) -> bool:
        return self.quality is None


def enrol(
    *,
    principal: Principal,
    watchlist_id: str,
    entry_id: str,
    picture: Jpeg,
    pipeline: Pipeline,
    pictures: PictureStore,
    store: GovernStore,
    subjects: SubjectKeys,
    clock: Clock,
    new_id: Callable[[], str],
) -> Enrolled | Refused:
    """Enrol one picture. Refusals are recorded with their reason, so that failures to enrol can be counted.

    Sending the same bytes again changes nothing and gives the same reference. A refused picture is judged and counted
    each time: nothing of it is kept that could be compared, but a keyed hash in the audit tells the repetitions apart.
    """
    if refused := principal.needs(Role.WATCHLIST_OFFICER):
        return refused
    image_digest = hashlib.sha256(picture.data).hexdigest()
    with store.work() as work:
        entry = work.entry(watchlist_id, entry_id)
        if entry is None or entry.removed_at is not None:
            return Refused(Reason.NOT_FOUND, "entry")
        known = work.reference_of(entry_id, image_digest, pipeline.digest)
    if known is not None:
        return Enrolled(known, None)
    prepared = one_face(picture, pipeline, pipeline.enrolment_gate)
    if isinstance(prepared, Refused):
        said = sealed(subjects, watchlist_id, entry_id, {"entry": entry_id, "image": image_digest})
        refusal = {
            "watchlist": watchlist_id,
            "reason": prepared.reason.value,
            "picture": said.mark,
            "pipeline": pipeline.digest,
        }
        with store.work() as work:
            work.audit(subject_act(clock(), principal.sub, "enrolment_refused", said, refusal))
        return prepared
    template, quality, face = prepared.template(pipeline), prepared.face.quality, prepared.region
    reference_id = new_id()
    details = {"entry": entry_id, "reference": reference_id, "image": image_digest}
    said = sealed(subjects, watchlist_id, entry_id, details)
    image_key = enrolment_key(watchlist_id, entry_id, reference_id)
    with store.work() as work:
        listed = work.entry(watchlist_id, entry_id) if work.watchlist(watchlist_id, lock=True) else None
        if listed is None or listed.removed_at is not None:
            return Refused(Reason.NOT_FOUND, "entry: it was removed meanwhile")
        known = work.reference_of(entry_id, image_digest, template.pipeline)
        if known is not None:  # another request was quicker; the list is held, so nobody else can be
            return Enrolled(known, None)
        pictures.put(image_key, picture)
        work.add_reference(
            Reference(
                id=reference_id,
                entry_id=entry_id,
                watchlist_id=watchlist_id,
                template=template,
                image_key=image_key,
                image_digest=image_digest,
                added_by=principal.sub,
                added_at=clock(),
                face=face,
            )
        )
        enrolled = {"watchlist": watchlist_id, "pipeline": template.pipeline}
        work.audit(subject_act(clock(), principal.sub, "reference_enrolled", said, enrolled))
    return Enrolled(reference_id, quality)


@dataclass(frozen=True, slots=True)
class OneFace:
    """A picture with exactly one face in it, which a gate let through."""

    image: Image
    face: Face

    @property
    def region(self) -> Region:
        """Where the face is in the picture."""
        return self.face.box.region(0, 0, self.image.width, self.image.height)

    def template(self, pipeline: Pipeline) -> Template:
        """Its template, computed now."""
        return pipeline.templates(self.image, [self.face])[0]


def one_face(picture: Jpeg, pipeline: Pipeline, gate: QualityGate) -> OneFace | Refused:
    """The one face of a picture, or why there is none that may be used."""
    image = pipeline.decode(picture)
    if isinstance(image, Refused):
        return image
    faces = pipeline.detect(image)
    if not faces:
        return Refused(Reason.NO_FACE)
    if len(faces) > 1:
        return Refused(Reason.SEVERAL_FACES, f"{len(faces)} faces")
    if reason := gate.judge(faces[0]):
        return Refused(reason)
    return OneFace(image, faces[0])
