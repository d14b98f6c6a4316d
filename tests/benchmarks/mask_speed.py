"""How fast a `Mask` of 24 megapixels is, beside the plain Pillow way to do the same.

The plain way keeps no marks: it redraws all strokes with ImageDraw when one is added, saves an RGBA picture as
Pillow does by default, and writes its strokes as lists of points in JSON, unchecked.
"""

from __future__ import annotations

import io
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from ttapi_nb import Mask

SIZE = (6000, 4000)
MARKS = 1000
POINTS = 40
RADIUS = 30
ROUNDS = 5

Stroke = list[tuple[float, float]]


def strokes(count: int) -> list[Stroke]:
    """Scribbles all over the picture, the same each time."""
    rng = np.random.default_rng(0)
    starts = rng.random((count, 1, 2)) * SIZE
    steps = np.cumsum(rng.normal(0, 25, (count, POINTS, 2)), axis=1)
    return [[(float(x), float(y)) for x, y in stroke] for stroke in starts + steps]


def drawn(given: list[Stroke]) -> Image.Image:
    """The strokes as Pillow draws them: white on black, hard edges, round joints and ends."""
    picture = Image.new("L", SIZE)
    draw = ImageDraw.Draw(picture)
    for stroke in given:
        draw.line(stroke, 255, 2 * RADIUS, "curve")
        for x, y in (stroke[0], stroke[-1]):
            draw.ellipse((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), 255)
    return picture


def plain_png(picture: Image.Image) -> bytes:
    """Transparent where the picture is white, saved as Pillow saves by default."""
    made = Image.new("RGBA", SIZE)
    made.putalpha(picture.point(lambda value: 255 - value))
    out = io.BytesIO()
    made.save(out, "PNG")
    return out.getvalue()


def median_ms(act: Callable[[], object]) -> float:
    """The median time of a few runs, in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def main() -> None:
    """Print the table."""
    *most, last = strokes(MARKS + 1)
    mask = Mask(SIZE)
    for stroke in most:
        mask = mask.paint(stroke, radius=RADIUS)
    start = time.perf_counter()
    mask.coverage()
    from_scratch = time.perf_counter() - start
    picture = drawn(most)
    # Both ways must draw the same thing, but for the edges.
    alike = np.mean((np.asarray(picture) >= 128) == mask.to_array())
    assert alike > 0.99, alike

    cases: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        f"a stroke more, on {MARKS:,} marks": (
            lambda: mask.paint(last, radius=RADIUS).coverage(),
            lambda: drawn([*most, last]),
        ),
        "PNG out": (mask.to_png, lambda: plain_png(picture)),
        "JSON out and in": (
            lambda: Mask.from_json(mask.to_json()),
            lambda: json.loads(json.dumps(most)),
        ),
    }
    print(f"{SIZE[0]}x{SIZE[1]}, medians of {ROUNDS}{'':10}{'Mask':>10}{'plain':>10}{'ratio':>8}")
    for name, (ours, plain) in cases.items():
        one, other = median_ms(ours), median_ms(plain)
        print(f"{name:34}{one:7.0f} ms{other:7.0f} ms{one / other:8.2f}")
    print(f"All {MARKS:,} marks from scratch, once, with clean edges: {from_scratch:.1f} s.")
    print(f"The PNGs have {len(mask.to_png()):,} and {len(plain_png(picture)):,} bytes.")


if __name__ == "__main__":
    main()
