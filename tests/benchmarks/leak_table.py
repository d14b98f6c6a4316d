"""The leak's two figures against planted truth: what moved at all, and what one would see.

On every photo something is planted outside the mask, or nothing is: an object, a face, text, a shadow. Then the whole
answer is spoilt as models and files do it: grain, JPEG, shifts, casts, other light. The true share is that of the
protected pixels which the plant, by itself, moved by more than the leak's threshold. Exits with 1 where the mean of
what is seen is off by more than a percentage point in a row. The photos come with `pip install scikit-image
scikit-learn matplotlib`; without them nothing is run.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

# The scripts in `tests` are no package, so their home has to be known first.
import ttapi_nb as tt  # noqa: E402
from tests.benchmarks._answers import (  # noqa: E402
    Answer,
    Spoil,
    blurred,
    cast,
    grain,
    jpeg,
    relit,
    scaled,
    shifted,
    times,
)
from tests.benchmarks._bench import Table  # noqa: E402
from tests.benchmarks._photos import PHOTOS, Photo, need_photos  # noqa: E402
from ttapi_nb.fit import LEAK_THRESHOLD, measure_leak  # noqa: E402

CLOSE = 0.01


@dataclass(frozen=True)
class Row:
    """What was planted on a photo, what moved at all and what is seen, as shares; and seconds of processor."""

    photo: str
    true: float
    moved: float
    seen: float
    seconds: float

    @property
    def off(self) -> float:
        """By how much what is seen is off."""
        return abs(self.seen - self.true)


def corner(photo: Image.Image, mask: tt.Mask, share: float) -> tuple[int, int, int, int]:
    """A box of that share of the photo's sides, in the corner where least is masked."""
    wide, high = round(photo.width * share), round(photo.height * share)
    covered = mask.coverage() > 0
    boxes = [
        (left, top, left + wide, top + high)
        for left in (photo.width // 40, photo.width - wide - photo.width // 40)
        for top in (photo.height // 40, photo.height - high - photo.height // 40)
    ]
    return min(boxes, key=lambda box: covered[box[1] : box[3], box[0] : box[2]].mean())


def nothing(photo: Image.Image, mask: tt.Mask) -> Image.Image:
    """The photo."""
    return photo


def thing(photo: Image.Image, mask: tt.Mask) -> Image.Image:
    """A green vase."""
    planted = photo.copy()
    box = corner(photo, mask, 0.2)
    draw = ImageDraw.Draw(planted)
    draw.ellipse(box, (40, 120, 70))
    middle = (box[0] + box[2]) // 2
    draw.ellipse((middle - 8, box[1] + 6, middle + 8, box[1] + 26), (150, 220, 170))
    return planted


def face(photo: Image.Image, mask: tt.Mask) -> Image.Image:
    """A face that was not there."""
    officer = next(one for one in PHOTOS if one.name == "officer").open().crop((170, 130, 350, 370))
    box = corner(photo, mask, 0.2)
    size = box[2] - box[0], box[3] - box[1]
    stencil = Image.new("L", size)
    ImageDraw.Draw(stencil).ellipse((2, 2, size[0] - 2, size[1] - 2), 255)
    planted = photo.copy()
    planted.paste(officer.resize(size), box[:2], stencil.filter(ImageFilter.GaussianBlur(1)))
    return planted


def text(photo: Image.Image, mask: tt.Mask) -> Image.Image:
    """A word."""
    box = corner(photo, mask, 0.3)
    grey = np.asarray(photo.convert("L"))[box[1] : box[3], box[0] : box[2]].mean()
    planted = photo.copy()
    size = (box[2] - box[0]) / 3
    ImageDraw.Draw(planted).text(box[:2], "SALE\n-20%", "black" if grey > 127 else "white", font_size=size)
    return planted


def shadow(photo: Image.Image, mask: tt.Mask) -> Image.Image:
    """A soft shadow."""
    box = corner(photo, mask, 0.3)
    shade = Image.new("L", photo.size, 255)
    ImageDraw.Draw(shade).ellipse(box, 140)
    shade = shade.filter(ImageFilter.GaussianBlur(photo.width / 60))
    darker = np.asarray(photo, np.float32) * (np.asarray(shade, np.float32)[..., None] / 255)
    return Image.fromarray(darker.astype(np.uint8))


PLANTS: dict[str, Callable[[Image.Image, tt.Mask], Image.Image]] = {
    "nothing": nothing,
    "an object": thing,
    "a face": face,
    "text": text,
    "a shadow": shadow,
}
SPOILS: dict[str, tuple[Spoil, ...]] = {
    "as it is": (),
    "grain": (grain(6),),
    "JPEG at 50": (jpeg(50),),
    "softer": (blurred(1.2),),
    "warm cast": (cast(14, 4, -12),),
    "times 0.7": (times(0.7),),
    "relit": (relit(0.8, 1.15),),
    "shifted 3 px": (shifted(3, -1),),
    "shifted 0.6 px": (shifted(0.6, 0.4),),
    "scaled 1%": (scaled(1.01),),
    "hosted": (blurred(0.8), grain(3), cast(12, 2, -9), relit(0.96, 1.06)),
}


def _given(picture: Image.Image, photo: Image.Image, mask: tt.Mask) -> Image.Image:
    return picture


def rows_of(photo: Photo) -> dict[tuple[str, str], Row]:
    """One photo with everything planted, spoilt in every way."""
    picture = photo.open()
    mask = photo.mask(picture.size)
    outside = mask.coverage() == 0
    rows = {}
    for plant, made in PLANTS.items():
        meant = made(picture, mask)
        kept = partial(_given, meant)
        planted = np.abs(np.asarray(meant, int) - np.asarray(picture)).max(axis=2) > LEAK_THRESHOLD
        true = float(planted[outside].mean())
        for spoil, steps in SPOILS.items():
            _, came = Answer(spoil, steps, kept).made(picture, mask)
            start = time.process_time()
            leak = measure_leak(picture, came, mask)
            spent = time.process_time() - start
            if leak is None or leak.seen is None:
                raise AssertionError("a mask that protects nothing")
            rows[plant, spoil] = Row(photo.name, true, leak.share, leak.seen, spent)
    return rows


def main() -> int:
    """Print the table; returns 1 where what is seen is not what was planted."""
    need_photos()
    # Photos side by side: each is alone with what is planted on it.
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(rows_of, PHOTOS))
    print(f"{'planted':12}{'spoilt':18}{'true':>8}{'moved':>8}{'seen':>8}{'off, mean':>11}{'worst':>8}  on")
    lost = 0
    for plant in PLANTS:
        for spoil in SPOILS:
            rows = [of_photo[plant, spoil] for of_photo in found]
            true, moved, seen, off = (
                float(np.mean([getattr(one, name) for one in rows]))
                for name in ("true", "moved", "seen", "off")
            )
            worst = max(rows, key=lambda one: one.off)
            good = off <= CLOSE
            lost += not good
            print(
                f"{plant:12}{spoil:18}{true:8.1%}{moved:8.1%}{seen:8.1%}{off:11.2%}{worst.off:8.1%}  {worst.photo}"
                f"{'' if good else '  <- off'}"
            )
    seconds = [one.seconds for of_photo in found for one in of_photo.values()]
    print(f"{np.mean(seconds):.3f} s of processor each, {len(seconds)} in all.")
    print(
        "What is seen is what was planted."
        if not lost
        else f"What is seen is NOT what was planted in {lost} rows."
    )
    table = Table("The leak's figures")
    table.count(f"rows of {len(PLANTS) * len(SPOILS)} in which what is seen is off", lost, 0)
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
