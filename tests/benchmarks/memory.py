"""What a finished edit of a 24-megapixel photo keeps in memory, in times the photo's pixels (three bytes each).

Each case runs in a process of its own, which makes a small edit first: that loads all there is to load. Linux only.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks._bench import Table

SIZE = (6000, 4000)
PIXELS = SIZE[0] * SIZE[1] * 3
MOST = 4

CODE = """
import gc, io, sys
import numpy as np
from PIL import Image
sys.path.insert(0, sys.argv[1])
import ttapi_nb as tt
from tests.benchmarks._bench import _status

def fill(image, mask, prompt, seed):
    return image

def edit(size, box):
    large = tt.sample().pixels.resize(size, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    large.save(out, sys.argv[2], quality=92)
    data = out.getvalue()
    del large, out
    gc.collect()
    before = _status("VmRSS")
    mask = tt.Mask(size).ellipse(box)
    run = tt.edit(data, "an empty bowl", mask=mask, client=tt.Client.offline(fill=fill), fit=sys.argv[3], log=False)
    assert run.results[0].image.size == size
    gc.collect()
    return _status("VmRSS") - before, run

edit((600, 400), (60, 60, 500, 300))
print(edit((6000, 4000), tuple(map(int, sys.argv[4].split())))[0])
"""
CASES = {
    "a JPEG, sent whole": ("JPEG", "scale", "600 600 5400 3400"),
    "a JPEG, a part cut out": ("JPEG", "crop", "2500 1500 3300 2300"),
    "a PNG, sent whole": ("PNG", "scale", "600 600 5400 3400"),
}


def main() -> int:
    """Print the table."""
    if sys.platform != "linux":
        print("Only Linux says how much memory a process has. Run it there.")
        return 0
    table = Table("Memory kept by a run of 24 megapixels")
    for name, given in CASES.items():
        command = [sys.executable, "-c", CODE, str(Path(__file__).parents[2]), *given]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        kept = int(said.split()[-1])
        table.count(
            f"{name}: times its pixels",
            kept / PIXELS,
            MOST,
            note=f"{kept / 1e6:.0f} MB; photo and result alone are {8 / 3:.1f} times: Pillow's pixels have four bytes.",
        )
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
