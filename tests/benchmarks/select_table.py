"""How well a click, three clicks and a box select a thing: GrabCut and MobileSAM, and the bucket beside them.

Overlaps (IoU) with known masks, 0 to 1, seconds, and megabytes. With `--write` the table goes into docs/select.md.
MobileSAM's files are got by npm where they are not here; without them its column is empty, and that is a goal missed.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import platformdirs

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks._bench import Table, peak_of
from tests.support.scenes import SCENES, Scene, iou
from ttapi_nb import Mask, SourceImage, open_image
from ttapi_nb.errors import SettingsError
from ttapi_nb.mask.select import GrabCut, MobileSam
from ttapi_nb.mask.select.engine import Engine
from ttapi_nb.mask.select.install import install
from ttapi_nb.mask.select.models import problem_of

DOCS = Path(__file__).parents[2] / "docs" / "select.md"
START, END = "<!-- measured: make bench ARGS=select_table -->\n", "<!-- measured so far -->\n"
ASKED = ("a click", "three clicks", "a box")
Ask = Callable[[SourceImage, Scene, str], Mask | None]


@dataclass
class Contender:
    """One way to select: how it is asked, and what came of it, by the scene and what was asked."""

    name: str
    ask: Ask
    found: dict[tuple[str, str], float] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)
    later: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)


def by(engine: Engine) -> Ask:
    """Ask an engine."""

    def ask(picture: SourceImage, scene: Scene, asked: str) -> Mask | None:
        if asked == "a box":
            return Mask.select(picture, box=scene.box(), engine=engine)
        clicks = scene.clicks[: 1 if asked == "a click" else 3]
        points, labels = zip(*clicks, strict=True)
        return Mask.select(picture, points=points, labels=labels, engine=engine)

    return ask


def bucket(picture: SourceImage, scene: Scene, asked: str) -> Mask | None:
    """Fill similar colours at each click; a box means nothing to it."""
    if asked == "a box":
        return None
    mask = Mask(picture.size)
    for point, label in scene.clicks[: 1 if asked == "a click" else 3]:
        mask = mask.fill_similar(picture, point, erase=not label)
    return mask


def measure(one: Contender, scene: Scene) -> None:
    """Ask for all three, as a person would, one after the other."""
    photo, truth = scene.made
    picture = open_image(photo)
    for number, asked in enumerate(ASKED):
        start = time.perf_counter()
        mask = one.ask(picture, scene, asked)
        if mask is None:
            continue
        mask.coverage()
        spent = time.perf_counter() - start
        one.found[scene.name, asked] = iou(mask.to_array(), truth)
        if number == 0:
            one.first[scene.name] = spent
        elif number == 1:
            one.later[scene.name] = spent


def rows(contenders: list[Contender]) -> str:
    """The table for the docs."""
    heads = [
        f"{asked}: {one.name}"
        for asked in ASKED
        for one in contenders
        if one.name != "bucket" or asked != "a box"
    ]
    lines = [f"| photo | {' | '.join(heads)} |", f"|---{'|--:' * len(heads)}|"]
    for scene in SCENES.values():
        cells = [
            f"{one.found[scene.name, asked]:.3f}" if (scene.name, asked) in one.found else "–"
            for asked in ASKED
            for one in contenders
            if one.name != "bucket" or asked != "a box"
        ]
        lines.append(f"| {scene.name} | {' | '.join(cells)} |")
    lines += [
        "",
        "| | first click, s | later click, s | 24 megapixels, first and later, s | memory, MB | at 24 megapixels, MB |",
    ]
    lines.append("|---|--:|--:|--:|--:|--:|")
    for one in contenders:
        if one.first:
            usual = [name for name in SCENES if name != "24 megapixels"]
            first, later = (
                statistics.median(times[name] for name in usual) for times in (one.first, one.later)
            )
            large = f"{one.first['24 megapixels']:.2f}, {one.later['24 megapixels']:.2f}"
            small, big = one.memory.get("the sample's fig", 0), one.memory.get("24 megapixels", 0)
            lines.append(f"| {one.name} | {first:.2f} | {later:.2f} | {large} | {small:.0f} | {big:.0f} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the table; 1 where a goal is missed."""
    table = Table("Selecting by a click, three clicks, a box: how much of what either has both have (IoU).")
    # Where the tests keep it too.
    os.environ["TTAPI_DATA"] = platformdirs.user_cache_dir("ttapi_nb-tests", appauthor=False)
    problem = problem_of()
    if problem:
        try:
            install()
            problem = ""
        except SettingsError as error:
            problem = str(error)
    contenders = [Contender("bucket", bucket), Contender("GrabCut", by(GrabCut()))]
    if not problem:
        contenders.append(Contender("MobileSAM", by(MobileSam())))
    for name in ("the sample's fig", "24 megapixels"):
        for one in contenders:
            picture = open_image(SCENES[name].made[0])
            one.memory[name] = peak_of(partial(one.ask, picture, SCENES[name], "a click"))
    for scene in SCENES.values():
        for one in contenders:
            measure(one, scene)
    print(rows(contenders))
    goals = {("GrabCut", "a click"): 8, ("GrabCut", "three clicks"): 5, ("GrabCut", "a box"): 8}
    goals |= {("MobileSAM", "a click"): 3, ("MobileSAM", "three clicks"): 3, ("MobileSAM", "a box"): 4}
    table.count("MobileSAM is here", float(bool(problem)), 0, "missing", note=problem)
    for one in contenders[1:]:
        for asked in ASKED:
            shares = [one.found[name, asked] for name in SCENES]
            missed = 100 * (1 - statistics.median(shares))
            table.count(
                f"{one.name}, {asked}: missed of the middle photo", missed, goals[one.name, asked], "%"
            )
        worse = sum(
            one.found[name, "a click"] < contenders[0].found[name, "a click"] - 0.02 for name in SCENES
        )
        table.count(f"{one.name}, a click: photos on which the bucket is better", worse, 2)
        table.under(f"{one.name}, the first click", list(one.first.values()), 6)
        table.under(f"{one.name}, a later click", list(one.later.values()), 1.5)
        table.count(f"{one.name}: memory at 24 megapixels", one.memory["24 megapixels"], 800, "MB")
    if "--write" in sys.argv:
        text = DOCS.read_text(encoding="utf-8")
        before, _, rest = text.partition(START)
        DOCS.write_text(before + START + rows(contenders) + END + rest.partition(END)[2], encoding="utf-8")
    return table.finish()


if __name__ == "__main__":
    raise SystemExit(main())
