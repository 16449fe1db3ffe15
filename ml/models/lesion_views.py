"""What the model for phone photos of a lesion reads of a photo: the embeddings of the photo and of a crop around its
lesion, and the measured colours and shape of the lesion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ml.deadline import Deadline
from ml.models.encoder import Encoder
from ml.models.face_search import turned
from ml.skin.frame import Part
from ml.skin.lesion import DIFFERENCES, differences, geometry
from ml.skin.outline import agreement, lesions
from ml.values import RGB, Doubles, Vectors

#: what is measured: the differences in colour from the skin around, the shape, how sure the outline is, and its size
FINDINGS = (
    *(one.name for one in DIFFERENCES),
    "asymmetry",
    "log_border_irregularity",
    "colour_variegation",
    "outline_agreement",
    "relative_size",
)
_MARGIN = 1.15  # side of the crop over the long side of the outline
_LEAST = 0.13  # side of the smallest crop, as a share of the photo's short side


@dataclass(frozen=True)
class Square:
    """A square in a photo. ``down``, ``across``: its middle, as shares of height and width. ``side``: as a share of the
    short side, at most 1. It is moved into the photo where it would reach beyond."""

    down: float
    across: float
    side: float

    def of(self, photo: RGB) -> RGB:
        """Its pixels in ``photo`` (H, W, 3)."""
        height, width = photo.shape[:2]
        side = max(1, round(self.side * min(height, width)))
        top, left = (
            int(np.clip(round(middle * long - side / 2), 0, long - side))
            for middle, long in ((self.down, height), (self.across, width))
        )
        return np.ascontiguousarray(photo[top : top + side, left : left + side])


@dataclass(frozen=True, eq=False)
class Views:
    """Of n photos: the embeddings of the ``photos`` and of the ``crops``, (n, dimension), and the ``findings`` (n,
    len(FINDINGS)), NaN where unknown."""

    photos: Vectors
    crops: Vectors
    findings: Doubles

    def __len__(self) -> int:
        return len(self.photos)


def around(part: Part) -> Square:
    """The square around a part's lesions; without an outline, the middle of the photo."""
    found = lesions(part)
    if found is None:
        return Square(0.5, 0.5, 0.5)
    height, width = found.mask.shape
    left, top, wide, high = cv2.boundingRect(found.mask.view(np.uint8))
    side = _MARGIN * max(wide, high) / min(height, width)
    return Square((top + high / 2) / height, (left + wide / 2) / width, min(1.0, max(_LEAST, side)))


def findings(part: Part) -> Doubles:
    """The findings (len(FINDINGS),) of a part's lesions."""
    found, shape = lesions(part), geometry(part)
    compactness = shape.compactness[0]
    size = None
    if found is not None:
        size = max(cv2.boundingRect(found.mask.view(np.uint8))[2:]) / max(found.mask.shape)
    values = (
        *(value for value, _ in differences(part)),
        shape.asymmetry[0],
        None if compactness is None else np.log(compactness),
        shape.colours[0],
        0.0 if found is None else agreement(found.narrow, found.wide),
        size,
    )
    return np.array(values, np.float64)


def views_of(
    encoder: Encoder,
    photos: Sequence[RGB],
    parts: Sequence[Part],
    vectors: Vectors | None = None,
    *,
    turns: int = 0,
    deadline: Deadline | None = None,
) -> Views:
    """The views of ``photos`` (H, W, 3), whose skin the ``parts`` are.

    ``vectors`` (n, dimension): the photos' embeddings by ``encoder``, if they are known. ``turns``: quarter turns to
    the left, 0–3, by which the first photo is upright. Raises what ``Encoder.embed`` does.
    """
    crops = [around(part).of(photo) for part, photo in zip(parts, photos, strict=True)]
    if vectors is None:
        vectors = encoder.embed([turned(photos[0], turns), *photos[1:]], deadline)
    seen = encoder.embed([turned(crops[0], turns), *crops[1:]], deadline)
    return Views(vectors, seen, np.stack([findings(part) for part in parts]))
