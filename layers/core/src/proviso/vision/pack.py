"""What a model pack is: its files and their hashes, its licences, its geometry, and the digest of its pipeline.

Kept apart from all code that touches pixels, and within the standard library, so that a function without numpy (the
one that governs deployments) can still say which pipeline a permit names.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from proviso.domain.canonical import digest
from proviso.domain.errors import ConfigurationFault
from proviso.domain.face import QualityGate

VISION_VERSION = "3"
"""Raise it with each change to this wing that moves similarities; every reference must then be enrolled again."""

DECODING = "libjpeg-turbo islow, fancy upsampling, BGR, EXIF orientation honoured"
ALIGNMENT = "Umeyama similarity to ArcFace 112x112, bilinear, area-averaged below half scale"
FUSION = "normalised mean; within one burst only, every two at the track similarity or above"

PACKS = ("mobilefacenet", "sface", "dlib")
CLEARANCES = ("yes", "no", "unknown")
_GATE_FIELDS = tuple(QualityGate.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class PackFile:
    """One file of a pack. `urls` may be empty; `package` and `package_path` name the Python package that carries it."""

    role: str
    name: str
    sha256: str
    size: int
    urls: tuple[str, ...]
    urls_checked: bool
    package: str
    package_path: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A pack as its manifest states it. Decimal figures stay text, because the digest is taken over the text.

    `demo_threshold` is a cosine similarity for demonstrations without calibration and for nothing else.
    `track_similarity` is the least at which two faces of one burst may be one person's: below it they are not fused.
    """

    name: str
    title: str
    code_licence: str
    weights_licence: str
    training_data: str
    terms: str
    cleared_for_operational_use: str
    dimension: int
    precision: str
    fusion: str
    demo_threshold: str
    demo_threshold_basis: str
    track_similarity: str
    detector: Mapping[str, str]
    embedder: Mapping[str, str]
    gates: Mapping[str, Mapping[str, str]]
    files: tuple[PackFile, ...]

    def file(self, role: str) -> PackFile:
        """The file of a role. KeyError when the pack has none."""
        for each in self.files:
            if each.role == role:
                return each
        raise KeyError(f"the pack {self.name} has no file for {role}")

    def gate(self, use: str) -> QualityGate:
        """The quality gate for a use: `search` or `enrolment`."""
        return QualityGate(**{field: float(self.gates[use][field]) for field in _GATE_FIELDS})


@cache
def load_manifest(name: str) -> Manifest:
    """Read the manifest of a pack by name. ConfigurationFault for a name that is none, or a manifest that is wrong."""
    if name not in PACKS:
        raise ConfigurationFault(f"there is no model pack {name!r}; choose one of {', '.join(PACKS)}")
    text = resources.files("proviso.vision").joinpath("packs", f"{name}.toml").read_text("utf-8")
    return parse_manifest(tomllib.loads(text))


def parse_manifest(data: Mapping[str, Any]) -> Manifest:
    """Build a manifest from parsed TOML. ConfigurationFault when something is missing or of the wrong kind."""
    try:
        pack = data["pack"]
        if pack["cleared_for_operational_use"] not in CLEARANCES:
            raise ConfigurationFault(f"cleared_for_operational_use must be one of {', '.join(CLEARANCES)}")
        gates = {use: {field: _decimal(data["gates"][use][field]) for field in _GATE_FIELDS} for use in _USES}
        return Manifest(
            name=pack["name"],
            title=pack["title"],
            code_licence=pack["code_licence"],
            weights_licence=pack["weights_licence"],
            training_data=pack["training_data"],
            terms=pack["terms"],
            cleared_for_operational_use=pack["cleared_for_operational_use"],
            dimension=int(pack["dimension"]),
            precision=pack["precision"],
            fusion=pack["fusion"],
            demo_threshold=_decimal(pack["demo_threshold"]),
            demo_threshold_basis=pack["demo_threshold_basis"],
            track_similarity=_decimal(data["tracks"]["min_similarity"]),
            detector={key: str(value) for key, value in data["detector"].items()},
            embedder={key: str(value) for key, value in data["embedder"].items()},
            gates=gates,
            files=tuple(_file(each) for each in data["files"]),
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise ConfigurationFault(f"the model manifest is not complete: {wrong}") from wrong


def pipeline_digest(manifest: Manifest) -> str:
    """SHA-256 (hexadecimal) over all that moves similarities: files as run, rules, gates, fusion, this wing's version.

    Licences, addresses and the demonstration threshold are left out: they change nothing that is computed.
    """
    return digest(
        {
            "vision": VISION_VERSION,
            "decoding": DECODING,
            "alignment": ALIGNMENT,
            "files": {each.role: each.sha256 for each in manifest.files},
            "detector": dict(manifest.detector),
            "embedder": dict(manifest.embedder),
            "gates": {use: dict(gate) for use, gate in manifest.gates.items()},
            "precision": manifest.precision,
            "fusion": manifest.fusion,
            "fusing": FUSION,
            "track_similarity": manifest.track_similarity,
            "dimension": manifest.dimension,
        }
    )


_USES = ("search", "enrolment")


def _decimal(value: Any) -> str:
    """Decimal text as written in the manifest; ValueError when it is no number, TypeError when it is not text."""
    if not isinstance(value, str):
        raise TypeError("decimal figures are written as text in a manifest")
    float(value)
    return value


def _file(data: Mapping[str, Any]) -> PackFile:
    sha256 = str(data["sha256"])
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError(f"{data['name']} has no SHA-256 in hexadecimal")
    return PackFile(
        role=data["role"],
        name=data["name"],
        sha256=sha256,
        size=int(data["size"]),
        urls=tuple(data.get("urls", ())),
        urls_checked=bool(data.get("urls_checked", False)),
        package=data.get("package", ""),
        package_path=data.get("package_path", ""),
    )
