"""What Amazon Rekognition asks for the same frames, as a yardstick: only its own calls and face storage.

Every call on an image is charged. SearchFacesByImage looks for the largest face of an image alone, so a frame with n
faces is DetectFaces and n calls on cuttings; one call a frame finds one face of it. Calls that search and calls that
detect are two groups, each with tiers of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from proviso.cli.cost.model import Scenario
from proviso.cli.cost.prices import Prices, Tier


@dataclass(frozen=True, slots=True)
class Rekognition:
    """Dollars a month. `all_faces`: DetectFaces for each frame and a search for each face; `largest_face`: one search a
    frame, which finds one person of it."""

    all_faces: float
    largest_face: float
    calls: float


def rekognition(scenario: Scenario, prices: Prices) -> Rekognition:
    """For the scenario's frames, each by itself."""
    frames = scenario.frames
    searches = frames * scenario.faces_share * scenario.faces
    stored = scenario.list_size * prices.face_month
    return Rekognition(
        all_faces=tiered(frames, prices.rekognition) + tiered(searches, prices.rekognition) + stored,
        largest_face=tiered(frames, prices.rekognition) + stored,
        calls=frames + searches,
    )


def tiered(calls: float, tiers: Sequence[Tier]) -> float:
    """Each call at the price of the tier that it falls into."""
    dollars, below = 0.0, 0.0
    for tier in tiers:
        if calls <= below:
            break
        dollars += (min(calls, tier.up_to) - below) * tier.price
        below = tier.up_to
    return dollars
