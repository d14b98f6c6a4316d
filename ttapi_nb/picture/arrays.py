"""Arrays as pictures: one judgement of what their shape and their numbers mean, whatever library they come from."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ImageError
from .parts import Numbers

__all__ = ["judged"]

CHANNELS = (1, 3, 4)
NARROW = 5
# What a calculation may overshoot white by, of 1.
SLIP = 1 / 512


def judged(
    array: np.ndarray[Any, Any], *, bgr: bool = False, channels_first: bool = False
) -> tuple[Numbers, str]:
    """The picture that an array means, as (height, width) or (height, width, 3 or 4) of uint8 or uint16, a copy, and
    what a reader should know of how it was read, or "".

    `open_image` says what the shapes and the ranges are. `channels_first` is for torch's tensors, where that decides if
    both ends of a shape could be the channels. Raises `ImageError`.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise ImageError("A masked array is no picture. Give array.filled(0), say.")
    shaped = _shaped(array, channels_first)
    if bgr:
        if shaped.ndim != 3:
            raise ImageError("bgr=True is for arrays with 3 or 4 channels. Leave it out for grey ones.")
        shaped = shaped[:, :, [2, 1, 0, 3][: shaped.shape[2]]]
    return _ranged(shaped)


def _shaped(array: np.ndarray[Any, Any], channels_first: bool) -> np.ndarray[Any, Any]:
    shape = "x".join(map(str, array.shape))
    problem = ImageError(
        f"An array of shape {shape} is no picture. Give (height, width), or 1, 3 or 4 channels behind or before these."
    )
    if 0 in array.shape:
        raise problem
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 3:
        first, last = array.shape[0] in CHANNELS, array.shape[2] in CHANNELS
        # So narrow a picture is less likely than one of 2 or 5 channels, which is none.
        if first and (channels_first or array.shape[2] > NARROW):
            array = np.moveaxis(array, 0, 2)
        elif not last:
            raise problem
        if array.shape[2] == 1:
            array = array[:, :, 0]
    elif array.ndim != 2:
        raise problem
    return array


def _ranged(array: np.ndarray[Any, Any]) -> tuple[Numbers, str]:
    kind = array.dtype.kind
    if kind == "b":
        return array.astype(np.uint8) * 255, ""
    if array.dtype == np.uint8:
        return np.array(array, order="C"), ""
    if kind in "ui":
        return _whole(array)
    if kind == "f":
        return _floats(array)
    raise ImageError(
        f"An array of {array.dtype} is no picture. Give uint8, uint16, bool, or floats from 0 to 1."
    )


def _whole(array: np.ndarray[Any, Any]) -> tuple[Numbers, str]:
    least, most = int(array.min()), int(array.max())
    if least < 0 or most > 65_535:
        raise ImageError(
            f"The array's numbers go from {least} to {most}. Give whole numbers from 0 to 255, or from 0 to 65535."
        )
    if most > 255:
        return np.ascontiguousarray(array, np.uint16).copy(), ""
    words = f"Its numbers go up to {most} and were read as 0 to 255." if most else ""
    return array.astype(np.uint8, order="C"), words


def _floats(array: np.ndarray[Any, Any]) -> tuple[Numbers, str]:
    least, most = float(array.min()), float(array.max())
    if not (np.isfinite(least) and np.isfinite(most)):
        raise ImageError(
            "The array holds NaN or infinity. Give floats between 0 and 1 (numpy.nan_to_num helps)."
        )
    if least < -SLIP or 1 + SLIP < most <= 2 or most > 255.5:
        raise ImageError(
            f"The array's floats go from {least:g} to {most:g}. They must lie between 0 and 1, or between 0 and 255: "
            "scale them first."
        )
    scale = 255 if most <= 1 + SLIP else 1
    whole = np.rint(array.astype(np.float32) * scale).clip(0, 255).astype(np.uint8, order="C")
    return whole, f"Its floats were read as 0 to {255 // scale} and became 8 bits."
