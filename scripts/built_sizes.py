"""How large a build is: each layer with its largest packages, each function with its layers against Lambda's limit."""

import re
import zlib
from collections import Counter

from scripts.built_parts import LAYERS
from scripts.check_build import LIMIT_MB, MB, Build, limited, size, totals

LAMBDA_MB = 250
TOP = 5


def table(build: Build, *, zipped: bool) -> str:
    """As text. `zipped` measures archives too, which takes some seconds; there is no limit on them by way of S3."""
    lines = [f"{'layer':12} {'MB':>6}{'  zipped' if zipped else ''}  largest"]
    for layer in LAYERS:
        largest = ", ".join(f"{name} {count / MB:.1f}" for name, count in packages(build, layer).most_common(TOP))
        lines.append(f"{layer:12} {size(build, layer) / MB:6.1f}{_zipped(build, layer, zipped)}  {largest}")
    limits = f"with layers, MB (limit {LAMBDA_MB}, kept below {LIMIT_MB})"
    lines += ["", f"{'function':16} {'own KB':>7}{'  zipped' if zipped else ''}  {limits}"]
    for name, total in totals(build).items():
        over = "" if total <= LIMIT_MB * MB else "  OVER" if limited(build) else "  over, which counts at AWS alone"
        lines.append(
            f"{name:16} {size(build, name) / 1024:7.0f}{_zipped(build, name, zipped)}  {total / MB:6.1f}{over}"
        )
    return "\n".join(lines)


def packages(build: Build, layer: str) -> Counter[str]:
    """Bytes by package; a wheel's libraries and its metadata count with it."""
    found: Counter[str] = Counter()
    for path in build.files(layer):
        parts = build.below(layer, path).split("/")
        name = parts[1] if parts[0] == "python" and len(parts) > 1 else parts[0]
        found[_OWNERS.get(name := re.sub(r"(\.libs|-[\d.]+\.dist-info)$", "", name), name)] += path.stat().st_size
    return found


_OWNERS = {"opencv_python_headless": "cv2"}


def _zipped(build: Build, part: str, wanted: bool) -> str:
    if not wanted:
        return ""
    packed = sum(len(zlib.compress(path.read_bytes(), 6)) for path in build.files(part))
    return f"  {packed / MB:6.1f}"
