"""What a click stands on: the region of like colours around it whose edge shows best."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["region"]

# How far colours may differ from the click's, in Lab as OpenCV writes it, 0 to 255.
TOLERANCES = (2, 3, 4, 6, 8, 11, 15, 20, 26, 33, 41, 50)
# The click's own colour is the middle one of a patch this far around it; gaps this wide in a region are closed.
PATCH, GAP = 3, 9
# A region that has more of the photo's edge than this is the ground.
MOST_EDGE = 0.6
# How far from its edge colours are compared, in pixels.
RIM = 5


def region(cv2: Any, pixels: NDArray[np.uint8], point: tuple[float, float]) -> NDArray[np.bool_]:
    """The region, (height, width), of (height, width, 3) pixels with red last.

    With more tolerance a region grows until it leaks: of all of them it is the one whose edge divides colours best,
    the more of the photo's own edge it has, the less likely.
    """
    best, chosen = -1.0, np.zeros(pixels.shape[:2], np.uint8)
    colours = cv2.cvtColor(cv2.medianBlur(pixels, 7), cv2.COLOR_BGR2LAB)
    before = -1
    for grown in _grown(cv2, colours, point):
        size = int(np.count_nonzero(grown))
        if size == before:
            continue
        before = size
        edge = _share_of_edge(grown)
        score = _contrast(cv2, grown, colours) * (1 - edge) ** 2
        if score > best:
            best, chosen = score, grown
        if edge > MOST_EDGE:
            break
    return chosen > 0


def _grown(cv2: Any, colours: NDArray[np.uint8], point: tuple[float, float]) -> Iterator[NDArray[np.uint8]]:
    height, width = colours.shape[:2]
    x, y = min(int(point[0]), width - 1), min(int(point[1]), height - 1)
    patch = colours[max(0, y - PATCH) : y + PATCH + 1, max(0, x - PATCH) : x + PATCH + 1]
    own = np.median(patch.reshape(-1, 3), axis=0).astype(np.uint8)
    distance = cv2.absdiff(colours, np.broadcast_to(own, colours.shape)).max(axis=2)
    for tolerance in TOLERANCES:
        alike = (distance <= tolerance).astype(np.uint8)
        cv2.circle(alike, (x, y), PATCH, 1, -1)
        cv2.floodFill(alike, None, (x, y), 2)
        grown = (alike == 2).astype(np.uint8)
        yield cv2.morphologyEx(grown, cv2.MORPH_CLOSE, np.ones((GAP, GAP), np.uint8))


def _share_of_edge(grown: NDArray[np.uint8]) -> float:
    sides = (grown[0], grown[-1], grown[:, 0], grown[:, -1])
    return float(sum(side.sum() for side in sides) / sum(len(side) for side in sides))


def _contrast(cv2: Any, grown: NDArray[np.uint8], colours: NDArray[np.uint8]) -> float:
    """How much the colours on both sides of a region's edge differ, on average along it."""
    left, top, across, down = cv2.boundingRect(grown)
    rows = slice(max(0, top - 2 * RIM), top + down + 2 * RIM)
    columns = slice(max(0, left - 2 * RIM), left + across + 2 * RIM)
    grown, here = grown[rows, columns], colours[rows, columns].astype(np.float32)
    near, narrow = np.ones((7, 7), np.uint8), np.ones((3, 3), np.uint8)
    inside = grown - cv2.erode(grown, near)
    outside = cv2.dilate(grown, near) - cv2.dilate(grown, narrow)
    edge = (grown - cv2.erode(grown, narrow)) > 0
    (one, some), (other, more) = (_mean(cv2, here, side) for side in (inside, outside))
    seen = edge & (some > 1e-3) & (more > 1e-3)
    return float(np.linalg.norm(one - other, axis=2)[seen].mean()) if seen.any() else 0.0


def _mean(cv2: Any, colours: NDArray[np.float32], where: NDArray[np.uint8]) -> tuple[Any, Any]:
    """The mean colour around each pixel of what is here, and how much of that there is."""
    size = (2 * RIM + 1, 2 * RIM + 1)
    counted = where.astype(np.float32)
    share = cv2.blur(counted, size)
    return cv2.blur(colours * counted[..., None], size) / np.maximum(share, 1e-6)[..., None], share
