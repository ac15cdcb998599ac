"""S15 under attack: who can be told from an evidence picture, of the people whom the detector missed?

The attacker knows everything but the answer: where in the frame the missed face is, how large it is, who the candidate
is, and how the picture is made. So the own gallery of known people is made in the very same way, with the same
background and the same candidate: nothing but the missed face differs between two pictures. The same alignment is used
for everybody: true landmarks would tell who it is from the landmarks, not from the picture.

The people are LFW's with two or more pictures, in the order of their names, without those whom LFW's own errata or
looks make one person under two names. Every eighth (0, 8, ...) is out: the first mosaic was tuned on them. Of each
eight that follow, three are for tuning and four are held out.
"""

import csv
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cv2
import numpy as np
from scipy.stats import binomtest
from simplejpeg import encode_jpeg

from bench.vision_scenes import (
    SHARED,
    astronaut_jpeg,
    backdrop,
    hopper_jpeg,
    model_folders,
    placed,
    to_jpeg,
    to_pixels,
)
from proviso.domain.face import Box, Face
from proviso.domain.frame import Image
from proviso.vision.alignment import TEMPLATE, aligned_crop
from proviso.vision.evidence import JPEG_QUALITY, kept_region, view_region
from proviso.vision.pipeline import VisionPipeline, load_pipeline
from proviso.vision.quality import measure

LFW = SHARED / "faces" / "lfw"
ALIASES = SHARED / "faces" / "labels" / "identity_aliases.csv"
TURNS = {"tuning": (1, 2, 3), "held out": (4, 5, 6, 7)}

# LFW's deep-funneled pictures (250x250) have the face in one place; means over 800 people by the default detector.
FACE_MIDDLE, FACE_WIDTH = (126.0, 127.0), 94.0
LANDMARKS = ((103.9, 112.9), (146.8, 112.3), (125.8, 137.7), (107.4, 157.8), (144.7, 157.4))
FACE_OVAL = (48, 62)
"""Half axes of the oval that is cut out: a face from hairline to chin. The rest of the picture stays out, because two
press photographs of one occasion share their background."""

PIXELS_ACROSS = 48
"""Larger places are compared at this width."""


@cache
def people(part: str) -> tuple[tuple[bytes, ...], ...]:
    """The pictures of each person of a part, in the order of the files; the first is the gallery's."""
    with ALIASES.open(newline="", encoding="utf-8") as stream:
        pairs = [(row["id_a"], row["id_b"]) for row in csv.DictReader(stream)]
    twice = {name for pair in pairs if all(one.startswith("lfw/") for one in pair) for name in pair}
    folders = [folder for folder in sorted(LFW.iterdir()) if len(list(folder.glob("*.jpg"))) >= 2]
    chosen = [one for at, one in enumerate(folders) if at % 8 in TURNS[part] and f"lfw/{one.name}" not in twice]
    return tuple(tuple(path.read_bytes() for path in sorted(one.glob("*.jpg"))[:4]) for one in chosen)


@dataclass(frozen=True)
class Place:
    """Where the missed face is: its middle and the width of its box, in pixels of the frame; behind the candidate, or
    before her."""

    name: str
    x: float
    y: float
    width: float
    before: bool = False

    @property
    def landmarks(self) -> list[tuple[float, float]]:
        factor = self.width / FACE_WIDTH
        return [(self.x + (x - FACE_MIDDLE[0]) * factor, self.y + (y - FACE_MIDDLE[1]) * factor) for x, y in LANDMARKS]

    def bounds(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the cut-out oval, inside a frame of this size."""
        factor = self.width / FACE_WIDTH
        left, top = self.x - 50 * factor, self.y - 63 * factor
        right, bottom = self.x + 50 * factor, self.y + 66 * factor
        return max(0, int(left)), max(0, int(top)), min(width, int(right) + 2), min(height, int(bottom) + 2)


# Outlines of the two candidates in their photographs: head with hair or cap, ears, neck and shoulders.
HOPPER = (
    *((175, 80), (200, 50), (225, 27), (270, 25), (310, 45), (345, 65), (358, 90), (370, 110), (371, 170), (377, 190)),
    *((372, 225), (362, 245), (360, 280), (352, 305), (335, 340), (400, 365), (490, 395), (511, 430), (511, 599)),
    *((10, 599), (25, 470), (45, 400), (120, 365), (197, 340), (195, 310), (170, 285), (162, 265), (160, 240)),
    *((150, 205), (158, 180), (172, 160), (160, 110)),
)
ASTRONAUT = (
    *((190, 35), (220, 17), (260, 18), (290, 40), (300, 75), (302, 100), (295, 120), (272, 130), (266, 150)),
    *((258, 168), (300, 220), (320, 245), (345, 265), (357, 309), (40, 309), (55, 270), (110, 225), (115, 190)),
    *((150, 155), (180, 150), (186, 160), (180, 130), (165, 118), (152, 95), (158, 65)),
)


@dataclass
class Scene:
    """A frame with a candidate, into which a missed face is set at one or several places (the same picture at each).
    It stands behind the candidate's outline, or before all of her but the oval of the face."""

    pipeline: VisionPipeline
    ground: Any
    outline: Any
    places: Sequence[Place]
    alone: Face = field(init=False)
    _behind: Any = field(init=False)
    _before: Any = field(init=False)
    _known: dict[bytes, Any] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        height, width = self.ground.shape[:2]
        (self.alone,) = self.pipeline.detect(Image(self.ground, width, height))
        box = self.alone.box
        across = (np.arange(width) + 0.5 - box.x - box.width / 2) / (box.width / 2)
        down = (np.arange(height) + 0.5 - box.y - box.height / 2) / (box.height / 2)
        self._before = across[None, :] ** 2 + down[:, None] ** 2 > 1.0
        person = cv2.fillPoly(np.zeros((height, width), np.uint8), [np.round(self.outline).astype(np.int32)], 1)
        self._behind = self._before & (person == 0)

    def frame(self, picture: bytes) -> Image:
        """The frame with the face of this LFW picture at each place, through the camera's JPEG: its blocks carry a
        little of each pixel to its neighbours."""
        source, out = to_pixels(picture), self.ground.copy()
        height, width = out.shape[:2]
        for place in self.places:
            left, top, right, bottom = place.bounds(width, height)
            factor = place.width / FACE_WIDTH
            smaller = min(1.0, factor)  # a warp alone skips pixels where a picture shrinks
            reduced = cv2.resize(source, None, fx=smaller, fy=smaller, interpolation=cv2.INTER_AREA)
            across, down = place.x - FACE_MIDDLE[0] * factor - left, place.y - FACE_MIDDLE[1] * factor - top
            moved = np.array([[factor / smaller, 0.0, across], [0.0, factor / smaller, down]])
            patch = cv2.warpAffine(reduced, moved, (right - left, bottom - top), borderMode=cv2.BORDER_REPLICATE)
            across = (np.arange(left, right) + 0.5 - place.x) / (FACE_OVAL[0] * factor)
            down = (np.arange(top, bottom) + 0.5 - place.y) / (FACE_OVAL[1] * factor)
            inside = across[None, :] ** 2 + down[:, None] ** 2 <= 1.0
            inside &= (self._before if place.before else self._behind)[top:bottom, left:right]
            out[top:bottom, left:right][inside] = patch[inside]
        return Image(to_pixels(encode_jpeg(out, quality=85, colorspace="BGR", colorsubsampling="420")), width, height)

    def template(self, shown: Any, place: Place) -> Any:
        """The template (128) at the place, whose alignment is everybody's. Equal crops are embedded once."""
        crop = aligned_crop(shown, place.landmarks)
        key = crop.tobytes()
        if key not in self._known:
            face = Face(Box(0, 0, 112, 112), TEMPLATE, 1.0, measure(crop, Box(0, 0, 112, 112), TEMPLATE))
            (template,) = self.pipeline.templates(Image(crop, 112, 112), [face])
            self._known[key] = np.frombuffer(template.packed, "<f4")
        return self._known[key]

    def candidate(self, image: Image) -> Face | None:
        """The candidate as the detector sees her in this very frame; None when it does not."""
        found = [face for face in self.pipeline.detect(image) if _shared(face.box, self.alone.box) > 0.6]
        return max(found, key=lambda face: _shared(face.box, self.alone.box), default=None)


def _shared(one: Box, two: Box) -> float:
    """Area in both over area in either."""
    across = min(one.x + one.width, two.x + two.width) - max(one.x, two.x)
    down = min(one.y + one.height, two.y + two.height) - max(one.y, two.y)
    both = max(0.0, across) * max(0.0, down)
    return both / (one.area + two.area - both)


# --- pictures that may be attacked: the frame and the candidate in it to pixels of the frame's own size ---

Picture = Callable[[Image, Face], Any]


def through_jpeg(pixels: Any) -> Any:
    whole = np.ascontiguousarray(pixels)
    return to_pixels(encode_jpeg(whole, quality=JPEG_QUALITY, colorspace="BGR", colorsubsampling="444"))


def evidence(pipeline: VisionPipeline) -> Picture:
    """The evidence picture, at its place in the frame."""

    def made(image: Image, candidate: Face) -> Any:
        shown = to_pixels(pipeline.evidence(image, candidate, []).jpeg.data)
        left, top, right, bottom = view_region(
            kept_region(candidate.box, image.width, image.height), image.width, image.height
        )
        out = np.zeros((image.height, image.width, 3), np.uint8)
        out[top:bottom, left:right] = shown
        return out

    return made


def frame_itself(image: Image, candidate: Face) -> Any:
    return through_jpeg(image.pixels)


WITHOUT_CANDIDATE: set[Picture] = {frame_itself}


def mosaic(cells: int, step: int = 64, margin: float | None = None) -> Picture:
    """What was tried and given up: the frame in grey cells, and the candidate's box with a margin of a quarter of its
    side, at most `margin` pixels (None: no part of the frame keeps its pixels)."""

    def made(image: Image, candidate: Face) -> Any:
        cell = max(image.width, image.height) / cells
        across, down = max(1, round(image.width / cell)), max(1, round(image.height / cell))
        grey = cv2.cvtColor(cv2.resize(image.pixels, (across, down), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        grey = (grey // step * step + step // 2).astype(np.uint8)
        large = cv2.resize(grey, (image.width, image.height), interpolation=cv2.INTER_NEAREST)
        out = cv2.cvtColor(large, cv2.COLOR_GRAY2BGR)
        return through_jpeg(out if margin is None else _with_box(out, image, candidate.box, margin))

    if margin is None:
        WITHOUT_CANDIDATE.add(made)
    return made


def box_only(margin: float) -> Picture:
    """Nothing of the surroundings, but the whole box with a margin."""

    def made(image: Image, candidate: Face) -> Any:
        return through_jpeg(_with_box(np.full_like(image.pixels, 96), image, candidate.box, margin))

    return made


def _with_box(out: Any, image: Image, box: Box, margin: float) -> Any:
    across, down = min(box.width / 4, margin), min(box.height / 4, margin)
    part = (
        slice(max(0, int(box.y - down)), int(box.y + box.height + down) + 1),
        slice(max(0, int(box.x - across)), int(box.x + box.width + across) + 1),
    )
    out[part] = image.pixels[part]
    return out


# --- the attack ---


@dataclass(frozen=True)
class Reading:
    """What an attacker takes from one picture: at each place a template (128) and the pixels, and the box."""

    templates: tuple[Any, ...]
    pixels: tuple[Any, ...]
    box: tuple[int, int, int, int]


def read(scene: Scene, picture: bytes, make: Picture) -> Reading | None:
    """None where the candidate is not found in the frame: then there is no evidence picture. (She is not looked for
    where the picture does not depend on her.)"""
    image = scene.frame(picture)
    candidate = scene.candidate(image) if make not in WITHOUT_CANDIDATE else scene.alone
    if candidate is None:
        return None
    shown = make(image, candidate)
    templates, pixels = [], []
    for place in scene.places:
        templates.append(scene.template(shown, place))
        left, top, right, bottom = place.bounds(image.width, image.height)
        part = shown[top:bottom, left:right]
        if right - left > PIXELS_ACROSS:
            down = round((bottom - top) * PIXELS_ACROSS / (right - left))
            part = cv2.resize(part, (PIXELS_ACROSS, down), interpolation=cv2.INTER_AREA)
        pixels.append(part)
    return Reading(tuple(templates), tuple(pixels), kept_region(candidate.box, image.width, image.height))


def read_all(
    scene: Scene, everybody: Sequence[Sequence[bytes]], make: Picture, *, pictures: int, workers: int = 2
) -> list[list[Reading]]:
    """Readings of the first `pictures` pictures of each person, without people of whom fewer than two can be read."""
    with ThreadPoolExecutor(workers) as pool:
        read_one = [[pool.submit(read, scene, one, make) for one in person[:pictures]] for person in everybody]
        found = [[reading for one in person if (reading := one.result()) is not None] for person in read_one]
    return [person for person in found if len(person) >= 2]


@dataclass(frozen=True)
class Found:
    """What an attack found. `ranks`: of each probe, how many strangers are more alike to it than its own person; ties
    are broken at random. `first`, `tenth`, `half`: how many probes have their person first, among the first ten, in
    the better half of the gallery. `auc`: the chance that somebody's own picture is more alike than a stranger's."""

    ranks: Any
    gallery: int
    auc: float

    @property
    def probes(self) -> int:
        return len(self.ranks)

    @property
    def first(self) -> int:
        return self.within(1)

    def within(self, places: int) -> int:
        return int((self.ranks < places).sum())

    def interval(self, places: int, confidence: float = 0.95) -> tuple[float, float]:
        """Clopper and Pearson's exact interval of the share of probes within so many places."""
        found = binomtest(self.within(places), self.probes).proportion_ci(confidence, method="exact")
        return float(found.low), float(found.high)

    def at_chance(self, places: int, confidence: float = 0.95) -> bool:
        """Whether the exact interval holds the share that tossing a coin would give."""
        low, high = self.interval(places, confidence)
        return low <= places / self.gallery <= high

    def __str__(self) -> str:
        said = []
        for places in (1, 10, self.gallery // 2):
            low, high = self.interval(places)
            share, marked = self.within(places) / self.probes, "" if self.at_chance(places) else " *"
            by_chance = places / self.gallery
            said.append(f"rank {places}: {share:.1%} [{low:.1%}, {high:.1%}]{marked} by chance {by_chance:.1%}")
        return f"AUC {self.auc:.3f}; {self.probes} probes, {self.gallery} people; {'; '.join(said)}"


def found(alike: Any, owner: Any, seed: int = 1) -> Found:
    """`alike` (probes, gallery), `owner` (probes): the index of each probe's own person in the gallery."""
    own = alike[np.arange(len(alike)), owner][:, None]
    above, tied = (alike > own).sum(axis=1), (alike == own).sum(axis=1) - 1
    ranks = above + np.random.default_rng(seed).integers(0, tied + 1)
    return Found(ranks, alike.shape[1], 1.0 - float((above + tied / 2).mean()) / (alike.shape[1] - 1))


def attacks(readings: Sequence[Sequence[Reading]], place: int) -> dict[str, Found]:
    """By the embedder, by the pixels of the place, and by the box that the candidate has beside this bystander."""
    gallery = [person[0] for person in readings]
    probes = [(at, one) for at, person in enumerate(readings) for one in person[1:]]
    owner = np.array([at for at, _ in probes])

    def stacked(take: Callable[[Reading], Any]) -> tuple[Any, Any]:
        return (
            np.array([take(one) for _, one in probes], np.float64).reshape(len(probes), -1),
            np.array([take(one) for one in gallery], np.float64).reshape(len(gallery), -1),
        )

    one, many = stacked(lambda reading: reading.templates[place])
    by = {"template": found(one @ many.T, owner)}
    for name, take in (("pixels", lambda reading: reading.pixels[place]), ("box", lambda reading: reading.box)):
        one, many = stacked(take)
        middle = many.mean(axis=0)
        by[name] = found(nearness(one - middle, many - middle), owner)
    return by


def nearness(one: Any, many: Any) -> Any:
    """Minus the squared distance of each row to each row. What is equal is exactly 0, so that ties stay ties."""
    squared = (one * one).sum(axis=1)[:, None] + (many * many).sum(axis=1)[None, :] - 2.0 * one @ many.T
    return -np.where(squared < 1e-3, 0.0, squared)


# --- the scenes ---

SIZES = {"720p": (1280, 720), "360p": (640, 360), "1080p": (1920, 1080)}
KINDS = ("open", "beside", "around", "close", "touching")


def scene(pipeline: VisionPipeline, size: str, *kinds: str) -> Scene:
    """A frame of 1280x720, 640x360 or 1920x1080 with one candidate (a face of 90, 47 or 177 px), and missed faces of
    these kinds: in the open, behind her on both sides, above and before the chin, in the corner and in what was the
    margin of her box, and cheek by jowl as no two heads can be."""
    width, height = SIZES[size]
    photograph, outline, x, y, scale = {
        "720p": (hopper_jpeg(), HOPPER, 60, 120, 0.5),
        "360p": (to_jpeg(to_pixels(astronaut_jpeg())[:310], quality=95), ASTRONAUT, 60, 60, 0.5),
        "1080p": (hopper_jpeg(), HOPPER, 200, 150, 1.0),
    }[size]
    ground = placed(backdrop(width, height), photograph, x, y, scale)
    person = np.array(outline) * scale + (x, y)
    box = Scene(pipeline, ground, person, ()).alone.box
    return Scene(pipeline, ground, person, [place for kind in kinds for place in _places(kind, box, width, height)])


def _places(kind: str, box: Box, width: int, height: int) -> list[Place]:
    right, bottom = box.x + box.width, box.y + box.height
    middle_x, middle_y = box.x + box.width / 2, box.y + box.height / 2
    return {
        "open": [
            Place("small", width * 0.42, height * 0.2, 0.025 * width),
            Place("middling", width * 0.45, height * 0.6, 0.1 * width),
            Place("very close", width * 0.78, height * 0.5, 0.21 * width),
        ],
        "beside": [
            Place("behind, left", box.x - 0.05 * box.width, middle_y, box.width),
            Place("behind, at the ear", right + 0.12 * box.width, middle_y, 0.5 * box.width),
        ],
        "around": [
            Place("behind, above", middle_x, box.y - 0.1 * box.height, 0.8 * box.width),
            Place("before the chin", middle_x + 0.2 * box.width, bottom + 0.2 * box.height, 0.8 * box.width, True),
        ],
        "close": [
            Place("in the corner", right - 0.06 * box.width, box.y + 0.04 * box.height, 0.24 * box.width, True),
            Place("in the margin", right + 8, middle_y + 10, 14, True),
        ],
        "touching": [Place("behind a head without hair or ears", box.x, middle_y, box.width, True)],
    }[kind]


def main() -> None:
    """`python bench/vision_bystanders.py "tuning" 2 "evidence;mosaic 24" "720p;360p"`: people of which part, how many
    pictures of each, which kinds of picture, which sizes of frame (all where the last two are left out). Without any:
    the held-out people, two pictures of each, at 720p, the picture as it is and the frame itself beside it."""
    part, pictures, *chosen = sys.argv[1:] or ["held out", "2", "evidence;frame", "720p"]
    pipeline = load_pipeline("mobilefacenet", folders=model_folders(), threads=1)
    makers: dict[str, Picture] = {
        "evidence": evidence(pipeline),
        "frame": frame_itself,
        "mosaic 8": mosaic(8),
        "mosaic 24": mosaic(24),
        "mosaic 8, margin 16": mosaic(8, margin=16),
        "mosaic 4": mosaic(4),
        "mosaic 3": mosaic(3),
        "mosaic 2": mosaic(2),
        "mosaic 4, two greys": mosaic(4, 128),
        "one grey": mosaic(1, 1),
        "margin 16": box_only(16),
        "margin 4": box_only(4),
        "box": box_only(0),
    }
    wanted = chosen[0].split(";") if chosen else list(makers)
    sizes = chosen[1].split(";") if len(chosen) > 1 else list(SIZES)
    for size in sizes:
        for kind in KINDS:
            set_up = scene(pipeline, size, kind)
            for which in wanted:
                readings = read_all(set_up, people(part), makers[which], pictures=int(pictures))
                for at, place in enumerate(set_up.places):
                    for how, result in attacks(readings, at).items():
                        print(f"{which} | {size}, {place.name} | {how} | {result}", flush=True)


if __name__ == "__main__":
    main()
