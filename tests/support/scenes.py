"""Photos of which the thing to select is known: drawn on grounds that make it hard, and the sample, traced by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from ttapi_nb import sample

__all__ = ["SCENES", "Scene", "iou"]

Pixels = NDArray[np.float32]
Point = tuple[float, float]

# The halved fig of the sample photo with its stem, traced at six times its size.
FIG = [
    *((327, 465), (335, 464), (345, 464), (360, 463), (380, 462.5), (400, 461), (420, 456.5), (440, 447)),
    *(
        (455, 437),
        (460, 431),
        (470, 420),
        (480, 412),
        (490, 403),
        (500, 396),
        (510, 388),
        (520, 381),
        (530, 378),
    ),
    *((540, 375), (560, 369.5), (580, 367), (600, 365.5), (620, 367), (640, 370), (650, 374), (660, 378.5)),
    *(
        (680, 389),
        (690, 395),
        (700, 405.5),
        (710, 416),
        (720, 428),
        (730, 442),
        (740, 461),
        (745, 473),
        (750, 486),
    ),
    *((753, 502.5), (754, 517), (753, 530), (750, 544), (747, 560), (743.5, 571), (740, 584), (737, 595)),
    *(
        (729.5, 605),
        (727, 614),
        (722, 624.5),
        (719, 635),
        (717.5, 641.5),
        (711, 655.5),
        (707, 667),
        (701.5, 677),
    ),
    *((695, 689), (688, 700.5), (682, 715), (673.5, 726.5), (664, 738), (655, 745), (640, 754), (625, 759.5)),
    *((610, 763), (591, 766), (580, 766), (561, 763), (542, 759), (522.5, 748.5), (511, 738), (503.5, 730.5)),
    *(
        (492, 719),
        (482.5, 709.5),
        (473, 700),
        (463, 692),
        (455.5, 682.5),
        (446, 670),
        (439, 658.5),
        (431, 640.5),
    ),
    *((424, 623), (419, 608), (414.5, 590.5), (410.5, 575), (409, 561), (408, 544), (403, 523.5), (398, 512)),
    *((392.5, 509), (381, 506), (366.5, 502.5), (354, 504.5), (346.5, 503.5), (335, 504), (324.5, 503.5)),
    *((321.5, 494), (323, 479.5), (325.5, 469)),
]


@dataclass(frozen=True)
class Scene:
    """A photo, how it is made, and where a person would click.

    `make()` gives the photo and the truth, a (height, width) array of bool. `clicks` are three on the thing, or on what
    is not (label 0), in the order in which a person would add them.
    """

    name: str
    make: Callable[[], tuple[Image.Image, NDArray[np.bool_]]]
    clicks: tuple[tuple[Point, int], ...]

    @cached_property
    def made(self) -> tuple[Image.Image, NDArray[np.bool_]]:
        """The photo and its truth."""
        return self.make()

    def box(self) -> tuple[float, float, float, float]:
        """A box around the thing as a person would drag it, a little wider on each side."""
        truth = self.made[1]
        rows, columns = np.flatnonzero(truth.any(axis=1)), np.flatnonzero(truth.any(axis=0))
        height, width = truth.shape
        room = 0.02 * max(height, width)
        left, top = max(0.0, columns[0] - room), max(0.0, rows[0] - room)
        return left, top, min(width, columns[-1] + 1 + room), min(height, rows[-1] + 1 + room)


def iou(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """The overlap of two regions: what both have, as a share of what either has, 0 to 1."""
    return float((found & truth).sum() / max(1, (found | truth).sum()))


def _noise(seed: int, width: int, height: int, size: int, strength: float, channels: int = 3) -> Pixels:
    """Blotches of about `size` pixels."""
    grain = np.random.default_rng(seed).normal(0, 1, (-(-height // size), -(-width // size), channels))
    bands = [
        Image.fromarray(grain[..., band].astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
        for band in range(channels)
    ]
    return np.stack([np.asarray(band) for band in bands], axis=-1) * np.float32(strength)


def _plain(width: int, height: int, colour: tuple[int, int, int], slope: float = 30) -> Pixels:
    """One colour, lit from the upper left."""
    light = np.add.outer(np.linspace(1, -1, height), np.linspace(1, -1, width)) * slope / 2
    return (np.array(colour, np.float32) + light[..., None]).astype(np.float32)


def _grain(seed: int, width: int, height: int, colour: tuple[int, int, int], strength: float = 26) -> Pixels:
    """Wood, with lines along it."""
    lines = _noise(seed, 4, height, 3, strength, 1)[:, :1]
    waves = _noise(seed + 1, width, height, 90, strength / 2, 1)
    return _plain(width, height, colour) + lines + waves + _noise(seed + 2, width, height, 1, 4, 1)


def _put(
    ground: Pixels, thing: Pixels, shape: Image.Image, blur: float = 0.8
) -> tuple[Image.Image, NDArray[np.bool_]]:
    """The thing on the ground where the shape is white, with edges as soft as a lens makes them."""
    soft = np.asarray(shape.filter(ImageFilter.GaussianBlur(blur)), np.float32)[..., None] / 255
    pixels = ground * (1 - soft) + thing * soft
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), np.asarray(shape) >= 128


def _shape(width: int, height: int, draw: Callable[[ImageDraw.ImageDraw], None]) -> Image.Image:
    shape = Image.new("L", (width, height))
    draw(ImageDraw.Draw(shape))
    return shape


def _ball() -> tuple[Image.Image, NDArray[np.bool_]]:
    shape = _shape(1024, 768, lambda pen: pen.ellipse((380, 250, 680, 550), fill=255))
    down, across = np.mgrid[:768, :1024].astype(np.float32)
    shade = 90 - np.hypot(across - 470, down - 340)[..., None] * 0.45
    thing = np.array((190, 60, 50), np.float32) + shade
    return _put(_plain(1024, 768, (150, 160, 150)) + _noise(1, 1024, 768, 1, 3), thing, shape)


def _on_wood() -> tuple[Image.Image, NDArray[np.bool_]]:
    shape = _shape(1024, 768, lambda pen: pen.polygon(_leaf(520, 400, 300, 130), fill=255))
    thing = _plain(1024, 768, (70, 110, 50)) + _noise(5, 1024, 768, 14, 14) + _noise(6, 1024, 768, 2, 8)
    return _put(_grain(2, 1024, 768, (150, 105, 65)), thing, shape)


def _leaf(x: float, y: float, long: float, wide: float) -> list[Point]:
    along = np.linspace(0, np.pi, 60)
    upper = [(x - long * np.cos(t), y - wide * np.sin(t) ** 1.3) for t in along]
    return [*upper, *((x + long * np.cos(t), y + 0.7 * wide * np.sin(t) ** 1.3) for t in along)]


def _noisy() -> tuple[Image.Image, NDArray[np.bool_]]:
    shape = _shape(1024, 768, lambda pen: pen.rounded_rectangle((330, 190, 610, 600), 60, fill=255))
    photo, truth = _put(_plain(1024, 768, (95, 100, 110)), _plain(1024, 768, (165, 140, 90)), shape)
    noisy = np.asarray(photo, np.float32) + _noise(9, 1024, 768, 1, 34)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), truth


def _faint() -> tuple[Image.Image, NDArray[np.bool_]]:
    shape = _shape(1024, 768, lambda pen: pen.ellipse((300, 220, 760, 520), fill=255))
    grain = _noise(11, 1024, 768, 1, 3)
    return _put(_plain(1024, 768, (196, 194, 190)) + grain, _plain(1024, 768, (178, 178, 180)) + grain, shape)


def _thin() -> tuple[Image.Image, NDArray[np.bool_]]:
    def draw(pen: ImageDraw.ImageDraw) -> None:
        pen.ellipse((360, 260, 660, 560), outline=255, width=14)
        for angle in np.arange(0, np.pi, np.pi / 4):
            x, y = 145 * np.cos(angle), 145 * np.sin(angle)
            pen.line((510 - x, 410 - y, 510 + x, 410 + y), fill=255, width=8)
        pen.ellipse((470, 370, 550, 450), fill=255)

    ground = _plain(1024, 768, (190, 200, 215)) + _noise(13, 1024, 768, 40, 6)
    return _put(ground, _plain(1024, 768, (50, 48, 55)), _shape(1024, 768, draw))


def _mug() -> tuple[Image.Image, NDArray[np.bool_]]:
    def draw(pen: ImageDraw.ImageDraw) -> None:
        pen.rounded_rectangle((340, 230, 600, 560), 30, fill=255)
        pen.ellipse((550, 290, 730, 490), outline=255, width=26)

    ground = _grain(21, 1024, 768, (120, 90, 70), 18)
    return _put(
        ground, _plain(1024, 768, (60, 110, 165)) + _noise(22, 1024, 768, 1, 4), _shape(1024, 768, draw)
    )


def _touching() -> tuple[Image.Image, NDArray[np.bool_]]:
    ground = _plain(1024, 768, (205, 200, 190)) + _noise(31, 1024, 768, 2, 5)
    for box, colour in (((150, 280, 410, 540), (196, 130, 40)), ((632, 250, 900, 518), (150, 150, 50))):
        shape = _shape(1024, 768, lambda pen, box=box: pen.ellipse(box, fill=255))  # type: ignore[misc]
        ground = np.asarray(_put(ground, _round(box, colour), shape)[0], np.float32)
    middle = (406, 260, 636, 530)
    return _put(
        ground, _round(middle, (205, 75, 45)), _shape(1024, 768, lambda pen: pen.ellipse(middle, fill=255))
    )


def _round(box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> Pixels:
    left, top, right, bottom = box
    down, across = np.mgrid[:768, :1024].astype(np.float32)
    from_light = np.hypot(across - (left * 2 + right) / 3, down - (top * 2 + bottom) / 3)
    shade = 40 - 110 * (from_light / (right - left)) ** 2
    lit: Pixels = np.array(colour, np.float32) + shade[..., None] + _noise(left, 1024, 768, 3, 5)
    return lit


def _at_the_edge() -> tuple[Image.Image, NDArray[np.bool_]]:
    shape = _shape(1024, 768, lambda pen: pen.ellipse((-160, 380, 360, 980), fill=255))
    ground = _noise(41, 1024, 768, 24, 22) + _plain(1024, 768, (80, 120, 70)) + _noise(42, 1024, 768, 3, 10)
    return _put(ground, _plain(1024, 768, (210, 190, 160)) + _noise(43, 1024, 768, 2, 5), shape)


def _small() -> tuple[Image.Image, NDArray[np.bool_]]:
    shape = _shape(1600, 1200, lambda pen: pen.ellipse((1010, 420, 1070, 480), fill=255))
    ground = _noise(51, 1600, 1200, 60, 14) + _plain(1600, 1200, (110, 140, 170))
    return _put(ground, _plain(1600, 1200, (235, 220, 90)), shape)


def _large() -> tuple[Image.Image, NDArray[np.bool_]]:
    shape = _shape(6000, 4000, lambda pen: pen.polygon(_leaf(3100, 2100, 1500, 800), fill=255))
    fine = _noise(61, 1500, 1000, 2, 10)
    pixels = _grain(62, 1500, 1000, (140, 140, 150), 16) + fine
    ground = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).resize(
        (6000, 4000), Image.Resampling.BICUBIC
    )
    leaf = np.clip(_plain(1500, 1000, (165, 80, 60)) + _noise(63, 1500, 1000, 8, 10), 0, 255).astype(np.uint8)
    thing = Image.fromarray(leaf).resize((6000, 4000), Image.Resampling.BICUBIC)
    return Image.composite(thing, ground, shape.filter(ImageFilter.GaussianBlur(2))), np.asarray(shape) >= 128


def _fig() -> tuple[Image.Image, NDArray[np.bool_]]:
    photo = sample().pixels
    return photo, np.asarray(_shape(*photo.size, lambda pen: pen.polygon(FIG, fill=255))) >= 128


def _on(*points: Point) -> tuple[tuple[Point, int], ...]:
    return tuple((point, 1) for point in points)


SCENES = {
    scene.name: scene
    for scene in (
        Scene("a ball, plain ground", _ball, _on((530, 400), (620, 500), (420, 330))),
        Scene("a leaf on wood", _on_wood, _on((520, 390), (320, 395), (720, 400))),
        Scene("much noise", _noisy, _on((470, 400), (400, 250), (560, 540))),
        Scene("low contrast", _faint, _on((530, 370), (370, 350), (690, 390))),
        Scene("thin parts: a wheel", _thin, _on((510, 410), (367, 410), (510, 553))),
        Scene("thin parts: a mug", _mug, (*_on((470, 400), (717, 390)), ((640, 390), 0))),
        Scene("touching things", _touching, (*_on((520, 390)), ((280, 410), 0), ((770, 380), 0))),
        Scene("at the photo's edge", _at_the_edge, _on((120, 620), (40, 460), (280, 720))),
        Scene("small in the photo", _small, _on((1040, 450), (1025, 440), (1055, 460))),
        Scene("24 megapixels", _large, _on((3100, 2050), (1900, 2090), (4200, 2110))),
        Scene("the sample's fig", _fig, _on((580, 560), (360, 480), (600, 750))),
    )
}
"""Every scene, by its name."""
