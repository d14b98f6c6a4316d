"""`Alignment`: the one move that most of many places agree on, and what does not follow it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Alignment", "Numbers", "bent_by", "displaced", "fitted"]

# Places, moves and spectra.
Numbers: TypeAlias = NDArray[Any]

# Tiles that agree to this many pixels are of one mind.
AGREE = 0.6
# Scale and turn have to move something in the picture by so many pixels, and to explain so much more.
LEAST_BEND, EXPLAINS = 0.35, 0.8
# Beside the mask tiles that are off by more than this, after all, are bent.
BENT = 1.2


@dataclass(frozen=True)
class Alignment:
    """tx, ty, a, b: a point (x, y) of the source lies at (x + tx + a x - b y, y + ty + b x + a y) in the answer."""

    model: Numbers
    sure: float
    bent: float


def displaced(model: Numbers, points: Numbers) -> Numbers:
    """By how much a model moves each of these points, (points, 2)."""
    tx, ty, a, b = model
    x, y = points[:, 0], points[:, 1]
    return np.stack((tx + a * x - b * y, ty + b * x + a * y), axis=1)


def fitted(points: Numbers, by: Numbers, weight: Numbers, turning: bool) -> tuple[Numbers, float]:
    """The move that most tiles agree on, and the share of their weight that does."""
    middle = np.median(by, axis=0)
    shift = np.array([middle[0], middle[1], 0.0, 0.0])
    shift = _robust(points, by, weight, shift, turning=False)
    models = [shift]
    if turning and len(points) >= 8:
        models.append(_robust(points, by, weight, shift, turning=True))
    told = []
    for model in models:
        left = np.hypot(*(by - displaced(model, points)).T)
        told.append(
            (
                float((weight * (left < AGREE)).sum() / weight.sum()),
                float((np.minimum(left, 3) * weight).sum()),
            )
        )
    if len(models) == 1:
        return shift, told[0][0]
    span = np.ptp(points, axis=0).max()
    bends = math.hypot(models[1][2], models[1][3]) * span / 2
    if bends > LEAST_BEND and told[1][1] < EXPLAINS * told[0][1] and told[1][0] >= told[0][0]:
        return models[1], told[1][0]
    return shift, told[0][0]


def _robust(
    points: Numbers,
    by: Numbers,
    weight: Numbers,
    model: Numbers,
    turning: bool,
) -> Numbers:
    x, y = points[:, 0], points[:, 1]
    zero, one = np.zeros_like(x), np.ones_like(x)
    across = np.stack((one, zero, x, -y), axis=1)
    down = np.stack((zero, one, y, x), axis=1)
    design = np.concatenate((across, down))[:, : 4 if turning else 2]
    target = np.concatenate((by[:, 0], by[:, 1]))
    for number in range(10):
        left = np.hypot(*(by - displaced(model, points)).T)
        # Wide at first, so that those far out are heard too.
        scale = max(AGREE / 2, 4.0 / 2**number)
        share = weight / (1 + (left / scale) ** 2) ** 2
        root = np.sqrt(np.concatenate((share, share)))
        solved = np.linalg.lstsq(design * root[:, None], target * root, rcond=None)[0]
        model = np.concatenate((solved, np.zeros(4 - len(solved))))
    return model


def bent_by(middles: Numbers, left: Numbers, side: int) -> float:
    """By how much tiles are off where their neighbours are off the same way; what is off by itself is noise."""
    if len(left) < 4:
        return 0.0
    away = np.abs(middles[:, None] - middles[None]).max(axis=2)
    beside = (away <= side * 0.6) & (away > 0)
    together = (left @ left.T)[beside]
    bent = float(np.percentile(np.hypot(*left.T), 70))
    alike = float(together.mean() / max(float((left**2).sum(axis=1).mean()), 1e-9)) if len(together) else 0.0
    return bent if BENT < bent < side / 4 and alike > 0.3 else 0.0
