"""From pictures to templates, in several processes: what one picture gives is a `Measured`.

The person meant is taken to be the face nearest to the picture's middle. A picture without a face found is cut at its
middle for verification, where leaving it out would flatter; for identification it is a failure to acquire.
"""

import hashlib
import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from proviso.domain.errors import Fault
from proviso.domain.face import Box, Face
from proviso.domain.frame import Image, Jpeg
from proviso.domain.ports import Pipeline
from proviso.domain.reasons import Reason, Refused
from proviso.evaluation.alteration import AS_IS, altered
from proviso.evaluation.cache import Cache
from proviso.evaluation.dataset import Picture

UNREADABLE = "unreadable"
NOT_MADE = "not_made"
_CHUNK = 12
# LFW's deep-funneled pictures: the face's square as a share of the side, where the set's makers placed it.
_LFW_SIDE = 250.0
_CENTRE_SIDE, _CENTRE_LEFT, _CENTRE_TOP = 112.0, 69.0, 62.0

Job = tuple[int, str]
"""A picture's index and an alteration."""
MakePipeline = Callable[[], Pipeline]
"""Builds a pipeline inside a worker process, so it must be picklable (a partial of a plain function)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the pipeline says of one picture. Reasons are "" where all is well.

    `failure`: why there is no face at all; `search`, `enrolment`: why the gate refuses the face. `vector` is the packed
    template (float32, little-endian), empty where there is none; after `no_face` it is that of the picture's middle.
    """

    failure: str
    faces: int
    face_px: float
    search: str
    enrolment: str
    vector: bytes = field(repr=False)


def measure(
    pictures: Sequence[Picture],
    jobs: Iterable[Job],
    *,
    make: MakePipeline,
    workers: int,
    cache: Cache | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[Job, Measured]:
    """Measure each job once: from the cache where it is known, else in `workers` processes (1: in this one).

    A file that cannot be read is a result like any other (`unreadable`). Fault when a worker dies.
    """
    wanted: dict[int, list[str]] = {}
    for number, alteration in jobs:
        wanted.setdefault(number, []).append(alteration)
    total = sum(map(len, wanted.values()))
    found: dict[Job, Measured] = {}
    todo: list[tuple[int, Path, tuple[str, ...]]] = []
    for number, alterations in wanted.items():
        rest = []
        for alteration in alterations:
            known = cache.get(pictures[number].digest, alteration) if cache else None
            if known is not None:
                found[number, alteration] = Measured(*known)
            else:
                rest.append(alteration)
        if rest:
            todo.append((number, pictures[number].path, tuple(rest)))
    progress(len(found), total)
    # Closed by name: whatever interrupts this loop, what the workers have not begun is called off.
    with closing(_parts(todo, make, workers)) as parts:
        for part in parts:
            found.update(part)
            if cache:
                cache.put_all(
                    (pictures[number].digest, alteration, result)
                    for (number, alteration), result in part.items()
                    if pictures[number].digest and result.failure != UNREADABLE
                )
            progress(len(found), total)
    return found


def _parts(
    todo: Sequence[tuple[int, Path, tuple[str, ...]]], make: MakePipeline, workers: int
) -> Generator[dict[Job, Measured], None, None]:
    chunks = [todo[at : at + _CHUNK] for at in range(0, len(todo), _CHUNK)]
    if workers < 2 or len(chunks) < 2:
        pipeline = make() if chunks else None
        for chunk in chunks:
            yield _chunk(chunk, pipeline)  # type: ignore[arg-type]  # there is one where there are chunks
        return
    # Fresh processes: a copy of one that has started threads (OpenCV, BLAS) can hang.
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(make,)) as pool:
        finished = False
        try:
            waiting = [pool.submit(_in_worker, chunk) for chunk in chunks]
            for done in as_completed(waiting):
                yield done.result()
            finished = True
        except BrokenProcessPool as error:
            raise Fault("a worker process died; try again with --workers 1") from error
        finally:
            if not finished:  # interrupted: nobody waits for what the workers have begun
                pool.shutdown(wait=False, cancel_futures=True)
                for worker in set(multiprocessing.active_children()) - others:
                    worker.terminate()
                    worker.join()


_pipeline: Pipeline | None = None


def _start(make: MakePipeline) -> None:
    global _pipeline
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _pipeline = make()


def _in_worker(chunk: Sequence[tuple[int, Path, tuple[str, ...]]]) -> dict[Job, Measured]:
    if _pipeline is None:
        raise Fault("the worker has no pipeline")
    return _chunk(chunk, _pipeline)


def _chunk(chunk: Sequence[tuple[int, Path, tuple[str, ...]]], pipeline: Pipeline) -> dict[Job, Measured]:
    return {
        (number, alteration): result
        for number, path, alterations in chunk
        for alteration, result in _one_picture(path, alterations, pipeline).items()
    }


def _one_picture(path: Path, alterations: Sequence[str], pipeline: Pipeline) -> dict[str, Measured]:
    try:
        data = path.read_bytes()
    except OSError:
        return dict.fromkeys(alterations, _failed(UNREADABLE))
    image = pipeline.decode(Jpeg(data))
    if isinstance(image, Refused):
        return dict.fromkeys(alterations, _failed(image.reason.value))
    results = {}
    faces = pipeline.detect(image)
    face = central_face(faces, image)
    seed = hashlib.sha256(data).digest()
    for alteration in alterations:
        if alteration == AS_IS:
            results[alteration] = _measured(pipeline, image, faces)
            continue
        changed = altered(image, face, alteration, seed)
        again = pipeline.decode(Jpeg(changed)) if changed is not None else Refused(Reason.NO_FACE)
        if isinstance(again, Refused):
            results[alteration] = _failed(NOT_MADE if changed is None else again.reason.value)
        else:
            results[alteration] = _measured(pipeline, again, pipeline.detect(again))
    return results


def _measured(pipeline: Pipeline, image: Image, faces: Sequence[Face]) -> Measured:
    face = central_face(faces, image)
    if face is None:
        vector = pipeline.templates(image, [_middle(image)])[0].packed
        return Measured(Reason.NO_FACE.value, 0, 0.0, Reason.NO_FACE.value, Reason.NO_FACE.value, vector)
    reasons = [gate.judge(face) for gate in (pipeline.search_gate, pipeline.enrolment_gate)]
    search, enrolment = ("" if reason is None else reason.value for reason in reasons)
    vector = pipeline.templates(image, [face])[0].packed
    return Measured("", len(faces), face.box.short_side, search, enrolment, vector)


def _failed(reason: str) -> Measured:
    return Measured(reason, 0, 0.0, reason, reason, b"")


def central_face(faces: Sequence[Face], image: Image) -> Face | None:
    """The face nearest to the picture's middle: sets of one person a picture mean that one."""

    def distance(face: Face) -> float:
        across = face.box.x + face.box.width / 2 - image.width / 2
        down = face.box.y + face.box.height / 2 - image.height / 2
        return across * across + down * down

    return min(faces, key=distance, default=None)


def _middle(image: Image) -> Face:
    """A face invented at the middle, for a picture in which none was found."""
    from proviso.vision.alignment import TEMPLATE
    from proviso.vision.quality import measure as measure_quality

    scale = min(image.width, image.height) / _LFW_SIDE
    left = (image.width - _LFW_SIDE * scale) / 2 + _CENTRE_LEFT * scale
    top = (image.height - _LFW_SIDE * scale) / 2 + _CENTRE_TOP * scale
    points = [(left + (5.6 + x * 0.9) * scale, top + (5.6 + y * 0.9) * scale) for x, y in TEMPLATE]
    box = Box(left, top, _CENTRE_SIDE * scale, _CENTRE_SIDE * scale)
    landmarks = (points[0], points[1], points[2], points[3], points[4])
    return Face(box, landmarks, 0.0, measure_quality(image.pixels, box, landmarks))
