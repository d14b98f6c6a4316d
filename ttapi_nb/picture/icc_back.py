"""From sRGB to a device's numbers where a profile only tells the other way: its table is searched.

Scanners' and cameras' profiles have no table for the way back.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .icc import Floats, Grid, IccProfile
from .icc_table import between, by_table

__all__ = ["searched"]

# Steps of each channel, of the device and of sRGB, and targets that are looked for at a time.
DEVICE, TARGETS, AT_ONCE = 21, 17, 512
STRIP = 1 << 16
# How far a step of the search may go along a channel that hardly matters.
DAMPING = 2.0


def searched(colours: NDArray[np.uint8], profile: IccProfile) -> NDArray[np.uint8]:
    """The numbers of `colours`, (height, width, 3) in sRGB, that the profile's table brings nearest to them; of four
    inks the last stays 0.
    """
    grid = _inverse(profile)
    levels = [np.arange(256, dtype=np.float32) / np.float32(255)] * 3
    flat = colours.reshape(-1, 3)
    numbers = np.zeros((len(flat), profile.table.channels if profile.table is not None else 3), np.uint8)
    for start in range(0, len(flat), STRIP):
        part = between(flat[start : start + STRIP], grid, levels)
        numbers[start : start + STRIP, :3] = np.rint(part.T * 255)
    return numbers.reshape(*colours.shape[:-1], numbers.shape[1])


@lru_cache(maxsize=4)
def _inverse(profile: IccProfile) -> Grid:
    """For a lattice of sRGB's colours the device's numbers, 0 to 1."""
    device = _lattice(DEVICE)
    shown = _shown(device, profile)
    targets = _lattice(TARGETS)
    near = np.empty(len(targets), np.intp)
    lengths = (shown**2).sum(axis=1)
    for start in range(0, len(targets), AT_ONCE):
        part = targets[start : start + AT_ONCE] * 255
        near[start : start + AT_ONCE] = (lengths - 2 * part @ shown.T).argmin(axis=1)
    best = device[near]
    # From the nearest on, a few steps along the table's slopes, as long as they come nearer.
    step = 1 / (DEVICE - 1)
    off = targets * 255 - _shown(best, profile)
    for _ in range(4):
        slopes = np.empty((len(best), 3, 3), np.float32)
        for channel in range(3):
            ends = np.repeat(best[np.newaxis], 2, axis=0)
            ends[0, :, channel] = np.maximum(best[:, channel] - step, 0)
            ends[1, :, channel] = np.minimum(best[:, channel] + step, 1)
            width = (ends[1] - ends[0])[:, channel, np.newaxis]
            slopes[:, :, channel] = (_shown(ends[1], profile) - _shown(ends[0], profile)) / width
        turned = slopes.transpose(0, 2, 1)
        moves = np.linalg.solve(
            turned @ slopes + DAMPING * np.eye(3, dtype=np.float32), turned @ off[..., np.newaxis]
        )
        tried = np.clip(best + moves[..., 0], 0, 1).astype(np.float32)
        left = targets * 255 - _shown(tried, profile)
        better = (left**2).sum(axis=1) < (off**2).sum(axis=1)
        best[better], off[better] = tried[better], left[better]
    return Grid((TARGETS,) * 3, best)


def _lattice(count: int) -> Floats:
    steps = np.linspace(0, 1, count, dtype=np.float32)
    points: Floats = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return points


def _shown(device: Floats, profile: IccProfile) -> Floats:
    numbers = np.rint(device * 255).astype(np.uint8)
    if profile.table is not None and profile.table.channels == 4:
        numbers = np.pad(numbers, ((0, 0), (0, 1)))
    colours: Floats = by_table(numbers[np.newaxis], profile)[0].astype(np.float32)
    return colours
