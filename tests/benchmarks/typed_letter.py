"""What a letter in the prompt and an undo take in the kernel, with a mask of 200 strokes on 1 and on 24 megapixels.

An undo is held against the copy of what changed: its box of the mask, and the ink in it as ipycanvas sends ink.
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.benchmarks._bench import Table, peak_of

SIZES = {"1 MP": (1200, 800), "24 MP": (6000, 4000)}
STROKES, LETTERS, UNDOS = 200, 40, 60
LETTER_MOST, UNDO_MOST = 0.002, 3
REST = (
    "beside the copy, which is a quarter of it, an editor plans and checks the edit anew (0.2 ms) and tells it "
    "by traits (0.3 ms), however little was painted"
)


def photo(size: tuple[int, int]) -> tt.SourceImage:
    """A photo of this size."""
    return tt.open_image(tt.sample().pixels.resize(size, Image.Resampling.BICUBIC))


def painted(drawer: tt.MaskDrawer, size: tuple[int, int]) -> None:
    """Paint scribbles all over it, one by one."""
    random = np.random.default_rng(0)
    for _ in range(STROKES):
        line = random.random(2) * size + np.cumsum(random.normal(0, 12, (25, 2)), axis=0)
        drawer.mask = drawer.mask.paint([(float(x), float(y)) for x, y in line], radius=20)


def letters(editor: tt.ImageEditor) -> list[float]:
    """Seconds for each letter."""
    found = []
    for _ in range(LETTERS):
        start = time.perf_counter()
        editor.prompt += "a"
        found.append(time.perf_counter() - start)
    return found


def copied(before: tt.Mask, after: tt.Mask, shown: float) -> float:
    """Seconds to copy what two masks differ in, and to write its ink."""
    box = Image.fromarray(before.coverage() ^ after.coverage()).getbbox() or (0, 0, 1, 1)
    part = before.coverage()[box[1] : box[3], box[0] : box[2]]
    ink = np.zeros((max(1, round(part.shape[0] * shown)), max(1, round(part.shape[1] * shown)), 4), np.uint8)
    ink[..., 3] = np.asarray(Image.fromarray(part).resize(ink.shape[1::-1]))
    start = time.perf_counter()
    np.copyto(np.empty_like(part), part)
    Image.fromarray(ink).save(io.BytesIO(), "PNG")
    return time.perf_counter() - start


def undos(drawer: tt.MaskDrawer, shown: float) -> tuple[list[float], list[float]]:
    """Seconds for each undo and for its limit, in turn."""
    ours, limits = [], []
    for _ in range(UNDOS):
        before = drawer.mask
        start = time.perf_counter()
        drawer.undo()
        ours.append(time.perf_counter() - start)
        # Looking at the pixels is part of the limit's work alone.
        limits.append(copied(before, drawer.mask, shown))
    return ours, limits


def main() -> int:
    """Print the table."""
    table = Table("A letter, and an undo")
    for name, size in SIZES.items():
        shown = min(1.0, 1600 / max(size))
        for fit in ("auto", "none"):
            editor = tt.ImageEditor(photo(size), client=tt.Client.offline(), log=False, fit=fit)
            painted(editor.drawer, size)
            editor.prompt = "an empty bowl"
            found = letters(editor)
            note = f"the slowest took {max(found) * 1e3:.1f} ms"
            peak = peak_of(lambda editor=editor: letters(editor))  # type: ignore[misc]
            table.under(f"a letter with a mask, {name}, fit {fit}", found, LETTER_MOST, peak=peak, note=note)
            if fit == "auto":
                ours, limits = undos(editor.drawer, shown)
                times = f"{ours[0] * 1e3:.1f}, {ours[3] * 1e3:.1f}, {ours[-1] * 1e3:.1f}"
                note = f"presses 1, 4 and {UNDOS}: {times} ms; {REST}"
                peak = peak_of(editor.drawer.redo)
                table.compare(f"undo in the editor, {name}", ours, limits, UNDO_MOST, peak=peak, note=note)
            editor.close()
        drawer = tt.MaskDrawer(photo(size))
        painted(drawer, size)
        ours, limits = undos(drawer, shown)
        note = f"presses 1, 4 and {UNDOS}: {ours[0] * 1e3:.1f}, {ours[3] * 1e3:.1f}, {ours[-1] * 1e3:.1f} ms"
        table.compare(
            f"undo in a drawer, {name}", ours, limits, UNDO_MOST, peak=peak_of(drawer.redo), note=note
        )
        drawer.close()
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
