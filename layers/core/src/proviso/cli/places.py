"""Where things are on this machine: the checkout, the data folder, the model files.

The command line is the one part that reads the environment for itself; functions are told by wiring.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from proviso.domain.errors import ConfigurationFault
from proviso.vision.locate import Progress, find_files, locate, verify
from proviso.vision.pack import Manifest, load_manifest

_NETWORK_TIMEOUT_S = 8.0
DEFAULT_PACK = "mobilefacenet"
SMALLEST_FACE_PX = {"dlib": 100}
"""HOG finds no face below about 80 px at 1280 wide; the others find far smaller ones."""


def checkout() -> Path:
    """The folder with template.yaml: the working folder or one above it, else where this package was installed from.

    ConfigurationFault when there is none: the local cloud reads the template, so it needs the checkout.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if (folder / "template.yaml").is_file() and (folder / "functions").is_dir():
            return folder
    raise ConfigurationFault("there is no template.yaml here or above; run this inside the checkout of Proviso")


def data_folder(root: Path) -> Path:
    """Where the local cloud keeps what it needs: PROVISO_DATA, else .proviso in the checkout."""
    named = os.environ.get("PROVISO_DATA", "").strip()
    return Path(named).expanduser() if named else root / ".proviso"


def user_folder() -> Path:
    """The data folder where there is no checkout: PROVISO_DATA, else the user's own, after the XDG base directory rule;
    never the working folder, which may be anybody's, or be published."""
    named = os.environ.get("XDG_DATA_HOME", "").strip()
    base = Path(named) if Path(named).is_absolute() else Path.home() / ".local" / "share"
    return Path(os.environ.get("PROVISO_DATA", "").strip() or base / "proviso").expanduser()


def database() -> dict[str, str]:
    """DATABASE_URL where it is set, which then goes before the embedded PostgreSQL."""
    url = os.environ.get("DATABASE_URL", "").strip()
    return {"DATABASE_URL": url} if url else {}


def cache_folder() -> Path:
    """Where downloaded model files are kept, after the XDG base directory rule."""
    base = os.environ.get("XDG_CACHE_HOME", "").strip()
    return (Path(base) if base else Path.home() / ".cache") / "proviso" / "models"


def model_folders(root: Path) -> list[Path]:
    """Where model files are looked for before the cache and the network, in that order."""
    named = os.environ.get("PROVISO_MODELS", "").strip()
    folders = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    return [*folders, root / "models", root.parent / "shared" / "models"]


def pack_name() -> str:
    """PROVISO_PACK, else the default."""
    return os.environ.get("PROVISO_PACK", "").strip() or DEFAULT_PACK


@dataclass(frozen=True, slots=True)
class Models:
    """A pack whose files were found and verified; `folder` is what the functions are given as PROVISO_MODELS."""

    manifest: Manifest
    files: Mapping[str, Path]
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"PROVISO_PACK": self.manifest.name, "PROVISO_MODELS": str(self.folder)}

    @property
    def smallest_face_px(self) -> int:
        return SMALLEST_FACE_PX.get(self.manifest.name, 60)


def find_models(root: Path, *, pack: str = "", download: bool = False, progress: Progress | None = None) -> Models:
    """All files of the pack, verified. ConfigurationFault, in one line, when one is missing or has a wrong hash."""
    manifest = load_manifest(pack or pack_name())
    files = find_files(
        manifest,
        model_folders(root),
        cache=cache_folder(),
        download=download,
        timeout_s=_NETWORK_TIMEOUT_S,
        progress=progress,
    )
    if manifest.name == "dlib":
        _needs_dlib()
    return Models(manifest, files, _one_folder(files, data_folder(root)))


def where_models_are(root: Path, pack: str) -> dict[str, Path | None]:
    """Each file of a pack by name and the place where it lies, None when it is nowhere; hashes are checked."""
    places: dict[str, Path | None] = {}
    for file in load_manifest(pack).files:
        path = locate(file, model_folders(root), cache=cache_folder())
        if path is not None:
            verify(path, file)
        places[file.name] = path
    return places


def _needs_dlib() -> None:
    from importlib.util import find_spec

    if find_spec("dlib") is None and find_spec("_dlib_pybind11") is None:
        raise ConfigurationFault("the pack dlib needs the extra `dlib`; `make install-dlib` installs it")


def _one_folder(files: Mapping[str, Path], data: Path) -> Path:
    """Functions look into one folder. Where the files lie in several, a folder of links stands in for it."""
    parents = {path.parent for path in files.values()}
    if len(parents) == 1:
        return parents.pop().resolve()
    links = data / "models"
    links.mkdir(parents=True, exist_ok=True)
    for path in files.values():
        link = links / path.name
        if link.resolve() != path.resolve():
            link.unlink(missing_ok=True)
            link.symlink_to(path.resolve())
    return links.resolve()
