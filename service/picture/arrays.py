"""The arrays of this room."""

import numpy as np
from numpy.typing import NDArray

# [H, W], 0 to 255; of ink 0 and up.
Grey = NDArray[np.float32]
# [H, W], where something is.
Mask = NDArray[np.bool_]
# Of pixels: for each level of grey, or for each shape.
Counts = NDArray[np.intp]
