"""How an answer lies on its source: moved, scaled or turned by a little, told by what both show outside the mask.

Phase correlation of the Laplacian finds the shift, whatever the light; that of many small tiles tells how it differs
from place to place, and so scale, turn, and what is bent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .alignment import Alignment, Numbers
from .geometry import Box
from .look import Look
from .pair import Pair

__all__ = ["Moved", "moved_of", "read_moved"]


# Pictures with a longer side than this are turned more simply.
LARGE = 2600
# What is less than this many pixels is left alone, and what agrees less than this is not believed.
LEAST, SURE = 0.15, 0.5
# What is nearer to whole pixels than this is that.
WHOLE = 0.08


@dataclass(frozen=True)
class Moved:
    """How an answer lay on the source, and was moved back inside the mask.

    * `right`, `down`: by how many of the source's pixels, in the mask's middle.
    * `scale`: how many times larger it was; `turn`: by how many degrees it was turned clockwise.
    * `confidence`: the share of what could be compared that agrees, 0 to 1.
    * `bent`: by how many pixels places beside the mask are off in a way that no move of the whole undoes; 0 if by less
      than one or so.
    """

    right: float = 0.0
    down: float = 0.0
    scale: float = 1.0
    turn: float = 0.0
    confidence: float = 1.0
    bent: float = 0.0
    # Where the source's point (0, 0) of the region lay in the answer, less that point.
    _origin: tuple[float, float] = (0.0, 0.0)

    @property
    def still(self) -> bool:
        """Whether nothing was moved back."""
        return not (self.right or self.down) and self.scale == 1 and not self.turn

    def __str__(self) -> str:
        parts = []
        if not self.still:
            across = f"{abs(self.right):.1f} px to the {'right' if self.right > 0 else 'left'}"
            down = f"{abs(self.down):.1f} px {'down' if self.down > 0 else 'up'}"
            ways = [words for words, by in ((across, self.right), (down, self.down)) if abs(by) >= 0.05]
            if abs(self.scale - 1) >= 0.0005:
                ways.append(f"{abs(self.scale - 1):.1%} too {'large' if self.scale > 1 else 'small'}")
            if abs(self.turn) >= 0.03:
                ways.append(
                    f"turned by {abs(self.turn):.1f}° {'clockwise' if self.turn > 0 else 'counter-clockwise'}"
                )
            parts.append(f"the answer lay {', '.join(ways)}, and was moved back")
        if self.bent:
            parts.append(
                f"beside the mask the answer is bent by about {self.bent:.0f} px, which can't be undone by moving it"
            )
        return "; ".join(parts) or "the answer lay where it should"

    def there(self, x: float, y: float) -> tuple[float, float]:
        """Where the source's point of the region lies in the answer."""
        a, b = self._turned
        return x + self._origin[0] + a * x - b * y, y + self._origin[1] + b * x + a * y

    def in_steps(self, step: int) -> Moved:
        """The same for pictures that are smaller by `step`."""
        origin = self._origin[0] / step, self._origin[1] / step
        return replace(self, right=self.right / step, down=self.down / step, _origin=origin)

    @property
    def _turned(self) -> tuple[float, float]:
        angle = math.radians(self.turn)
        return self.scale * math.cos(angle) - 1, self.scale * math.sin(angle)


def read_moved(answer: Image.Image, box: Box, moved: Moved, *, quickly: bool = False) -> Image.Image:
    """What of the answer belongs into `box`; beyond its border its edge goes on. `quickly` is for what is only compared
    by its light.
    """
    corners = [moved.there(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    room = 3
    left, top = (math.floor(min(corner[axis] for corner in corners)) - room for axis in (0, 1))
    right, bottom = (math.ceil(max(corner[axis] for corner in corners)) + room for axis in (0, 1))
    part = _edged(answer, (left, top, right, bottom))
    size = box[2] - box[0], box[3] - box[1]
    (x0, y0), (x1, y1) = moved.there(box[0], box[1]), moved.there(box[2], box[3])
    whole = round(x0), round(y0), round(x1), round(y1)
    if not moved.turn and moved.scale == 1 and abs(x0 - whole[0]) + abs(y0 - whole[1]) < 1e-3:
        return part.crop((whole[0] - left, whole[1] - top, whole[2] - left, whole[3] - top))
    if not moved.turn:
        rect = x0 - left, y0 - top, x1 - left, y1 - top
        return part.resize(size, Image.Resampling.BICUBIC, rect)
    a, b = moved._turned
    rows = (1 + a, -b, x0 - left, b, 1 + a, y0 - top)
    # Answers as large as that were scaled up: nothing is left to lose, and time is.
    simply = quickly or max(answer.size) > LARGE
    smooth = Image.Resampling.BILINEAR if simply else Image.Resampling.BICUBIC
    return part.transform(size, Image.Transform.AFFINE, rows, smooth)


def _edged(image: Image.Image, box: Box) -> Image.Image:
    inner = (
        min(max(box[0], 0), image.width - 1),
        min(max(box[1], 0), image.height - 1),
        max(min(box[2], image.width), 1),
        max(min(box[3], image.height), 1),
    )
    part = image.crop(inner)
    if inner == box:
        return part
    room = ((inner[1] - box[1], box[3] - inner[3]), (inner[0] - box[0], box[2] - inner[2]), (0, 0))
    return Image.fromarray(np.pad(np.asarray(part), room, "edge"))


def moved_of(look: Look) -> Moved | None:
    """How the answer lies on the source; None where there is too little to tell.

    What is not surely so, and what does not lower the error of the ring around the mask, is not taken.
    """
    masked = ~look.outside
    if min(masked.shape) < 32 or masked.mean() > 0.95:
        return None
    pair = Pair(look)
    if not pair.telling:
        return None
    if pair.same:
        return Moved()
    first = pair.shift()
    agreed = pair.similar(np.array([first[0], first[1], 0.0, 0.0]))
    if agreed is None:
        return None
    agreed = replace(agreed, model=_snapped(pair.refined(agreed.model), look.step))
    bent = agreed.bent * look.step
    moved = _as_moved(agreed, look.step, masked)
    small = math.hypot(moved.right, moved.down) < LEAST and moved.scale == 1 and not moved.turn
    if small or agreed.sure < SURE or not pair.better(agreed.model):
        return Moved(confidence=agreed.sure, bent=bent) if agreed.sure >= SURE or bent else None
    return moved


def _middle(masked: NDArray[np.bool_], step: int) -> tuple[float, float]:
    rows, columns = np.flatnonzero(masked.any(axis=1)), np.flatnonzero(masked.any(axis=0))
    if not len(rows):
        return 0.0, 0.0
    return float(columns[0] + columns[-1] + 1) * step / 2, float(rows[0] + rows[-1] + 1) * step / 2


def _snapped(model: Numbers, step: int) -> Numbers:
    """Whole pixels where it is all but that: they cost no sharpness."""
    if model[2] or model[3]:
        return model
    whole = np.rint(model[:2] * step)
    near = np.abs(model[:2] * step - whole) < WHOLE
    return np.concatenate((np.where(near, whole / step, model[:2]), model[2:]))


def _as_moved(agreed: Alignment, step: int, masked: NDArray[np.bool_]) -> Moved:
    tx, ty, a, b = (float(value) for value in agreed.model)
    scale, turn = math.hypot(1 + a, b), math.degrees(math.atan2(b, 1 + a))
    origin = tx * step, ty * step
    x, y = _middle(masked, step)
    right, down = origin[0] + a * x - b * y, origin[1] + b * x + a * y
    return Moved(right, down, scale, turn, agreed.sure, agreed.bent * step, origin)
