"""The offline fill at 20 megapixels: how sharp it is beside the photo around it, and seconds of processor.

The photos are those of `_photos` that are here (the sample always is), mirrored side by side to 5472x3648. Sharpness is
the mean Laplacian, in levels. Beside the fill as it is stand that without the photo's detail.

    sharpness.py [--sheets FOLDER]

`--sheets` saves contact sheets there: the photo, the fill without detail and with it, whole and two parts at 100 %.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.benchmarks._bench import Table, cpu
from tests.benchmarks._photos import PHOTOS

SIZE = (5472, 3648)
HOLE = (1800, 1100, 3700, 2600)
# Sharper than that it is grain, and softer it is a blur.
SHARPEST, SOFTEST = 1.6, 0.5
LOOKS = ((1900, 1500, 2300, 1900), (3400, 1700, 3800, 2100))
Array = NDArray[Any]


def large(picture: Image.Image) -> Image.Image:
    """A photo mirrored side by side: what is enlarged has nothing sharp in it."""
    pixels = np.asarray(picture)
    room = (
        (0, max(0, SIZE[1] - pixels.shape[0])),
        (0, max(0, SIZE[0] - pixels.shape[1])),
        (0, 0),
    )
    return Image.fromarray(np.pad(pixels, room, "symmetric")[: SIZE[1], : SIZE[0]])


def laplacian(picture: Image.Image) -> Array:
    """How much each pixel differs from the mean of its neighbours."""
    grey = np.asarray(picture.convert("L"), np.float32)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return np.abs(np.pad(grey[1:-1, 1:-1] - around / 4, 1))


def ellipse(by: int) -> tt.Mask:
    """The hole, so many pixels larger on each side."""
    return tt.Mask(SIZE).ellipse((HOLE[0] - by, HOLE[1] - by, HOLE[2] + by, HOLE[3] + by))


@contextmanager
def without_detail() -> Iterator[None]:
    """The fill as it was made before it had the photo's detail."""
    with (
        patch("ttapi_nb.service.paint.detail_of", lambda *_: None),
        patch("ttapi_nb.run.making.finer", lambda part, *_: part),
    ):
        yield


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sheets", type=Path)
    sheets = parser.parse_args().sheets
    table = Table("The offline fill at 20 megapixels")
    mask = ellipse(0)
    inside = ellipse(-50).coverage() > 0
    beside = (ellipse(200).coverage() > 0) & (mask.coverage() == 0)
    for photo in PHOTOS:
        if not photo.is_here:
            table.say(f"{photo.name}: not here, needs {photo.package}")
            continue
        picture = tt.open_image(large(photo.open()))
        made: dict[str, Image.Image] = {"photo": picture.pixels}

        def fill(name: str, picture: tt.SourceImage = picture, made: dict[str, Image.Image] = made) -> None:
            run = tt.edit(picture, "the ground", mask=mask, client=tt.Client.offline(), log=False)
            made[name] = run.results[0].image

        with without_detail():
            before = cpu(lambda: fill("without"))
        now = cpu(lambda: fill("with"))
        ring = float(laplacian(picture.pixels)[beside].mean())
        soft, sharp = (float(laplacian(made[name])[inside].mean()) for name in ("without", "with"))
        note = f"{sharp:.2f} where the ring has {ring:.2f}; {soft:.2f} without"
        table.count(f"{photo.name}: sharpness", sharp / ring, SHARPEST, "times the ring's", note=note)
        table.count(f"{photo.name}: softness", ring / sharp, 1 / SOFTEST, "times as soft as the ring")
        table.compare(f"{photo.name}: seconds of processor", [now], [before], 2)
        if sheets:
            sheets.mkdir(parents=True, exist_ok=True)
            sheet = Image.new("RGB", (620 * len(made), 1240), "white")
            for number, one in enumerate(made.values()):
                sheet.paste(one.resize((608, 405)), (620 * number, 0))
                for place, box in enumerate(LOOKS):
                    sheet.paste(one.crop(box), (620 * number, 415 + 410 * place))
            sheet.save(sheets / f"fill, {photo.name}.png")
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
