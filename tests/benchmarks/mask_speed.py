"""How fast a `Mask` is, beside the plain way to do the same: a copy and one line, OpenCV's polylines, plain JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks._bench import Table, alternating, median, peak_of
from ttapi_nb import Mask
from ttapi_nb.mask import Stroke

SIZE, LARGE = (6000, 4000), (10_000, 10_000)
MARKS, MANY, POINTS, RADIUS = 1000, 5000, 40, 30

Line = list[tuple[float, float]]


def strokes(count: int) -> list[Line]:
    """Scribbles all over the picture, the same each time."""
    rng = np.random.default_rng(0)
    starts = rng.random((count, 1, 2)) * SIZE
    steps = np.cumsum(rng.normal(0, 25, (count, POINTS, 2)), axis=1)
    return [[(float(x), float(y)) for x, y in stroke] for stroke in starts + steps]


def masked(lines: list[Line]) -> Mask:
    """The mask with these strokes, of which nothing is drawn yet."""
    return Mask(SIZE, tuple(Stroke(tuple((x, y, float(RADIUS)) for x, y in line)) for line in lines))


def lined(picture: Image.Image, line: Line) -> Image.Image:
    """The picture with one more line, as Pillow draws it, in place: hard edges, round joints and ends."""
    draw = ImageDraw.Draw(picture)
    draw.line(line, 255, 2 * RADIUS, "curve")
    for x, y in (line[0], line[-1]):
        draw.ellipse((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), 255)
    return picture


def polylines(lines: list[Line], kind: int) -> np.ndarray:
    """All of them as OpenCV draws them, in one go."""
    made = np.zeros(SIZE[::-1], np.uint8)
    cv2.polylines(made, [np.rint(line).astype(np.int32) for line in lines], False, 255, 2 * RADIUS, kind)
    return made


def one_more(table: Table, lines: list[Line]) -> None:
    """A stroke on a mask of many; and one across a very large one."""
    *most, last = lines[: MARKS + 1]
    mask = masked(most)
    before = mask.coverage()
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: mask.paint(last, radius=RADIUS).coverage(),
        "plain": lambda: lined(Image.fromarray(before.copy()), last),
        "opencv": lambda: cv2.polylines(
            before.copy(), [np.rint(last).astype(np.int32)], False, 255, 2 * RADIUS, cv2.LINE_AA
        ),
    }
    times = alternating(ways, 15)
    peaks = peak_of(ways["ours"]), peak_of(ways["plain"])
    name = f"a stroke on {MARKS:,} marks, 24 MP, against a copy and"
    table.compare(f"{name} a line of Pillow", times["ours"], times["plain"], 1.2, peak=peaks)
    table.compare(f"{name} one of OpenCV", times["ours"], times["opencv"], 1.2, peak=peaks)
    for count in (2, 100):
        ways = diagonal([(at, at) for at in np.linspace(50, LARGE[0] - 50, count).tolist()])
        times = alternating(ways, 5)
        peaks = peak_of(ways["ours"]), peak_of(ways["pixels"])
        plain = median(times["plain"]) * 1e3
        told = f"the limit knows its pixels, and we find them; Pillow's line, with hard edges: {plain:.0f} ms"
        name = f"a diagonal of {count} points, 100 MP, against its pixels"
        table.compare(name, times["ours"], times["pixels"], 2, peak=peaks, note=told)


def diagonal(line: Line) -> dict[str, Callable[[], object]]:
    """Three ways to paint it on an empty mask; one of them knows its pixels, and only writes them."""
    drawn = Mask(LARGE).paint(line, radius=RADIUS).coverage().ravel()
    places = np.flatnonzero(drawn)
    levels = drawn[places]

    def pixels() -> object:
        made = np.zeros(LARGE[0] * LARGE[1], np.uint8)
        made[places] = levels
        return made

    return {
        "ours": lambda: Mask(LARGE).paint(line, radius=RADIUS).coverage(),
        "pixels": pixels,
        "plain": lambda: lined(Image.new("L", LARGE), line),
    }


def from_scratch(table: Table, lines: list[Line]) -> None:
    """Thousands of strokes of which nothing is drawn yet."""
    alike = (polylines(lines, cv2.LINE_AA) >= 128) == masked(lines).to_array()
    assert alike.mean() > 0.99, alike.mean()
    ways = {
        "ours": lambda: masked(lines).coverage(),
        "smooth": lambda: polylines(lines, cv2.LINE_AA),
        "hard": lambda: polylines(lines, cv2.LINE_8),
    }
    times = alternating(ways, 3)
    # Its hard edges are another work: ours tell each pixel of an edge by its distance, as its smooth ones do.
    note = f"with hard edges, which no mask here has, OpenCV takes {median(times['hard']):.2f} s"
    peaks = peak_of(ways["ours"]), peak_of(ways["smooth"])
    name = f"{MANY:,} strokes from scratch, 24 MP, against polylines"
    table.compare(name, times["ours"], times["smooth"], 2, peak=peaks, note=note)


def written(table: Table, lines: list[Line]) -> None:
    """JSON out and in."""
    mask = masked(lines)
    text, plain = mask.to_json(), [[[x, y, float(RADIUS)] for x, y in line] for line in lines]
    packed = json.dumps(plain)
    for name, ours, theirs in (
        ("out", mask.to_json, lambda: json.dumps(plain)),
        ("in", lambda: Mask.from_json(text), lambda: json.loads(packed)),
    ):
        times = alternating({"ours": ours, "plain": theirs}, 7)
        peaks = peak_of(ours), peak_of(theirs)
        work = f"{MANY:,} strokes as JSON, {name}, against plain json"
        table.compare(work, times["ours"], times["plain"], 1.5, peak=peaks)


def main() -> int:
    """Print the table."""
    table = Table("Masks")
    lines = strokes(MANY)
    one_more(table, lines)
    from_scratch(table, lines)
    written(table, lines)
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
