"""What a network saw, as a picture that a browser shows."""

from base64 import b64encode
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def data_url(pixels: NDArray[np.uint8]) -> str:
    """A PNG of eight bits, of uint8 [height, width] in grey or [3, height, width]."""
    content = BytesIO()
    Image.fromarray(pixels if pixels.ndim == 2 else np.moveaxis(pixels, 0, -1)).save(content, "PNG")
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"
