"""Arrays as coverage: one judgement for numpy, torch, lists, and pictures of numbers (PIL's 1, I, F and I;16)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MaskError
from ..picture import PIXEL_CAP
from .raster import Coverage

__all__ = ["as_array", "coverage_of", "flat", "is_array"]

WHAT = "A mask array is (height, width) of bool, of 0 and 1, of 0 to 255, or of floats from 0 to 1."
COMPARE = "Compare your array with a threshold first: array > 0.5."
# How far a resampled float may lie beyond 0 and 1.
OVERSHOOT = 1e-3
# Nested lists that are deeper than this are no array.
DEEPEST = 8


def is_array(value: Any) -> bool:
    """Whether this is an array of some library: numpy, torch, jax, tensorflow, a PIL picture excepted."""
    return isinstance(value, np.ndarray | np.generic) or (
        not hasattr(value, "getchannel")
        and not isinstance(value, type)
        and (hasattr(value, "__array__") or hasattr(value, "__dlpack__"))
    )


def as_array(value: Any) -> NDArray[Any]:
    """A numpy array of whatever holds numbers in rows. Raises `MaskError`."""
    problem = f"This can't be read as an array. {WHAT}"
    try:
        if isinstance(value, np.ndarray):
            # A class of numpy's (a matrix, a masked array) may behave in its own way.
            return np.asarray(value.filled(0) if isinstance(value, np.ma.MaskedArray) else value)
        if isinstance(value, list | tuple):
            return _of_lists(value)
        # torch: on whichever device, and with or without a gradient.
        for step in ("detach", "cpu"):
            if callable(getattr(value, step, None)):
                value = getattr(value, step)()
        if hasattr(value, "__array__"):
            return np.asarray(value)
        return np.from_dlpack(value)
    except MaskError as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - the arrays of other libraries fail with errors of their own
        problem = f"This can't be read as an array ({type(error).__name__}). {WHAT}"
    raise MaskError(problem)


def _of_lists(rows: Any) -> NDArray[Any]:
    depth, inner = 0, rows
    while isinstance(inner, list | tuple) and inner:
        depth, inner = depth + 1, inner[0]
        if depth > DEEPEST:
            raise MaskError(f"These lists are nested too deeply for a mask. {WHAT}")
    if is_array(inner) and not isinstance(inner, np.ndarray | np.generic):
        rows = [as_array(one) for one in rows]
    try:
        return np.asarray(rows)
    except (ValueError, OverflowError, RecursionError, TypeError):
        pass
    raise MaskError(f"The rows of this list are not of one length. {WHAT}")


def flat(array: NDArray[Any]) -> NDArray[Any]:
    """The array as (height, width): sides of 1 before and behind are taken off. Raises `MaskError`."""
    while array.ndim > 2:
        if array.shape[0] == 1:
            array = array[0]
        elif array.shape[-1] == 1:
            array = array[..., 0]
        else:
            break
    if array.ndim != 2 or not array.size:
        shape = "x".join(map(str, array.shape)) or "()"
        raise MaskError(
            f"An array of shape {shape} is no mask. {WHAT} {COMPARE} Of several channels take one: array[..., 0]."
        )
    if array.size > PIXEL_CAP:
        raise MaskError(
            f"An array of {array.shape[1]}x{array.shape[0]} is larger than any picture we open. Use the picture's size."
        )
    return array


def coverage_of(array: NDArray[Any], *, logits: bool = False) -> tuple[Coverage, str]:
    """The coverage that an array means, and how it was read, in words.

    Where the greatest value is 1, 1 is covered wholly; otherwise whole numbers are coverage, 0 to 255 (uint16: 0 to
    65,535), and floats a share. With `logits` also numbers below 0 are read, and more than 0 is covered. Raises
    `MaskError`.
    """
    array = flat(array)
    kind = array.dtype.kind
    if kind == "b":
        return np.where(array, 255, 0).astype(np.uint8), "True edits"
    if kind not in "uif":
        raise MaskError(f"An array of {array.dtype} is no mask. {WHAT} {COMPARE}")
    low, high = array.min(), array.max()
    if kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
        raise MaskError(
            "This array holds nan or infinity, which says neither edit nor keep. Replace them: np.nan_to_num(array)."
        )
    low, high = float(low), float(high)
    if low < -OVERSHOOT:
        if logits and kind == "f":
            return np.where(array > 0, 255, 0).astype(np.uint8), "logits: more than 0 edits"
        raise MaskError(
            f"This array goes from {low:g} to {high:g}, so it holds no coverage. {WHAT} For a model's logits use "
            "Mask.read(array), or compare: array > 0."
        )
    if kind == "f":
        return _of_floats(array, high)
    if high == 1:
        return np.where(array > 0, 255, 0).astype(np.uint8), "1 edits"
    if high <= 255:
        if high < 128 and array.dtype != np.uint8 and high > 0:
            raise MaskError(
                f"This array of {array.dtype} goes from 0 to {high:g}: labels, perhaps. "
                f"Compare it with the label to edit: array == {high:g}."
            )
        return array.astype(np.uint8), "255 edits"
    if 32768 <= high <= 65535:
        # A half stays a half, 32,768 becoming 128, and what is covered at all stays covered.
        return np.maximum(array >> 8, array > 0).astype(np.uint8), "65,535 edits"
    raise MaskError(f"This array goes from {low:g} to {high:g}. {WHAT} {COMPARE}")


def _of_floats(array: NDArray[Any], high: float) -> tuple[Coverage, str]:
    if high <= 1 + OVERSHOOT:
        wide = np.clip(array.astype(np.float32, copy=False), 0, 1)
        # A share of one half is 127.5, which is rounded to the even number: 128, one half of coverage.
        return np.rint(wide * 255).astype(np.uint8), "1.0 edits"
    if 128 <= high <= 255:
        return np.rint(array).astype(np.uint8), "255 edits"
    raise MaskError(
        f"This array of floats goes up to {high:g}, which is neither a share (1.0) nor coverage (255). {WHAT} {COMPARE}"
    )
