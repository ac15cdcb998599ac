"""Where a pack's files are found, and that they are the right ones.

The order is fixed (folders as given, the package that carries them, the cache, the network), and no file is used
whose SHA-256 is not the manifest's: a model that somebody swapped computes other similarities under the same name.
Folders are passed in; nothing here reads the environment.
"""

import hashlib
import http.client
import importlib.util
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from proviso.domain.errors import ConfigurationFault
from proviso.vision.pack import Manifest, PackFile

Progress = Callable[[str, int, int], None]
"""Called while downloading with the file's name, the bytes so far and the bytes in all."""

_BLOCK = 1 << 16


def find_files(
    manifest: Manifest,
    folders: Sequence[Path],
    *,
    cache: Path | None = None,
    download: bool = False,
    timeout_s: float = 20.0,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Find every file of the pack, verified; the answer is by role.

    ConfigurationFault when one is missing everywhere (a single line that says what to do) or has a wrong hash.
    """
    found: dict[str, Path] = {}
    missing: list[PackFile] = []
    for file in manifest.files:
        path = locate(file, folders, cache=cache)
        if path is None and download and cache is not None:
            path = _download(file, cache, timeout_s, progress)
        if path is None:
            missing.append(file)
        else:
            verify(path, file)
            found[file.role] = path
    if missing:
        raise ConfigurationFault(_missing_line(manifest, missing, folders, cache, download))
    return found


def locate(file: PackFile, folders: Sequence[Path], *, cache: Path | None = None) -> Path | None:
    """The first place that holds the file, unverified; None when no place does."""
    for folder in folders:
        path = folder / file.name
        if path.is_file():
            return path
    if file.package and (carried := _in_package(file)) is not None:
        return carried
    if cache is not None and (cache / file.name).is_file():
        return cache / file.name
    return None


def find_file(manifest: Manifest, role: str, folders: Sequence[Path]) -> Path:
    """One verified file of the pack, without the network. ConfigurationFault as in `find_files`."""
    file = manifest.file(role)
    path = locate(file, folders)
    if path is None:
        raise ConfigurationFault(_missing_line(manifest, [file], folders, None, False))
    verify(path, file)
    return path


def read_file(manifest: Manifest, role: str, folders: Sequence[Path]) -> bytes:
    """The verified bytes of one file: what was hashed is what is used, even if the file changes meanwhile."""
    file = manifest.file(role)
    path = locate(file, folders)
    if path is None:
        raise ConfigurationFault(_missing_line(manifest, [file], folders, None, False))
    data = path.read_bytes()
    _compare(path, file, hashlib.sha256(data).hexdigest())
    return data


def verify(path: Path, file: PackFile) -> None:
    """ConfigurationFault, naming both hashes, unless the file's SHA-256 is the manifest's."""
    with path.open("rb") as stream:
        _compare(path, file, hashlib.file_digest(stream, "sha256").hexdigest())


def _compare(path: Path, file: PackFile, actual: str) -> None:
    if actual != file.sha256:
        raise ConfigurationFault(
            f"{path} is not the file of the manifest and is refused: its SHA-256 is {actual}, expected {file.sha256}; "
            "remove it or put the right one there"
        )


def _in_package(file: PackFile) -> Path | None:
    """The file inside an installed package. The package is located, never imported: its import may need more."""
    spec = importlib.util.find_spec(file.package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / file.package_path
        if path.is_file():
            return path
    return None


def _download(file: PackFile, cache: Path, timeout_s: float, progress: Progress | None) -> Path | None:
    """Fetch from the first address that answers; None when none does. The cache only ever holds verified files."""
    for url in file.urls:
        if not url.startswith("https://"):
            continue
        try:
            return _fetch(url, file, cache, timeout_s, progress)
        except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException):
            continue
    return None


def _fetch(url: str, file: PackFile, cache: Path, timeout_s: float, progress: Progress | None) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    hasher = hashlib.sha256()
    handle, part = tempfile.mkstemp(prefix=f".{file.name}.", dir=cache)
    try:
        with (
            os.fdopen(handle, "wb") as out,
            urllib.request.urlopen(url, timeout=timeout_s) as answer,  # noqa: S310 (https only, checked by the caller)
        ):
            received = 0
            while block := answer.read(_BLOCK):
                received += len(block)
                if received > file.size:
                    break  # more than the manifest says: the hash cannot be right, so no more of it is taken
                hasher.update(block)
                out.write(block)
                if progress is not None:
                    progress(file.name, received, file.size)
        _compare(Path(url), file, hasher.hexdigest())
        target = cache / file.name
        Path(part).replace(target)  # atomic: a reader sees the whole file or none
        return target
    finally:
        Path(part).unlink(missing_ok=True)


def _missing_line(
    manifest: Manifest, missing: Sequence[PackFile], folders: Sequence[Path], cache: Path | None, tried_network: bool
) -> str:
    names = ", ".join(file.name for file in missing)
    places = [str(folder) for folder in folders]
    packages = sorted({file.package for file in missing if file.package})
    places += [f"the package {name}" for name in packages]
    if cache is not None:
        places.append(str(cache))
    if tried_network:
        places.append("the network")
    remedy = "install the extra `dlib`" if packages else "put them into a folder and name it in PROVISO_MODELS"
    return f"model files of the pack {manifest.name} not found: {names}; looked in {', '.join(places)}; {remedy}"
