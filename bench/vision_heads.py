"""How much of what an oval or a box keeps is not the candidate? Portraits with their background cut away (GrabCut).

A missed face stands in that part. The portraits are the congress set of ../shared/faces. GrabCut takes some hair for
background, so the shares are a little too high.
"""

import sys
from typing import Any

import cv2
import numpy as np

from bench.vision_scenes import SHARED, model_folders
from proviso.domain.face import Box
from proviso.domain.frame import Image, Jpeg
from proviso.vision.evidence import kept_oval, kept_region
from proviso.vision.pipeline import VisionPipeline, load_pipeline

WIDTH, HEIGHT = 300, 360
FACE_HEIGHT, MIDDLE = 120.0, 150.0


def portrait(pipeline: VisionPipeline, jpeg: bytes) -> tuple[Any, Box, float] | None:
    """The portrait with the face's box 120 px high at (150, 150), that box, and how far the head is turned (yaw)."""
    image = pipeline.decode(Jpeg(jpeg))
    faces = pipeline.detect(image) if isinstance(image, Image) else []
    if len(faces) != 1 or not isinstance(image, Image):
        return None
    box, scale = faces[0].box, FACE_HEIGHT / faces[0].box.height
    shift = (MIDDLE - scale * (box.x + box.width / 2), MIDDLE - scale * (box.y + box.height / 2))
    moved = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    pixels = cv2.warpAffine(image.pixels, moved, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    across = box.width * scale
    return pixels, Box(MIDDLE - across / 2, MIDDLE - FACE_HEIGHT / 2, across, FACE_HEIGHT), faces[0].quality.yaw


def oval(box: Box, share: float) -> Any:
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    return ((across - MIDDLE) / (box.width / 2 * share)) ** 2 + ((down - MIDDLE) / (box.height / 2 * share)) ** 2 <= 1


def rectangle(box: Box, margin: float) -> Any:
    down, across = np.abs(np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5 - MIDDLE)
    return (across <= box.width / 2 + margin) & (down <= box.height / 2 + margin)


def as_kept(box: Box) -> Any:
    """What the evidence picture keeps."""
    kept, out = kept_region(box, WIDTH, HEIGHT), np.zeros((HEIGHT, WIDTH), bool)
    out[kept[1] : kept[3], kept[0] : kept[2]] = kept_oval(box, kept)
    return out


def person(pixels: Any, box: Box) -> Any:
    """The person without the background, bool. Sure are the middle of the face and the chest below it."""
    marks = np.full((HEIGHT, WIDTH), cv2.GC_PR_BGD, np.uint8)
    marks[oval(box, 1.35)] = cv2.GC_PR_FGD
    marks[240:, 60:240] = cv2.GC_PR_FGD
    marks[oval(box, 0.85)] = cv2.GC_FGD
    marks[300:, 110:190] = cv2.GC_FGD
    marks[:25] = marks[:180, :25] = marks[:180, -25:] = cv2.GC_BGD
    cv2.setRNGSeed(1)
    cv2.grabCut(pixels, marks, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    found = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((5, 5)))
    return cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((9, 9))) > 0


def main() -> None:
    """`python bench/vision_heads.py 3`: every third portrait."""
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    pipeline = load_pipeline("mobilefacenet", folders=model_folders(), threads=2)
    shares: dict[str, list[float]] = {}
    for path in sorted((SHARED / "faces" / "us_congress").glob("*/*portrait0.jpg"))[::step]:
        found = portrait(pipeline, path.read_bytes())
        if found is None or abs(found[2]) > 0.45:  # the pack's search gate
            continue
        pixels, box, _ = found
        background = ~person(pixels, box)
        kept = {f"oval {share}": oval(box, share) for share in (0.85, 0.9, 0.95, 1.0, 1.1, 1.2)}
        kept |= {f"box, margin {margin:.0f} px": rectangle(box, margin) for margin in (0.0, 4.0, 16.0)}
        for name, mask in {"as kept": as_kept(box), **kept}.items():
            shares.setdefault(name, []).append(float(background[mask].mean()))
    for name, values in shares.items():
        share = np.array(values)
        print(
            f"{name:20s} {len(share)} portraits; background in what is kept: mean {share.mean():.2%}, "
            f"more than 1 % for {(share > 0.01).mean():.0%} of people, more than 5 % for {(share > 0.05).mean():.0%}"
        )


if __name__ == "__main__":
    main()
