"""Photos with a mask drawn on each: the sample, and those that ship inside scikit-image, scikit-learn and matplotlib.

`pip install scikit-image scikit-learn matplotlib` brings them, into an environment of their own if you like
(`python -m venv --system-site-packages photos`); they are read where those packages keep them, and nothing is
copied. They are not in the project's lock: a table that needs them says so, and ends well. Masks are drawn by hand,
in shares of the photo's width and height.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import ttapi_nb as tt
from tests.benchmarks._bench import not_run

Points = tuple[tuple[float, float], ...]

MISSING = (
    "The photos of this benchmark ship inside other packages. Get them: "
    "pip install scikit-image scikit-learn matplotlib"
)


@dataclass(frozen=True)
class Photo:
    """Where a photo is, and what is masked on it: polygons, ellipses by their boxes, and strokes with their radius."""

    name: str
    package: str
    path: str
    polygons: tuple[Points, ...] = ()
    ellipses: tuple[tuple[float, float, float, float], ...] = ()
    strokes: tuple[tuple[Points, float], ...] = ()

    def file(self) -> Path | None:
        """The photo's file, or None where its package is not installed."""
        found = importlib.util.find_spec(self.package)
        places = found.submodule_search_locations if found is not None else None
        return Path(places[0]) / self.path if places else None

    @property
    def is_here(self) -> bool:
        """Whether its package is installed."""
        file = self.file()
        return file is not None and file.exists()

    def open(self) -> Image.Image:
        """The photo in RGB."""
        file = self.file()
        assert file is not None
        with Image.open(file) as picture:
            return picture.convert("RGB")

    def mask(self, size: tuple[int, int]) -> tt.Mask:
        """The mask for the photo at `size`."""
        width, height = size
        mask = tt.Mask(size)
        for points in self.polygons:
            mask = mask.polygon([(x * width, y * height) for x, y in points])
        for left, top, right, bottom in self.ellipses:
            mask = mask.ellipse((left * width, top * height, right * width, bottom * height))
        for points, radius in self.strokes:
            mask = mask.paint([(x * width, y * height) for x, y in points], radius=radius * width)
        return mask


SKIMAGE, SKLEARN, MATPLOTLIB = "skimage", "sklearn", "matplotlib"

PHOTOS = (
    Photo("fig", "ttapi_nb", "samples/sample.jpg", ellipses=((0.26, 0.30, 0.77, 0.77),)),
    Photo(
        "astronaut",
        SKIMAGE,
        "data/astronaut.png",
        polygons=(
            (
                (0.56, 0.70),
                (0.66, 0.65),
                (0.86, 0.65),
                (0.98, 0.74),
                (0.99, 0.93),
                (0.62, 0.98),
                (0.53, 0.88),
            ),
        ),
    ),
    Photo("cat's eye", SKIMAGE, "data/chelsea.png", ellipses=((0.28, 0.22, 0.49, 0.50),)),
    Photo(
        "coffee",
        SKIMAGE,
        "data/coffee.png",
        polygons=(((0.27, 0.10), (0.36, 0.03), (0.62, 0.04), (0.68, 0.18), (0.63, 0.50), (0.36, 0.50)),),
    ),
    Photo(
        "rocket",
        SKIMAGE,
        "data/rocket.jpg",
        polygons=(((0.46, 0.28), (0.55, 0.28), (0.58, 0.60), (0.57, 0.86), (0.44, 0.86), (0.43, 0.60)),),
    ),
    Photo(
        "motorcycle",
        SKIMAGE,
        "data/motorcycle_left.png",
        polygons=(((0.36, 0.36), (0.54, 0.30), (0.68, 0.42), (0.66, 0.76), (0.44, 0.80), (0.34, 0.60)),),
    ),
    Photo("galaxies", SKIMAGE, "data/hubble_deep_field.jpg", ellipses=((0.55, 0.38, 0.85, 0.68),)),
    Photo(
        "retina",
        SKIMAGE,
        "data/retina.jpg",
        ellipses=((0.05, 0.36, 0.27, 0.58),),
        strokes=((((0.25, 0.30), (0.45, 0.22), (0.62, 0.26)), 0.03),),
    ),
    Photo("tissue", SKIMAGE, "data/ihc.png", ellipses=((0.52, 0.58, 0.76, 0.92),)),
    Photo(
        "cameraman",
        SKIMAGE,
        "data/camera.png",
        polygons=(((0.50, 0.24), (0.66, 0.22), (0.67, 0.56), (0.78, 0.98), (0.44, 0.98), (0.54, 0.56)),),
    ),
    Photo("coins", SKIMAGE, "data/coins.png", ellipses=((0.42, 0.56, 0.78, 0.76),)),
    Photo("bricks", SKIMAGE, "data/brick.png", ellipses=((0.30, 0.32, 0.68, 0.66),)),
    Photo(
        "pagoda",
        SKLEARN,
        "datasets/images/china.jpg",
        polygons=(((0.10, 0.36), (0.22, 0.06), (0.34, 0.06), (0.56, 0.40), (0.56, 0.62), (0.12, 0.60)),),
    ),
    Photo("dahlia", SKLEARN, "datasets/images/flower.jpg", ellipses=((0.24, 0.16, 0.74, 0.84),)),
    Photo(
        "officer",
        MATPLOTLIB,
        "mpl-data/sample_data/grace_hopper.jpg",
        polygons=(((0.30, 0.22), (0.70, 0.22), (0.72, 0.46), (0.62, 0.62), (0.40, 0.62), (0.30, 0.46)),),
    ),
)


def need_photos() -> None:
    """End the script with a sentence where packages that hold photos are not there."""
    if not all(photo.is_here for photo in PHOTOS):
        not_run(MISSING)


def photos() -> Iterator[tuple[Photo, Image.Image, tt.Mask]]:
    """Every photo with its mask; ends the script with a sentence where the packages are not there."""
    need_photos()
    for photo in PHOTOS:
        picture = photo.open()
        yield photo, picture, photo.mask(picture.size)
