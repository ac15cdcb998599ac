"""Several templates of one person as one: which may be fused, and how.

Fusing two people would give a template that is like both and is neither. Overlap alone cannot rule that out: people
cross. So whatever was put together by place is held against itself by similarity first, and every two of a group must
agree, not only neighbours: a chain of small steps could lead from one person to another.
"""

from collections.abc import Sequence
from typing import Any

from proviso.domain.face import Template


def alike(templates: Sequence[Template], least: float) -> list[list[int]]:
    """Indices in groups, within which every two similarities (cosine) are `least` or more. Each template, in order,
    joins the first group with all of which it agrees, else it begins one; so one that agrees with nobody is alone."""
    if len(templates) == 1:
        return [[0]]
    vectors = [_unit(template) for template in templates]
    groups: list[list[int]] = []
    for index, vector in enumerate(vectors):
        for group in groups:
            if all(float(vector @ vectors[other]) >= least for other in group):
                group.append(index)
                break
        else:
            groups.append([index])
    return groups


def mean(templates: Sequence[Template]) -> bytes:
    """The normalised mean of the normalised templates, packed as little-endian float32. One comes back as it is.

    ValueError when there is none, or when they cancel each other out.
    """
    import numpy as np

    if not templates:
        raise ValueError("nothing to fuse")
    if len(templates) == 1:
        return templates[0].packed
    total = np.sum([_unit(template) for template in templates], axis=0)
    length = float(np.linalg.norm(total))
    if not np.isfinite(length) or length < 1e-6:
        raise ValueError("these templates cancel each other out: they are not one person's")
    return bytes((total / length).astype("<f4").tobytes())


def _unit(template: Template) -> Any:
    """The template as float64 of length one."""
    import numpy as np

    vector = np.frombuffer(template.packed, "<f4").astype(np.float64)
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0.0:
        raise ValueError("a template without length")
    return vector / length
