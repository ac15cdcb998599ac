"""What a snapshot holds of each function (SnapStart): its modules, its models, what AWS services are; and how all else
is let go. Only the functions that load models are ever started from one.

The models run once on a made-up picture. So the memory that they work in is in the snapshot too, and what a first run
computes is computed.
"""

from importlib import import_module

import proviso.wiring as wiring
from proviso import settings

_WIDTH, _HEIGHT = 1280, 720
_SERVICES = {
    "detect": ("s3", "dynamodb", "sqs"),
    "match": ("s3", "dynamodb"),
    "enrol": ("s3", "dynamodb"),
}
_MODULES = {
    "detect": ("stages.detect", "cloud.frames", "cloud.ledger", "cloud.permits", "cloud.queues"),
    "match": (
        "stages.match",
        "cloud.changes",
        "cloud.frames",
        "cloud.ledger",
        "cloud.outbox",
        "cloud.permits",
        "cloud.pictures",
        "cloud.tokens",
        "store.search",
    ),
    "enrol": ("cloud.pictures", "cloud.subjects", "cloud.tokens", "store.govern", "store.pairs"),
}


def detect() -> None:
    """What detect shares."""
    _modules("detect")
    _warm(wiring._read(settings.Detect), finds=True, embeds=False)


def match() -> None:
    """What match shares."""
    _modules("match")
    _warm(wiring._read(settings.Match), finds=False, embeds=True)


def enrol() -> None:
    """What enrol shares."""
    _modules("enrol")
    _warm(wiring._read(settings.Enrol), finds=True, embeds=True)


def forget() -> None:
    """Let go of everything that was read or made but the pipelines: settings, rooms, clients, connections."""
    from proviso.cloud import clients

    for made in (wiring._detect_parts, wiring._match_room, wiring.enrol, wiring._read):
        made.cache_clear()
    clients.forget()


def _modules(function: str) -> None:
    from proviso.cloud import clients

    for name in _MODULES[function]:
        import_module(f"proviso.{name}")
    clients.prepare(*_SERVICES[function])


def _warm(read: settings.Vision, *, finds: bool, embeds: bool) -> None:
    """Load the models and run each once, on a picture of nothing."""
    import simplejpeg

    from proviso.domain.face import Box, Face, Quality
    from proviso.domain.frame import Image, Jpeg

    pipeline = wiring._pipeline(read.proviso_pack, read.proviso_models)
    import numpy as np

    picture = np.full((_HEIGHT, _WIDTH, 3), 127, np.uint8)
    image = pipeline.decode(Jpeg(simplejpeg.encode_jpeg(picture, colorspace="BGR")))
    if not isinstance(image, Image):
        raise TypeError(f"a made-up picture was refused: {image}")
    if finds:
        pipeline.detect(image)
    if embeds:
        landmarks = ((600.0, 320.0), (680.0, 320.0), (640.0, 370.0), (610.0, 410.0), (670.0, 410.0))
        face = Face(Box(560.0, 250.0, 160.0, 220.0), landmarks, 1.0, Quality(80.0, 1.0, 127.0, 0.0, 0.0, 1.0))
        pipeline.templates(image, [face])
