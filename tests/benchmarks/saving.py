"""A 24-megapixel result saved as PNG beside Pillow's quickest and usual levels, and a mask's PNG beside Pillow's."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.benchmarks._bench import Table, alternating, peak_of

SIZE = (6000, 4000)
MOST = 1.1


def photo() -> Image.Image:
    """A photo's forms with a little grain."""
    large = tt.sample().pixels.resize(SIZE, Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).normal(0, 1.5, (SIZE[1], SIZE[0], 1))
    return Image.fromarray(np.clip(np.asarray(large) + grain, 0, 255).astype(np.uint8))


def main() -> int:
    """Print the table."""
    table = Table("Files of 24 megapixels")
    pixels = photo()
    # As an edit leaves it: pixels, and what the photo was.
    picture = tt.SourceImage(pixels, "PNG", "result", tt.open_image(pixels).own)
    with tempfile.TemporaryDirectory() as folder:
        ours, quick, usual = (Path(folder) / f"{name}.png" for name in ("ours", "quick", "usual"))
        ways = {
            "ours": lambda: picture.save(ours),
            "level 1": lambda: pixels.save(quick, compress_level=1),
        }
        times = alternating(ways, 3)
        peaks = peak_of(ways["ours"]), peak_of(ways["level 1"])
        pixels.save(usual)
        sizes = [path.stat().st_size for path in (ours, quick, usual)]
        with Image.open(ours) as saved:
            assert np.array_equal(np.asarray(saved), np.asarray(pixels))
    table.compare(
        "a result saved as PNG, against level 1 of Pillow",
        times["ours"],
        times["level 1"],
        MOST,
        peak=peaks,
        note=f"{sizes[0]:,} bytes; level 1 has {sizes[1]:,}, Pillow's usual level {sizes[2]:,}.",
    )
    mask = tt.Mask(SIZE)
    for number in range(400):
        x, y = np.random.default_rng(number).random(2) * SIZE
        mask = mask.ellipse((x - 90, y - 60, x + 90, y + 60))
    edit = mask.to_image().point([0] * 128 + [255] * 128)

    def plain() -> bytes:
        made = Image.new("RGBA", SIZE)
        made.putalpha(edit.point([255 - value for value in range(256)]))
        out = io.BytesIO()
        made.save(out, "PNG")
        return out.getvalue()

    def fresh() -> bytes:
        # One that has not been written before.
        return tt.Mask.from_array(np.asarray(edit)).to_png()

    ours_, theirs = fresh(), plain()
    one, two = (np.asarray(Image.open(io.BytesIO(data))) for data in (ours_, theirs))
    assert np.array_equal(one[..., 3], two[..., 3])
    times = alternating({"ours": fresh, "plain": plain}, 3)
    table.compare(
        "a mask as PNG, against Pillow's usual way",
        times["ours"],
        times["plain"],
        1,
        peak=(peak_of(fresh), peak_of(plain)),
        note=f"{len(ours_):,} bytes; Pillow's has {len(theirs):,}. Ours is first packed as a mark.",
    )
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
