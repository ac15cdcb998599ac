"""Frames as cameras in a hall might send them: made from two photographs and a drawn hall, the same for each seed.

Each frame knows what must become of it, so that the demonstration can hold the ledger against it.
"""

from dataclasses import dataclass
from typing import Any

from proviso.cli.demo.photographs import Portrait, astronaut, hopper

WIDTH, HEIGHT = 1280, 720
NORTH, SOUTH, OUTSIDE = "hall-north", "hall-south", "yard"

CANDIDATE = "searched: candidate"
NONE = "searched: none"
NO_FACE = "no_face"
NO_PERMIT = "refused: no_permit"
BAD_KEY = "refused: bad_key"
STALE = "stale"
TRUNCATED = "unreadable: truncated"
TOO_MANY_PIXELS = "unreadable: too_many_pixels"
NOT_AN_IMAGE = "unreadable: not_an_image"
WRONG_TYPE = "unreadable: wrong_type"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a frame: who, the width of the face and the place of its middle in pixels, and how they appear."""

    who: str
    face_px: int
    x: int
    y: int
    mirrored: bool = False
    turned_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """One frame before it is encoded. `light` multiplies, `gamma` bends (below 1: brighter), `noise` in grey levels."""

    name: str
    camera: str
    expected: str
    people: tuple[Person, ...] = ()
    light: float = 1.0
    gamma: float = 1.0
    noise: float = 3.0
    quality: int = 85
    spoiled: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.name}.jpg"


def scenes(smallest_face_px: int) -> tuple[Scene, ...]:
    """What the two cameras of the deployment see, in their order. Faces that must be found are at least so large."""

    def face(px: int) -> int:
        return max(px, smallest_face_px)

    h, a = "hopper", "astronaut"
    return (
        Scene("n1-empty", NORTH, NO_FACE),
        Scene("n2-listed", NORTH, CANDIDATE, (Person(h, face(120), 420, 330),), quality=85),
        Scene("n3-listed-dark", NORTH, CANDIDATE, (Person(h, face(100), 800, 320, True),), light=0.62, quality=75),
        Scene("n4-passer-by", NORTH, NONE, (Person(a, face(110), 610, 300),), quality=80),
        Scene("n5-both", NORTH, CANDIDATE, (Person(h, face(105), 330, 330), Person(a, face(90), 900, 310))),
        Scene("n6-truncated", NORTH, TRUNCATED, (Person(h, 120, 500, 330),), spoiled="truncated"),
        Scene("n7-listed-far", NORTH, CANDIDATE, (Person(h, face(62), 700, 300),), gamma=0.8, noise=2.0, quality=88),
        Scene("n8-too-far", NORTH, NO_FACE, (Person(a, 22, 640, 330),)),
        Scene("s1-empty-dark", SOUTH, NO_FACE, light=0.45, noise=6.0, quality=60),
        Scene(
            "s2-listed-near", SOUTH, CANDIDATE, (Person(h, face(220), 560, 400, False, 4.0),), light=1.12, quality=95
        ),
        Scene("s3-passer-by-dark", SOUTH, NONE, (Person(a, face(84), 300, 330),), light=0.66, quality=70),
        Scene("s4-passer-by-near", SOUTH, NONE, (Person(a, face(160), 860, 360, True),), gamma=0.8, quality=90),
        Scene("s5-pixel-bomb", SOUTH, TOO_MANY_PIXELS, spoiled="pixel bomb"),
        Scene("s6-both", SOUTH, CANDIDATE, (Person(a, face(140), 330, 350), Person(h, face(80), 960, 320, True))),
        Scene("s7-no-picture", SOUTH, NOT_AN_IMAGE, spoiled="no picture"),
        Scene("s8-listed-coarse", SOUTH, CANDIDATE, (Person(h, face(130), 700, 330, False, -5.0),), quality=60),
    )


def outside_scene() -> Scene:
    """A camera that no deployment lists: even the listed person is not searched there."""
    return Scene("x1-other-camera", OUTSIDE, NO_PERMIT, (Person("hopper", 140, 640, 340),))


def late_scene() -> Scene:
    """From a camera whose clock is slow: by its capture time the frame is too old to be of use."""
    return Scene("x2-too-old", NORTH, STALE, (Person("hopper", 140, 500, 340),))


class Studio:
    """Draws scenes. Holds the portraits and the empty halls, so that each is made once."""

    def __init__(self, seed: int = 7) -> None:
        self.seed = seed
        self._portraits: dict[str, Portrait] = {"hopper": hopper(), "astronaut": astronaut()}
        self._halls: dict[str, Any] = {}

    def pixels(self, scene: Scene) -> Any:
        """The frame as BGR uint8, 720x1280x3."""
        import numpy as np

        if scene.camera not in self._halls:
            self._halls[scene.camera] = _hall(scene.camera, self.seed)
        frame = self._halls[scene.camera].astype(np.float32)
        for person in scene.people:
            _place(frame, self._portraits[person.who], person)
        frame = 255.0 * np.power(np.clip(frame / 255.0, 0.0, 1.0), scene.gamma) * scene.light
        grain = np.random.default_rng([self.seed, *scene.name.encode()]).normal(0.0, scene.noise, (HEIGHT, WIDTH, 1))
        return np.clip(frame + grain, 0, 255).astype(np.uint8)

    def jpeg(self, scene: Scene) -> bytes:
        """The frame as the camera sends it, spoiled where the scene says so."""
        import cv2

        if scene.spoiled == "no picture":
            return b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8
        _, data = cv2.imencode(".jpg", self.pixels(scene), [cv2.IMWRITE_JPEG_QUALITY, scene.quality])
        whole = bytes(data.tobytes())
        if scene.spoiled == "truncated":
            return whole[: len(whole) * 2 // 5]
        if scene.spoiled == "pixel bomb":
            return _claiming(whole, 60000, 60000)
        return whole


def _claiming(jpeg: bytes, width: int, height: int) -> bytes:
    """The same bytes with another size in the start-of-frame header: a small file that claims a huge picture."""
    at = jpeg.index(b"\xff\xc0") + 5  # marker, length (2), precision (1), then height and width
    return jpeg[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + jpeg[at + 4 :]


def _hall(camera: str, seed: int) -> Any:
    """An empty hall: wall, floor, pillars, doors, a lamp's glow. Nothing in it looks like a face."""
    import cv2
    import numpy as np

    random = np.random.default_rng([seed, *camera.encode()])
    down, across = (axis.astype(np.float32) for axis in np.mgrid[0:HEIGHT, 0:WIDTH])
    horizon = 470
    wall = 150 - 40 * (down / HEIGHT) + 18 * np.cos(across / WIDTH * 3 + random.uniform(0, 6))
    floor = 70 + 60 * (down - horizon) / (HEIGHT - horizon)
    grey = np.where(down < horizon, wall, floor)
    tint = np.array(random.uniform(0.9, 1.08, 3), np.float32)
    hall = np.ascontiguousarray(np.clip(grey[..., None] * tint, 0, 255))
    for x in range(int(random.integers(20, 140)), WIDTH, 310):
        shade = float(random.uniform(95, 125))
        cv2.rectangle(hall, (x, 40), (x + 46, horizon + 30), (shade, shade * 0.98, shade * 0.95), -1)
        cv2.rectangle(hall, (x + 38, 40), (x + 46, horizon + 30), (shade * 0.7,) * 3, -1)
    for x in range(int(random.integers(90, 200)), WIDTH - 150, 420):
        cv2.rectangle(hall, (x, 170), (x + 110, horizon), (84, 92, 104), -1)
        cv2.rectangle(hall, (x, 170), (x + 110, horizon), (58, 62, 70), 3)
        cv2.line(hall, (x + 96, 320), (x + 96, 345), (180, 186, 190), 4)
    for x in range(-WIDTH, 2 * WIDTH, 170):
        cv2.line(hall, (WIDTH // 2 + (x - WIDTH // 2) // 3, horizon), (x, HEIGHT), (86, 88, 92), 2, cv2.LINE_AA)
    glow = np.exp(-(((across - random.uniform(300, 900)) / 260) ** 2) - ((down - 20) / 120) ** 2)
    return cv2.GaussianBlur(np.clip(hall + 70 * glow[..., None], 0, 255), (0, 0), 1.2)


def _place(frame: Any, portrait: Portrait, person: Person) -> None:
    """Set a portrait into the frame (float BGR, changed in place) with feathered edges."""
    import cv2
    import numpy as np

    scale = person.face_px / portrait.face_px
    pixels = portrait.pixels[:, ::-1] if person.mirrored else portrait.pixels
    rule = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    cut: Any = cv2.resize(np.ascontiguousarray(pixels), None, fx=scale, fy=scale, interpolation=rule).astype(np.float32)
    height, width = cut.shape[:2]
    edge: Any = np.minimum.outer(_ramp(height), _ramp(width))
    if person.turned_deg:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), person.turned_deg, 1.0)
        cut = cv2.warpAffine(cut, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        edge = cv2.warpAffine(edge, turn, (width, height))
    left, top = person.x - width // 2, person.y - height // 2
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + width, WIDTH), min(top + height, HEIGHT)
    inner = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    weight = edge[inner][..., None]
    frame[y0:y1, x0:x1] = frame[y0:y1, x0:x1] * (1 - weight) + cut[inner] * weight


def _ramp(length: int) -> Any:
    """1 in the middle, falling to 0 over the outer twelfth."""
    import numpy as np

    feather = max(length // 12, 2)
    at = np.arange(length, dtype=np.float32)
    return np.clip(np.minimum(at, length - 1 - at) / feather, 0.0, 1.0)
