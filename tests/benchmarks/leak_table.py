"""The leak's two figures against planted truth: what moved at all, and what one would see.

On every photo something is planted outside the mask, or nothing is: an object, a face, text, a shadow. Then the whole
answer is spoilt as models and files do it: grain, JPEG, shifts, casts, other light. The true share is that of the
protected pixels which the plant, by itself, moved by more than the leak's threshold. Exits with 1 where the mean of
what is seen is off by more than a percentage point in a row.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
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
from tests.benchmarks._photos import PHOTOS, photos  # noqa: E402
from ttapi_nb.fit import LEAK_THRESHOLD, measure_leak  # noqa: E402

CLOSE = 0.01


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


def main() -> int:
    """Print the table; returns 1 where what is seen is not what was planted."""
    print(f"{'planted':12}{'spoilt':18}{'true':>8}{'moved':>8}{'seen':>8}{'off, mean':>11}{'worst':>8}  on")
    lost = 0
    seconds = []
    for plant, made in PLANTS.items():
        for spoil, steps in SPOILS.items():
            rows = []
            for photo, picture, mask in photos():
                meant, came = Answer(spoil, steps, made).made(picture, mask)
                outside = mask.coverage() == 0
                planted = np.abs(np.asarray(meant, int) - np.asarray(picture)).max(axis=2) > LEAK_THRESHOLD
                start = time.perf_counter()
                leak = measure_leak(picture, came, mask)
                seconds.append(time.perf_counter() - start)
                if leak is None or leak.seen is None:
                    raise AssertionError("a mask that protects nothing")
                true = float(planted[outside].mean())
                rows.append((true, leak.share, leak.seen, abs(leak.seen - true), photo.name))
            true, moved, seen, off = (float(np.mean([one[at] for one in rows])) for at in range(4))
            worst = max(rows, key=lambda one: one[3])
            good = off <= CLOSE
            lost += not good
            print(
                f"{plant:12}{spoil:18}{true:8.1%}{moved:8.1%}{seen:8.1%}{off:11.2%}{worst[3]:8.1%}  {worst[4]}"
                f"{'' if good else '  <- off'}",
                flush=True,
            )
    print(f"{np.mean(seconds):.3f} s each.")
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
