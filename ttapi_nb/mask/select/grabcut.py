"""`GrabCut`: a thing is what differs in colour from what is around it. A click guesses the box that it needs."""

from __future__ import annotations

import threading
import weakref
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...forking import anew
from ...picture import SourceImage
from .clicks import ADD, Clicks
from .engine import Engine, Floats, Stop
from .extra import load_cv2
from .guess import region
from .scaling import at_size, sharp

__all__ = ["GrabCut"]

Labels: TypeAlias = NDArray[np.uint8]
Window: TypeAlias = tuple[int, int, int, int]

# The longest side of what is looked at, whole or a part: more takes longer and finds no more.
SIDE = 512
ROUNDS = 4
# What of a thing's own size is looked at around it, for the colours of what it stands on.
AROUND, LEAST_AROUND = 0.25, 8
# Colours this near to a click are the thing's, or are not, in pixels of what is looked at.
SURE = 4
# Specks smaller than this part of the largest piece are noise, where no click is on them.
SPECK = 0.02

_small: weakref.WeakKeyDictionary[SourceImage, NDArray[np.uint8]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()
anew(globals(), "_lock")


class GrabCut(Engine):
    """OpenCV's GrabCut, on the photo at no more than 512 pixels a side."""

    name = "GrabCut"

    def prepare(self, picture: SourceImage, stop: Stop) -> None:
        load_cv2()
        _whole(picture)

    def run(self, picture: SourceImage, clicks: Clicks, stop: Stop) -> Floats:
        cv2 = load_cv2()
        whole = _whole(picture)
        height, width = whole.shape[:2]
        here = clicks.scaled(width / picture.size[0], height / picture.size[1])
        wanted = _regions(cv2, whole, here, ADD, stop) if here.box is None else None
        unwanted = _regions(cv2, whole, here, 1 - ADD, stop)
        box = _bounds(here, wanted, (width, height))
        window = _window(box, (width, height))
        # A small thing is looked at more closely than the whole photo.
        looked = _closer(picture, whole, window)
        labels = _labels(cv2, here, box, window, looked.shape[:2], wanted, unwanted)
        scores = np.full((height, width), -1.0, np.float32)
        foreground = _cut(cv2, looked, labels, stop)
        foreground = _pieces(cv2, foreground, labels == cv2.GC_FGD)
        return _placed(scores, foreground, window, picture.size)


def _whole(picture: SourceImage) -> NDArray[np.uint8]:
    """The photo at the size of the search, red last, kept as long as the photo is."""
    with _lock:
        kept = _small.get(picture)
    if kept is None:
        scale = min(1.0, SIDE / max(picture.size))
        size = (max(1, round(picture.size[0] * scale)), max(1, round(picture.size[1] * scale)))
        kept = np.ascontiguousarray(at_size(picture, size)[..., ::-1])
        with _lock:
            _small[picture] = kept
    return kept


def _regions(cv2: Any, whole: NDArray[np.uint8], clicks: Clicks, label: int, stop: Stop) -> NDArray[np.bool_]:
    """What the clicks with this label stand on, all together."""
    union = np.zeros(whole.shape[:2], np.bool_)
    for point, marked in zip(clicks.points, clicks.labels, strict=True):
        if marked == label:
            stop.check()
            union |= region(cv2, whole, point)
    return union


def _bounds(clicks: Clicks, wanted: NDArray[np.bool_] | None, size: tuple[int, int]) -> Window:
    """The box, given or guessed, in whole pixels of the search."""
    width, height = size
    if wanted is None and clicks.box is not None:
        left, top, right, bottom = clicks.box
        box = (int(left), int(top), min(width, int(right + 0.999)), min(height, int(bottom + 0.999)))
        points = [point for point, label in zip(clicks.points, clicks.labels, strict=True) if label == ADD]
        # What was clicked outside of the box belongs to the thing as well.
        xs, ys = [int(x) for x, _ in points], [int(y) for _, y in points]
        return (
            min([box[0], *xs]),
            min([box[1], *ys]),
            max([box[2], *(x + 1 for x in xs)]),
            max([box[3], *(y + 1 for y in ys)]),
        )
    assert wanted is not None  # noqa: S101 - without a box there is a point on the thing
    rows, columns = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    room = max(LEAST_AROUND, round(AROUND * max(right - left, bottom - top)))
    return (
        max(0, int(left) - room),
        max(0, int(top) - room),
        min(width, int(right) + room),
        min(height, int(bottom) + room),
    )


def _window(box: Window, size: tuple[int, int]) -> Window:
    """The box with what is around it."""
    left, top, right, bottom = box
    room = max(LEAST_AROUND, round(AROUND * max(right - left, bottom - top)))
    return max(0, left - room), max(0, top - room), min(size[0], right + room), min(size[1], bottom + room)


def _closer(picture: SourceImage, whole: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """The window's pixels, red last, from the photo itself where that shows more."""
    left, top, right, bottom = window
    across, down = picture.size[0] / whole.shape[1], picture.size[1] / whole.shape[0]
    scale = min(SIDE / max(right - left, bottom - top), max(across, down))
    if scale < 1.2:
        return np.ascontiguousarray(whole[top:bottom, left:right])
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    box = (
        int(left * across),
        int(top * down),
        min(picture.size[0], round(right * across)),
        min(picture.size[1], round(bottom * down)),
    )
    return np.ascontiguousarray(at_size(picture, size, box)[..., ::-1])


def _labels(
    cv2: Any,
    clicks: Clicks,
    box: Window,
    window: Window,
    shape: tuple[int, ...],
    wanted: NDArray[np.bool_] | None,
    unwanted: NDArray[np.bool_],
) -> Labels:
    """What is known of each pixel of the window before the first cut."""
    left, top, right, bottom = window
    across, down = shape[1] / (right - left), shape[0] / (bottom - top)
    labels = np.full(shape, cv2.GC_BGD, np.uint8)
    inner = (
        slice(round((box[1] - top) * down), round((box[3] - top) * down)),
        slice(round((box[0] - left) * across), round((box[2] - left) * across)),
    )
    labels[inner] = cv2.GC_PR_FGD if wanted is None else cv2.GC_PR_BGD
    if wanted is not None:
        labels[_fitted(wanted, window, shape)] = cv2.GC_PR_FGD
    labels[_fitted(unwanted, window, shape) & (labels == cv2.GC_PR_FGD)] = cv2.GC_PR_BGD
    if not (labels == cv2.GC_BGD).any():
        # All of the photo was asked for: what lies at its edge is the ground.
        edge = max(1, round(0.02 * max(shape)))
        labels[:edge], labels[-edge:], labels[:, :edge], labels[:, -edge:] = (cv2.GC_BGD,) * 4
    # Of two clicks at one place the later one counts: somebody changed their mind.
    for (x, y), label in zip(clicks.points, clicks.labels, strict=True):
        sure = cv2.GC_FGD if label == ADD else cv2.GC_BGD
        cv2.circle(labels, (int((x - left) * across), int((y - top) * down)), SURE, int(sure), -1)
    return labels


def _fitted(region: NDArray[np.bool_], window: Window, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    left, top, right, bottom = window
    part = Image.fromarray(region[top:bottom, left:right])
    return np.asarray(part.resize((shape[1], shape[0]), Image.Resampling.NEAREST))


def _cut(cv2: Any, looked: NDArray[np.uint8], labels: Labels, stop: Stop) -> NDArray[np.bool_]:
    known = labels.copy()
    on = _on(cv2, known)
    # It wants some of each to learn from.
    if on.all() or not on.any():
        return on
    ground, thing = np.zeros((1, 65)), np.zeros((1, 65))
    # Its first guess is drawn by lot: the same click finds the same thing.
    cv2.setRNGSeed(1)
    mode = cv2.GC_INIT_WITH_MASK
    for _ in range(ROUNDS):
        stop.check()
        before = known.copy()
        cv2.grabCut(looked, known, None, ground, thing, 1, mode)
        mode = cv2.GC_EVAL
        if np.array_equal(before, known):
            break
    return _on(cv2, known)


def _on(cv2: Any, labels: Labels) -> NDArray[np.bool_]:
    on: NDArray[np.bool_] = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return on


def _pieces(cv2: Any, foreground: NDArray[np.bool_], clicked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What was found without its specks."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(foreground.astype(np.uint8), connectivity=8)
    if count <= 2:
        return foreground
    sizes = stats[:, cv2.CC_STAT_AREA]
    keep = sizes >= SPECK * sizes[1:].max()
    keep[np.unique(pieces[clicked & foreground])] = True
    keep[0] = False
    kept: NDArray[np.bool_] = keep[pieces]
    return kept


def _placed(whole: Floats, foreground: NDArray[np.bool_], window: Window, size: tuple[int, int]) -> Floats:
    """Coverage of the photo, of what was found in the window."""
    left, top, right, bottom = window
    height, width = whole.shape
    across, down = size[0] / width, size[1] / height
    box = (
        int(left * across),
        int(top * down),
        min(size[0], round(right * across)),
        min(size[1], round(bottom * down)),
    )
    coverage = np.zeros((size[1], size[0]), np.float32)
    scores = np.where(foreground, np.float32(1), np.float32(-1))
    coverage[box[1] : box[3], box[0] : box[2]] = sharp(scores, (box[2] - box[0], box[3] - box[1]), 2.0)
    return coverage
