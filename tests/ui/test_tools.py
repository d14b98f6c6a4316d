"""The tools and the margins by themselves: what a move adds, what a mark covers, what a handle pulls."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.scripts import ask
from ttapi_nb.widgets.drawer import Stage


def tools(scripts: Page) -> dict[str, dict[str, Any]]:
    """The tools as the browser has them, but for their functions."""
    found: dict[str, dict[str, Any]] = json.loads(
        ask(scripts, "stage/tools.js", "return JSON.stringify(it.TOOLS);")
    )
    return found


def test_browser_and_kernel_have_the_same_tools(scripts: Page) -> None:
    """Both know the same tools in one order, each with a key of its own that is said in the help."""
    entries = tools(scripts)
    assert tuple(entries) == Stage.tool.values
    keys = [entry["key"] for entry in entries.values()]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & {*"xh0+-=[] ", "z", "y"}
    words = ask(scripts, "stage/shortcuts.js", "return it.HELP;").split(" · ")
    assert {f"{entry['key'].upper()} {entry['label'].lower()}" for entry in entries.values()} <= set(words)
    assert {entry.get("mark", name) for name, entry in entries.items()} <= entries.keys()


START, WAY, END = [10, 20, 3], [11, 21, 3, 12, 22, 3], [15, 25, 3]
FOLLOW = """
  const step = { end: () => b, way: () => c, straight: d };
  const from = it.TOOLS[a[0]].follow(a[1], step) ?? null;
  return [a[1], from];
"""


@pytest.mark.parametrize(
    ("tool", "straight", "points", "drawn_from"),
    [
        ("brush", False, [*START, *WAY], 0),
        ("brush", True, [*START, *END], None),
        ("line", False, [*START, *END], None),
        ("rectangle", False, [*START, *END], None),
        ("ellipse", True, [*START, *END], None),
        ("lasso", False, [*START, *WAY], None),
        ("lasso", True, [*START, *WAY], None),
    ],
)
def test_what_a_move_adds(
    scripts: Page, tool: str, straight: bool, points: list[float], drawn_from: int | None
) -> None:
    """A brush and a lasso take the whole way, the others only where they began and end, as a brush does with Shift."""
    assert ask(scripts, "stage/tools.js", FOLLOW, [tool, START], END, WAY, straight) == [points, drawn_from]
    # A second move: what went before is kept by the first kind, and replaced by the second.
    again, since = ask(scripts, "stage/tools.js", FOLLOW, [tool, points], END, WAY, straight)
    kept = points if points[-6:] == WAY else START
    assert again == [*kept, *(END if points == [*START, *END] else WAY)]
    assert since == (None if drawn_from is None else len(points) - 3)


PAINT = """
  const canvas = new OffscreenCanvas(100, 100);
  const context = canvas.getContext("2d");
  if (a.erase) context.fillRect(0, 0, 100, 100);
  it.drawMark(context, a, "red");
  const inked = ([x, y]) => context.getImageData(x, y, 1, 1).data[3] === 255;
  return [b.map(inked), context.globalCompositeOperation];
"""
# Three places inside of each, and three outside.
SQUARE = [20, 20, 5, 80, 20, 5, 80, 80, 5]
DRAWN = {
    "brush": (SQUARE, [(50, 16), (84, 50), (82, 82)], [(50, 50), (20, 80), (50, 27)]),
    "line": ([20, 20, 5, 80, 80, 5], [(50, 50), (17, 18), (82, 82)], [(50, 60), (80, 20), (10, 10)]),
    "rectangle": ([80, 70, 5, 20, 30, 5], [(21, 31), (79, 69), (50, 50)], [(18, 50), (50, 72), (50, 28)]),
    "ellipse": ([20, 30, 5, 80, 70, 5], [(50, 31), (21, 50), (50, 50)], [(22, 32), (78, 68), (50, 72)]),
    "polygon": (SQUARE, [(50, 25), (75, 50), (78, 75)], [(20, 80), (45, 55), (85, 50)]),
    "lasso": (SQUARE, [(50, 25), (75, 50), (78, 75)], [(20, 80), (45, 55), (85, 50)]),
    "bucket": ([50, 50, 5], [], [(50, 50), (52, 50), (10, 10)]),
}


def painted(scripts: Page, mark: dict[str, Any], places: Any) -> list[bool]:
    """Where there is ink after a mark was drawn."""
    inked, mode = ask(scripts, "stage/tools.js", PAINT, {"erase": False} | mark, places)
    assert mode == "source-over"
    return list(inked)


@pytest.mark.parametrize("tool", DRAWN)
def test_what_a_mark_covers(scripts: Page, tool: str) -> None:
    """Each tool's preview covers what its mark will, and an eraser takes the same away."""
    points, inside, outside = DRAWN[tool]
    mark = {"tool": tool, "points": points}
    expected = [True] * len(inside) + [False] * len(outside)
    assert painted(scripts, mark, [*inside, *outside]) == expected
    assert painted(scripts, mark | {"erase": True}, [*inside, *outside]) == [
        not covered for covered in expected
    ]


def test_every_tool_that_marks_has_a_preview(scripts: Page) -> None:
    """No tool that marks by itself is left out of the test above; what Select finds only the kernel knows."""
    marking = {name: entry for name, entry in tools(scripts).items() if not entry.get("selects")}
    assert DRAWN.keys() == {entry.get("mark", name) for name, entry in marking.items()}


def test_a_pen_draws_a_stroke_that_widens(scripts: Page) -> None:
    """Between two points of different radius a stroke is as wide as at each, and what is new of it joins on."""
    points = [20, 50, 2, 60, 50, 12, 80, 50, 12]
    places = [(60, 40), (24, 46), (80, 60), (20, 53), (40, 50)]
    assert painted(scripts, {"tool": "brush", "points": points}, places) == [True, False, True, False, True]
    # The wider point may hold the other one whole.
    assert painted(scripts, {"tool": "brush", "points": [50, 50, 2, 52, 50, 20]}, [(70, 50), (75, 50)]) == [
        True,
        False,
    ]


def test_a_polygon_covers_nothing_until_it_is_closed(scripts: Page) -> None:
    """What is being made corner by corner is shown as lines above the ink, and is ink when it is closed."""
    mark = {"tool": "polygon", "points": SQUARE}
    places = [(50, 25), (75, 50)]
    assert painted(scripts, mark | {"hover": [80, 50, 5]}, places) == [False, False]
    assert painted(scripts, mark, places) == [True, True]


@pytest.mark.parametrize(
    ("margins", "handle", "by", "after"),
    [
        ((0, 0, 0, 0), (-1, 0), (-30.4, 99), (30, 0, 0, 0)),
        ((0, 0, 0, 0), (1, 1), (30, 20.6), (0, 0, 30, 21)),
        ((10, 10, 10, 10), (-1, -1), (5, -5), (5, 15, 10, 10)),
        ((10, 10, 10, 10), (0, -1), (50, 50), (10, 0, 10, 10)),
        ((1, 2, 3, 4), (0, 1), (9, 0), (1, 2, 3, 4)),
    ],
)
def test_a_handle_pulls_its_own_margins(
    scripts: Page,
    margins: tuple[int, ...],
    handle: tuple[int, int],
    by: tuple[float, float],
    after: tuple[int, ...],
) -> None:
    """A side's handle pulls one margin, a corner's two, in whole pixels and not below nothing."""
    place = {"across": handle[0], "down": handle[1]}
    assert ask(scripts, "stage/margins.js", "return it.pulled(a, b, c);", margins, place, by) == list(after)


def test_handles_lie_on_the_box_and_there_is_room_to_pull(scripts: Page) -> None:
    """Handles are at corners and middles of sides; what is kept free is never less than a part of the picture."""
    code = "return [-1, 0, 1].map((across) => it.pointOnBox(a, { across, down: -across }));"
    assert ask(scripts, "stage/margins.js", code, (-10, -20, 110, 60)) == [[-10, 60], [50, 20], [110, -20]]
    spare = "return it.spareAround(a, b);"
    assert ask(scripts, "stage/margins.js", spare, (100, 50), (0, 0, 0, 0)) == [60, 60]
    assert ask(scripts, "stage/margins.js", spare, (100, 50), (10, 0, 100, 30)) == [240, 72]
