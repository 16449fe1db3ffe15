"""The photo of the self-test: a face, which every part can say something about."""

from __future__ import annotations

import cv2
from skimage import data

from ml.imaging.decode import decode
from ml.values import RGB


def portrait() -> RGB:
    """scikit-image's public-domain portrait, by way of a JPEG: the decoder is a part too."""
    bgr = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
    return decode(cv2.imencode(".jpg", bgr)[1].tobytes()).rgb
