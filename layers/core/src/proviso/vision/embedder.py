"""Aligned crops to vectors, by ONNX Runtime; MobileFaceNet and SFace differ only in their normalisation.

Faces go one at a time. The files have a fixed batch of one, and a batch of eight was measured at 2.85 ms a face
against 2.9: not worth rewriting a file whose hash is what everybody relies on.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from proviso.domain.errors import ConfigurationFault

if TYPE_CHECKING:
    from proviso.vision.alignment import Pixels


class OnnxEmbedder:
    """Turns crops (112, 112, 3) BGR uint8 into L2-normalised vectors. `mean` and `std` in RGB order, on 0..255."""

    def __init__(
        self, session: Callable[[], Any], *, mean: Sequence[float], std: Sequence[float], dimension: int
    ) -> None:
        self._session = session
        self._mean = tuple(mean)
        self._std = tuple(std)
        self._dimension = dimension

    def embed(self, crop: "Pixels") -> bytes:
        """The vector of one crop as packed little-endian float32. ConfigurationFault when the model gives another
        dimension than the manifest says, or a vector without direction."""
        import cv2
        import numpy as np

        blob = cv2.dnn.blobFromImage(crop, mean=self._mean, swapRB=True)
        blob *= np.reciprocal(np.asarray(self._std, np.float32)).reshape(1, 3, 1, 1)
        session = self._session()
        out = session.run(None, {session.get_inputs()[0].name: blob})[0]
        return normalised(np.asarray(out).ravel(), self._dimension)


def normalised(vector: Any, dimension: int) -> bytes:
    """A vector brought to length one, packed as little-endian float32."""
    import numpy as np

    v = np.asarray(vector, np.float64)
    length = float(np.sqrt((v * v).sum()))
    if v.shape != (dimension,) or not np.isfinite(length) or length == 0.0:
        raise ConfigurationFault(
            f"the model answers with shape {v.shape} or a vector without length; the pack says {dimension} figures"
        )
    return (v / length).astype("<f4").tobytes()
