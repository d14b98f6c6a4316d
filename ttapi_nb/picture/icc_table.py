"""From a device's numbers to sRGB by a profile's table, number for number as browsers do it.

LittleCMS goes other ways between a table's points, which coarse tables show: that is up to ten levels.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .icc import D50, Curve, Floats, Grid, IccProfile, Table, quick_power

__all__ = ["between", "by_curves", "by_table"]

# Pixels that are converted at a time.
STRIP = 1 << 16
SRGB_CURVE = Curve((2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0, 0))
TO_XYZ = np.array(
    [
        [0.436065674, 0.385147095, 0.143066406],
        [0.222488403, 0.716873169, 0.060607910],
        [0.013916016, 0.097076416, 0.714096069],
    ]
)
# As far as a curve may be from sRGB's to be taken for it.
NEAR_SRGB = 1 / 512
# Of linear light, so many steps: the darkest level is twenty of them wide.
STEPS = 65_535


def by_table(numbers: NDArray[np.uint8], profile: IccProfile) -> NDArray[np.uint8]:
    """The colours of `numbers`, (height, width, channels), 0 for no ink, as (height, width, 3) in sRGB.

    Of four inks black is mixed into the three others, which is what browsers look up: their CMYK was made RGB before.
    """
    table = profile.table
    if table is None:
        raise AssertionError
    flat = numbers.reshape(-1, numbers.shape[-1])
    srgb = np.empty((len(flat), 3), np.uint8)
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    first = [np.clip(curve(levels), 0, 1) for curve in table.first] or [levels] * table.channels
    if table.channels == 4:
        table, first = _without_black(table, first), first[:3]
    for start in range(0, len(flat), STRIP):
        part = flat[start : start + STRIP]
        colours = _through(_folded(part) if part.shape[1] == 4 else part, table, first)
        srgb[start : start + STRIP] = _finished(colours, profile)
    return srgb.reshape(*numbers.shape[:-1], 3)


def _folded(inks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    whites = 255 - inks.astype(np.uint16)
    return (255 - whites[:, :3] * whites[:, 3:] // 255).astype(np.uint8)


def _without_black(table: Table, first: list[Floats]) -> Table:
    """The table for three inks that is left of one for four where there is no black."""
    if table.grid is None:
        raise AssertionError
    *points, last = table.grid.points
    colours = table.grid.colours.reshape(-1, last, 3)
    place = float(first[3][0]) * (last - 1)
    low = min(int(place), last - 2)
    mixed = colours[:, low] + (colours[:, low + 1] - colours[:, low]) * np.float32(place - low)
    return replace(table, channels=3, grid=Grid(tuple(points), mixed))


def _through(part: NDArray[np.uint8], table: Table, first: list[Floats]) -> Floats:
    """A profile's colours of some pixels: Lab or XYZ, as the table has them."""
    if table.grid is not None:
        colours = between(part, table.grid, first)
    else:
        colours = np.stack([first[channel][part[:, channel]] for channel in range(3)])
    for channel, curve in enumerate(table.middle):
        colours[channel] = curve(colours[channel])
    if table.matrix is not None:
        colours = table.matrix[:, :3] @ colours + table.matrix[:, 3:]
    for channel, curve in enumerate(table.last):
        colours[channel] = curve(colours[channel])
    return colours


def between(part: NDArray[np.uint8], grid: Grid, first: list[Floats]) -> Floats:
    """The mean of the grid's points around each pixel, weighted channel by channel: all 8 or 16 of them."""
    index = np.zeros((1, len(part)), np.int32)
    shares = []
    step = 1
    for channel in reversed(range(len(grid.points))):
        place = first[channel] * np.float32(grid.points[channel] - 1)
        low = np.minimum(place.astype(np.int32), grid.points[channel] - 2)
        level = part[:, channel]
        index = index + (low * step)[level]
        index = np.concatenate([index, index + step])
        shares.append((place - low)[level])
        step *= grid.points[channel]
    colours = np.stack([np.take(column, index) for column in np.ascontiguousarray(grid.colours.T)])
    for share in reversed(shares):
        half = colours.shape[1] // 2
        low_half, high_half = colours[:, :half], colours[:, half:]
        colours = low_half + (high_half - low_half) * share
    return colours[:, 0]


def _finished(colours: Floats, profile: IccProfile) -> NDArray[np.uint8]:
    """Lab or XYZ as sRGB."""
    if profile.pcs == b"Lab ":
        colours = _from_lab(colours)
    back = _inverted(profile.matrix)
    if profile.matrix is not None and back is not None and profile.curves is not None:
        # Browsers keep it in the space that the profile's matrix tells, and only in whole levels.
        curve = profile.one_curve or SRGB_CURVE
        levels = _encoded(back @ colours, curve if curve.parameters[0] > 0 else SRGB_CURVE)
        colours = profile.matrix @ _decoded(curve)[levels]
    return _from_xyz(colours)


def _inverted(matrix: Floats | None) -> NDArray[np.float64] | None:
    try:
        inverse = None if matrix is None else np.linalg.inv(matrix.astype(np.float64))
    except np.linalg.LinAlgError:
        return None
    return inverse if inverse is not None and np.isfinite(inverse).all() else None


def by_curves(
    numbers: NDArray[np.uint8], curves: tuple[Curve, Curve, Curve], matrix: Floats
) -> NDArray[np.uint8]:
    """The colours of `numbers`, (height, width, 3), of a display whose curves are tables or differ, in sRGB.

    Browsers keep the gamut of such a profile, but bring its curves to sRGB's first, in whole levels.
    """
    flat = numbers.reshape(-1, 3)
    srgb = np.empty((len(flat), 3), np.uint8)
    light = [_decoded(SRGB_CURVE)[_to_srgb_curve(curve)] for curve in curves]
    for start in range(0, len(flat), STRIP):
        part = flat[start : start + STRIP]
        srgb[start : start + STRIP] = _from_xyz(
            matrix @ np.stack([light[channel][part[:, channel]] for channel in range(3)])
        )
    return srgb.reshape(numbers.shape)


def _to_srgb_curve(curve: Curve) -> NDArray[np.uint8]:
    """For each level by `curve` that by sRGB's curve; the same one where the two are near each other."""
    count = 256 if curve.table is None else max(256, len(curve.table))
    steps = np.linspace(0, 1, count, dtype=np.float32)
    light = curve(steps)
    back = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)
    if np.abs(back - steps).max() < NEAR_SRGB:
        return np.arange(256, dtype=np.uint8)
    return _encoded(_decoded(curve), SRGB_CURVE)


def _from_xyz(colours: Floats) -> NDArray[np.uint8]:
    light = np.linalg.inv(TO_XYZ).astype(np.float32) @ colours
    levels: NDArray[np.uint8] = _srgb_levels()[(np.clip(light, 0, 1) * STEPS + 0.5).astype(np.int32)].T
    return levels


def _from_lab(colours: Floats) -> Floats:
    light = (colours[0] * 100 + 16) / 116
    parts = np.stack(
        [light + (colours[1] * 255 - 128) / 500, light, light - (colours[2] * 255 - 128) / 200]
    ).astype(np.float32)
    cubes = parts * parts * parts
    xyz = np.where(cubes > np.float32(0.008856), cubes, (parts - np.float32(16 / 116)) / np.float32(7.787))
    return np.asarray(xyz * np.array(D50, np.float32)[:, np.newaxis], np.float32)


def _decoded(curve: Curve) -> Floats:
    """The light of each of 256 levels."""
    return curve(np.arange(256, dtype=np.float32) / np.float32(255))


def _encoded(light: NDArray[Any], curve: Curve) -> NDArray[np.uint8]:
    """The nearest levels to `light`, clipped, by a parametric curve that rises."""
    g, a, b, c, d, e, f = curve.parameters
    edge = c * d + f
    scale = _power(a, -g) if a > 0 else 0.0
    # The power's other way round, and what is left at 1 made even.
    inner = np.maximum(np.float32(scale) * light.astype(np.float32) - np.float32(scale * e), 0)
    even = 1 - _power(scale * _power(a + b, g), 1 / g)
    levels = quick_power(inner, 1 / g) + np.float32(even)
    if edge > 0 and c > 0:
        levels = np.where(light < edge, (light - f) / c, levels)
    rounded: NDArray[np.uint8] = (np.clip(levels, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return rounded


def _power(base: float, exponent: float) -> float:
    return float(quick_power(np.array([base], np.float32), exponent)[0])


@lru_cache(maxsize=1)
def _srgb_levels() -> NDArray[np.uint8]:
    return _encoded(np.arange(STEPS + 1) / STEPS, SRGB_CURVE)
