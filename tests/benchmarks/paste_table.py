"""The strict paste beside others: many photos, many ways in which an answer may be spoilt, one figure for each.

The figure is the mean difference, in levels of 255, of what lies inside the mask from the edit as it was meant: before
the answer was cast, lit, moved or compressed. Beside ours stand OpenCV's `seamlessClone` (normal and mixed), a
multi-band blend of six bands, the bare answer in the mask, and the paste of an earlier commit, where git has it, or
of a folder that holds one. Exits with 1 where ours is over the lowest by more than 5 % in a row, or where a
pixel outside a mask is not the photo's.

    paste_table.py [--before COMMIT | --before none] [--only NAME] [--sheets FOLDER]

`--sheets` saves contact sheets at 100 and 400 % there: the photo, the answer, and what each way makes of it. The photos
come with `pip install scikit-image scikit-learn matplotlib`; without them nothing is run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

ROOT = Path(__file__).parents[2]
# `--paste` is given a folder of another commit's package, which must come first; the tests' own home is this one.
sys.path.insert(0, os.environ.get("PASTE_FROM", str(ROOT)))

# The scripts in `tests` are no package, so their home has to be known first.
import ttapi_nb as tt  # noqa: E402
from ttapi_nb.fit import paste  # noqa: E402

sys.path.insert(0, str(ROOT))

from tests.benchmarks._answers import ANSWERS, Answer  # noqa: E402
from tests.benchmarks._bench import Table  # noqa: E402
from tests.benchmarks._photos import Photo, need_photos, photos  # noqa: E402

BEFORE = "73cf7fd"
CLOSE = 1.05
# What all reach to within this many levels is a tie.
TIE = 0.05
BANDS = 6
# How much of the photo around the mask's edge a sheet shows at 400 %, in pixels.
LOOK = 100
Array = NDArray[np.uint8]


def ours(photo: Image.Image, answer: Image.Image, mask: tt.Mask) -> Image.Image:
    """What this commit makes of it."""
    return paste(photo, answer, mask).image


def bare(photo: Image.Image, answer: Image.Image, mask: tt.Mask) -> Image.Image:
    """The answer in the mask."""
    whole = photo.copy()
    whole.paste(answer, (0, 0), Image.fromarray(mask.to_array().astype(np.uint8) * 255))
    return whole


def cloned(photo: Image.Image, answer: Image.Image, mask: tt.Mask, mixed: bool = False) -> Image.Image:
    """OpenCV's, on a picture with room around it, since it takes no mask that touches the border."""
    import cv2

    room = 3
    one, other = (
        np.pad(np.asarray(picture), ((room, room), (room, room), (0, 0)), "edge")
        for picture in (photo, answer)
    )
    stencil = np.pad(mask.to_array().astype(np.uint8) * 255, room)
    # It lays the middle of the mask's box there.
    rows, columns = np.flatnonzero(stencil.any(axis=1)), np.flatnonzero(stencil.any(axis=0))
    middle = (int(columns[0] + columns[-1] + 1) // 2, int(rows[0] + rows[-1] + 1) // 2)
    flag = cv2.MIXED_CLONE if mixed else cv2.NORMAL_CLONE
    made = cv2.seamlessClone(other, one, stencil, middle, flag)
    return Image.fromarray(made[room:-room, room:-room])


def cloned_mixed(photo: Image.Image, answer: Image.Image, mask: tt.Mask) -> Image.Image:
    """As `cloned`, keeping the stronger of both pictures' slopes."""
    return cloned(photo, answer, mask, mixed=True)


def banded(photo: Image.Image, answer: Image.Image, mask: tt.Mask) -> Image.Image:
    """A multi-band blend."""
    import cv2

    one: Any = np.asarray(photo, np.float32)
    other: Any = np.asarray(answer, np.float32)
    share = mask.to_array().astype(np.float32)
    total: NDArray[np.float32] = np.zeros_like(one)
    for band in range(BANDS):
        last = band == BANDS - 1
        softer = [pic if last else cv2.GaussianBlur(pic, (0, 0), 2.0**band) for pic in (one, other)]
        weight = (cv2.GaussianBlur(share, (0, 0), 2.0**band) if band else share)[..., None]
        high = [pic if last else pic - soft for pic, soft in zip((one, other), softer, strict=True)]
        total += high[0] * (1 - weight) + high[1] * weight
        one, other = softer
    return Image.fromarray(np.rint(np.clip(total, 0, 255)).astype(np.uint8))


WAYS: dict[str, Callable[[Image.Image, Image.Image, tt.Mask], Image.Image]] = {
    "ours": ours,
    "clone": cloned,
    "mixed": cloned_mixed,
    "bands": banded,
    "bare": bare,
}


def off(made: Image.Image, meant: Image.Image, mask: tt.Mask) -> float:
    """How far the inside is from what was meant, in levels."""
    inside = mask.to_array()
    one, other = (np.asarray(picture.convert("RGB"), np.float32)[inside] for picture in (made, meant))
    return float(np.abs(one - other).mean())


def kept(made: Image.Image, photo: Image.Image, mask: tt.Mask) -> bool:
    """Whether every pixel outside the mask is the photo's."""
    outside = mask.coverage() == 0
    return bool((np.asarray(made)[outside] == np.asarray(photo)[outside]).all())


def cases(only: str) -> list[tuple[Photo, Image.Image, tt.Mask, Answer]]:
    """Every answer to every photo."""
    return [
        (photo, picture, mask, answer)
        for answer in ANSWERS
        for photo, picture, mask in photos()
        if only in f"{photo.name}, {answer.name}"
    ]


def pasted_before(commit: str, only: str, folder: Path) -> Path | None:
    """The same answers through an earlier commit's paste, as PNGs in a folder; None where git has no such commit."""
    tree = folder / "before"
    if Path(commit).is_dir():
        return _pasted_by(Path(commit), only, folder)
    add = ["git", "-C", str(ROOT), "worktree", "add", "--detach", str(tree), commit]
    if subprocess.run(add, capture_output=True, check=False).returncode:
        return None
    try:
        return _pasted_by(tree, only, folder)
    finally:
        remove = ["git", "-C", str(ROOT), "worktree", "remove", "--force", str(tree)]
        subprocess.run(remove, capture_output=True, check=False)


def _pasted_by(tree: Path, only: str, folder: Path) -> Path:
    made = folder / "made before"
    made.mkdir()
    work = [sys.executable, __file__, "--only", only, "--paste", str(made)]
    path = os.pathsep.join((str(tree), os.environ.get("PYTHONPATH", "")))
    subprocess.run(work, env={**os.environ, "PASTE_FROM": str(tree), "PYTHONPATH": path}, check=True)
    return made


def paste_all(only: str, folder: Path) -> None:
    """What `pasted_before` starts: this package's paste of everything."""
    seconds = {}
    for photo, picture, mask, answer in cases(only):
        _, came = answer.made(picture, mask)
        start = time.perf_counter()
        made = paste(picture, came, mask).image
        seconds[f"{photo.name}, {answer.name}"] = time.perf_counter() - start
        made.save(folder / f"{photo.name}, {answer.name}.png", compress_level=1)
    (folder / "seconds.json").write_text(json.dumps(seconds))


def sheet(pictures: dict[str, Image.Image], mask: tt.Mask, folder: Path, name: str) -> None:
    """Save the pictures side by side: the mask's surroundings at 100 %, and a part of its edge at 400 %."""
    left, top, right, bottom = mask.bounds or (0, 0, 1, 1)
    size = next(iter(pictures.values())).size
    box = max(0, left - 60), max(0, top - 60), min(size[0], right + 60), min(size[1], bottom + 60)
    middle = min(size[0] - LOOK, max(0, right - LOOK // 2)), max(0, (top + bottom - LOOK) // 2)
    near = (*middle, middle[0] + LOOK, middle[1] + LOOK)
    wide, high = box[2] - box[0], box[3] - box[1]
    across = max(wide, 4 * LOOK) + 8
    whole = Image.new("RGB", (across * len(pictures), high + 4 * LOOK + 30), "white")
    draw = ImageDraw.Draw(whole)
    for number, (title, picture) in enumerate(pictures.items()):
        draw.text((number * across + 2, 2), title, "black")
        whole.paste(picture.crop(box), (number * across, 16))
        whole.paste(
            picture.crop(near).resize((4 * LOOK, 4 * LOOK), Image.Resampling.NEAREST),
            (number * across, high + 24),
        )
    whole.save(folder / f"{name}.png")


def row(name: str, figures: dict[str, float]) -> bool:
    """Print a row; returns whether ours is the lowest, or close to it."""
    # The bare answer in the mask is no way to paste: it is shown to tell how far the answer was off.
    lowest = min(value for name, value in figures.items() if name != "bare")
    good = figures["ours"] <= max(CLOSE * lowest, lowest + TIE)
    print(
        f"{name:24}" + "".join(f"{value:9.2f}" for value in figures.values()) + ("" if good else "  <- over")
    )
    return good


def main() -> int:
    """Print the table; returns 1 where ours is not the lowest, or does not keep the outside."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", default=BEFORE)
    parser.add_argument("--only", default="")
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--paste", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    need_photos()
    if given.paste:
        paste_all(given.only, given.paste)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        before = None if given.before == "none" else pasted_before(given.before, given.only, Path(folder))
        return table(given.only, before, given.sheets)


def table(only: str, before: Path | None, sheets: Path | None) -> int:
    """Everything through every way."""
    names = [*WAYS, *(("before",) if before else ())]
    print(f"{'off by, inside the mask':24}" + "".join(f"{name:>9}" for name in names))
    found: dict[str, list[dict[str, float]]] = {}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    changed = dict.fromkeys(names, 0)
    for photo, picture, mask, answer in cases(only):
        meant, came = answer.made(picture, mask)
        made = {}
        for name, way in WAYS.items():
            start = time.perf_counter()
            made[name] = way(picture, came, mask)
            seconds[name].append(time.perf_counter() - start)
        if before:
            made["before"] = Image.open(before / f"{photo.name}, {answer.name}.png").convert("RGB")
            seconds["before"] += [
                json.loads((before / "seconds.json").read_text())[f"{photo.name}, {answer.name}"]
            ]
        for name, result in made.items():
            changed[name] += not kept(result, picture, mask)
        found.setdefault(answer.name, []).append({name: off(made[name], meant, mask) for name in names})
        if only:
            row(f"{photo.name}, {answer.name}"[:24], found[answer.name][-1])
        if sheets:
            sheets.mkdir(parents=True, exist_ok=True)
            sheet({"photo": picture, "answer": came, **made}, mask, sheets, f"{answer.name}, {photo.name}")
    good = [
        row(answer, {name: float(np.mean([one[name] for one in rows])) for name in names})
        for answer, rows in found.items()
    ]
    count = len(seconds["ours"])
    print(f"{'seconds each, mean':24}" + "".join(f"{np.mean(seconds[name]):9.3f}" for name in names))
    print(f"{'outside changed, of ' + str(count):24}" + "".join(f"{changed[name]:9d}" for name in names))
    print(
        f"Peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, all ways together."
    )
    lost = good.count(False)
    print(
        "Ours is lowest or close to it in every row." if not lost else f"Ours is NOT lowest in {lost} rows."
    )
    rows = Table("The strict paste")
    rows.count(f"rows of {len(good)} in which another way is closer", lost, 0)
    rows.count("pastes that change what is outside", changed["ours"], 0)
    return rows.finish()


if __name__ == "__main__":
    sys.exit(main())
