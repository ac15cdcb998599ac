"""Bursts: two to five frames of one camera, taken within a second and uploaded as one object (rule 10).

The faces of its frames are put together into tracks, one a person, first by where they are (here) and then by how alike
they are (match). One track is one face in the counts and one probe in the search. Nothing is put together across
uploads: no template outlives the call.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from proviso.domain.face import Box, Face

MOST_FRAMES = 5
"""How many frames an upload holds at most, whatever a deployment asks for."""

LONGEST_BURST_S = 1.0
"""First to last frame. The camera answers for it: an upload carries the time of its first frame only."""

MIN_OVERLAP = 0.2
MAX_GROWTH = 1.5
REACH = 0.5


@dataclass(frozen=True, slots=True)
class FrameFace:
    """A face in one of an upload's frames, counted from 0."""

    frame: int
    face: Face


@dataclass(frozen=True, slots=True)
class FrameBox:
    """A region in one of an upload's frames, counted from 0."""

    frame: int
    box: Box


Track = tuple[FrameFace, ...]
"""The faces taken for one person's, at most one a frame, in the order of the frames."""


def associate(frames: Sequence[Sequence[Face]]) -> list[Track]:
    """The faces of successive frames as tracks, the one with the largest face first. Each face is in exactly one.

    Between a frame and the next, the pairs that overlap most are joined first, one to one. Boxes are grown by half
    their sides each way, because between two frames of a burst somebody who walks across moves by about a face's
    width: two equal boxes still meet at 1.3 widths. A face that changes its side by more than half is another one. The
    answer depends on nothing but the faces: ties go to the face that stands first in its frame.
    """
    tracks: list[list[FrameFace]] = []
    before: list[int] = []  # the track of each face of the frame before
    for number, faces in enumerate(frames):
        joined = _joined([tracks[track][-1].face for track in before], faces)
        now = []
        for index, face in enumerate(faces):
            if index in joined:
                track = before[joined[index]]
                tracks[track].append(FrameFace(number, face))
            else:
                track = len(tracks)
                tracks.append([FrameFace(number, face)])
            now.append(track)
        before = now
    return sorted((tuple(track) for track in tracks), key=lambda track: -max(one.face.box.area for one in track))


def _joined(before: Sequence[Face], faces: Sequence[Face]) -> dict[int, int]:
    """Which face of this frame goes on from which of the frame before: index to index."""
    pairs = []
    for old, one in enumerate(before):
        for new, other in enumerate(faces):
            overlap = overlap_of(one.box, other.box)
            if overlap >= MIN_OVERLAP and _growth(one.box, other.box) <= MAX_GROWTH:
                pairs.append((-overlap, old, new))
    taken: dict[int, int] = {}
    gone: set[int] = set()
    for _, old, new in sorted(pairs):
        if old not in gone and new not in taken:
            gone.add(old)
            taken[new] = old
    return taken


def overlap_of(one: Box, other: Box) -> float:
    """Intersection over union (0..1) of the two boxes, each grown by half its sides in every direction."""
    a, b = _grown(one), _grown(other)
    across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if across <= 0.0 or down <= 0.0:
        return 0.0
    shared = across * down
    return shared / (a.area + b.area - shared)


def _grown(box: Box) -> Box:
    across, down = REACH * box.width, REACH * box.height
    return Box(box.x - across, box.y - down, box.width + 2 * across, box.height + 2 * down)


def _growth(one: Box, other: Box) -> float:
    """How many times larger the one short side is than the other; endless where one has none."""
    small, large = sorted((one.short_side, other.short_side))
    return large / small if small > 0.0 else float("inf")


def best(faces: Sequence[FrameFace]) -> FrameFace:
    """The one to show a person: the sharpest of those that are nearly as large as the largest; the first of equals."""
    enough = 0.8 * max(one.face.box.area for one in faces)
    return max((one for one in faces if one.face.box.area >= enough), key=lambda one: one.face.quality.sharpness)
