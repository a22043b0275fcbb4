"""Find pictures that are the same although their files differ: saved again, smaller, brighter."""

import torch
from torch import Tensor
from torch.nn import functional as F

from lora_demo.errors import ImageError
from lora_demo.images.reading import LabelledImage

SIDE_PX = 32
PLAIN = 0.1  # standard deviation of normalised pixels: blank paper has less, a sketch more
SHADE = 0.15  # weight of the brightness, which tells black paper from white
# Measured on 868 drawings, paintings and photos of few kinds (376,278 pairs): the nearest two are
# 0.60 apart. Copies: saved again as JPEG of quality 50, at most 0.09; at four fifths of the size,
# 0.11; at half of it, 0.06 (9 of 10); a tenth brighter, 0.12 (9 of 10). The next photo of a burst
# is another picture: turned by 2 degrees, 0.26 (median); with 2 % of each edge cut off, 0.38;
# shifted by 3 %, 0.47. The network's features cannot tell these apart: there two sketches have a
# cosine of 0.94, a JPEG of quality 75 may have 0.96, and a photo turned by 2 degrees 0.99.
SAME = 0.14


def miniature(x: Tensor) -> Tensor:
    """Reduce x (N, 3, px, px), normalised, to what tells copies from other pictures: (N, 3073).

    Contrast and most of the brightness are taken out.
    """
    small = F.adaptive_avg_pool2d(x, SIDE_PX).flatten(1)
    shade = small.mean(1, keepdim=True)
    contrast = small.std(1, keepdim=True).clamp_min(PLAIN) * small.shape[1] ** 0.5
    return torch.cat([(small - shade) / contrast, SHADE * shade], 1)


class DuplicateCheck:
    """Keep the pictures so far, each once, and refuse copies of them."""

    def __init__(self, most: int):
        self._most = most
        self._pictures: list[LabelledImage] = []
        self._miniatures: Tensor | None = None  # (most, M)

    def add(self, picture: LabelledImage, its: Tensor) -> None:
        """Remember a picture and its miniature (1, M); raise `ImageError` if it is a copy."""
        if self._miniatures is None:
            self._miniatures = its.new_empty(self._most, its.shape[1])
        count = len(self._pictures)
        if count:
            distance, nearest = (self._miniatures[:count] - its).norm(dim=1).min(0)
            if distance < SAME:
                raise _copy_error(picture, self._pictures[nearest])
        self._miniatures[count] = its[0]
        self._pictures.append(picture)


def _copy_error(copy: LabelledImage, original: LabelledImage) -> ImageError:
    again = f"is the same picture as “{original.name}”"
    if copy.name == original.name:
        again = "is here twice"
    if copy.label == original.label:
        return ImageError(copy.name, f"{again}. It counts once.")
    one, other = (p.label or "none of these" for p in (original, copy))
    return ImageError(
        copy.name,
        f"{again}, once as “{one}” and once as “{other}”. It cannot show both: "
        "delete the wrong one.",
    )
