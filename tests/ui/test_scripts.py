"""The browser's modules that need no widget, each by itself in a page: numbers in, numbers out."""

from __future__ import annotations

import json
import re
import struct
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from ttapi_nb.widgets.browser import STATIC, module
from ttapi_nb.widgets.surface import Stage

# Nothing listens there: the scripts are answered from their folder.
SITE = "http://scripts.localhost/"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """An empty page that can import every script, and whose clock only moves when a test moves it."""

    def answer(route: Route) -> None:
        name = urllib.parse.urlsplit(route.request.url).path.removeprefix("/")
        if name:
            route.fulfill(path=STATIC / name, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>Scripts</title>", content_type="text/html")

    context = browser.new_context()
    page = context.new_page()
    page.clock.install(time=0)
    page.route(f"{SITE}**", answer)
    page.goto(SITE)
    page.clock.pause_at(1000)
    yield page
    context.close()


def ask(page: Page, script: str, code: str, *given: Any) -> Any:
    """What `code` returns, which sees the script's exports as `it` and what is given as `a`, `b`, `c` and `d`."""
    names = ", ".join("abcd"[: len(given)])
    return page.evaluate(
        f"async ([{names}]) => {{ const it = await import('/{script}'); {code} }}", list(given)
    )


@pytest.mark.parametrize(
    "name", ["stage.js", "compare.js", "page.js", "download.js", "key_input.js", "photo_input.js"]
)
def test_what_a_widget_has_is_a_module(page: Page, name: str) -> None:
    """Joined with all that it needs, a widget's text can be imported from nowhere and has what anywidget calls."""
    code = "return typeof (await import(URL.createObjectURL(new Blob([a], { type: 'text/javascript' })))).default.render"
    assert ask(page, "lens.js", code, module(name).default_value) == "function"


# The lens. In this room a picture of 1600 x 1200 is shown at half its size.

ROOM, PICTURE, CLOSEST = (800, 600), (1600, 1200), 40


def fitted(page: Page, lens: dict[str, float], picture: tuple[float, float] = PICTURE, *spare: Any) -> Any:
    """The lens in the room."""
    return ask(page, "lens.js", "return it.fitted(a, b, c, d);", lens, ROOM, picture, spare or (0, 0))


def lens(zoom: float, x: float = 0, y: float = 0) -> dict[str, float]:
    """A lens on the picture in the room."""
    return {"zoom": zoom, "scale": zoom / 2, "x": x, "y": y}


@pytest.mark.parametrize(
    ("picture", "spare", "scale", "x", "y"),
    [
        (PICTURE, (), 0.5, 0, 0),
        ((800, 600), (), 1, 0, 0),
        ((400, 100), (), 2, 0, 200),
        ((100, 1200), (), 0.5, 375, 0),
        ((400, 300), (400, 300), 1, 200, 150),
        ((1, 1), (), 600, 100, 0),
    ],
)
def test_whole_picture_is_in_the_middle(
    page: Page, picture: tuple[float, float], spare: tuple[float, ...], scale: float, x: float, y: float
) -> None:
    """At zoom 1 all of a picture is in sight, as large as it goes, in the middle, with room around it where asked."""
    whole = ask(page, "lens.js", "return it.WHOLE;")
    assert fitted(page, whole, picture, *spare) == {"zoom": 1, "scale": scale, "x": x, "y": y}


@pytest.mark.parametrize("point", [(0, 0), (800, 600), (400, 300), (123.5, 77.25)])
@pytest.mark.parametrize("factor", [1.25, 4, 0.8])
@pytest.mark.parametrize("start", [lens(2, -300, -100), lens(5, -1700, -900)])
def test_zoom_keeps_the_point(
    page: Page, start: dict[str, float], factor: float, point: tuple[float, float]
) -> None:
    """Zooming about a point leaves the same pixel under it, and changes the size by the factor."""
    code = "const after = it.zoomed(a, b, c, 40); return [it.pointUnder(a, b), it.pointUnder(after, b), after.zoom, after.scale];"
    before, after, zoom, scale = ask(page, "lens.js", code, start, point, factor)
    assert after == pytest.approx(before)
    assert zoom == pytest.approx(start["zoom"] * factor)
    assert scale == pytest.approx(start["scale"] * factor)


@pytest.mark.parametrize(
    ("start", "factor", "zoom"),
    [
        (lens(2), 0, 1),
        (lens(2), 0.1, 1),
        (lens(1), 0.99, 1),
        (lens(2), 1000, 80),
        (lens(80), 1.01, 80),
        # So small a picture is closer than that as a whole.
        ({"zoom": 1, "scale": 100, "x": 0, "y": 0}, 1.25, 1),
    ],
)
def test_zoom_has_ends(page: Page, start: dict[str, float], factor: float, zoom: float) -> None:
    """No zoom shows less than the whole picture, and none a pixel larger than the most."""
    found = ask(page, "lens.js", "return it.zoomed(a, [400, 300], b, c);", start, factor, CLOSEST)
    assert found["zoom"] == pytest.approx(zoom)


@pytest.mark.parametrize(
    ("start", "by", "place"),
    [
        (lens(2, -300, -100), (40, -25), (-260, -125)),
        (lens(2, -300, -100), (301, 101), (0, 0)),
        (lens(2, -300, -100), (-10_000, -10_000), (-800, -600)),
        (lens(1), (50, -50), (0, 0)),
    ],
)
def test_pan_leaves_no_gap(
    page: Page, start: dict[str, float], by: tuple[float, float], place: tuple[float, float]
) -> None:
    """A picture that is dragged too far stops at its edge, and one that is wholly in sight stays where it is."""
    found = fitted(page, ask(page, "lens.js", "return it.moved(a, ...b);", start, by))
    assert (found["x"], found["y"]) == place


def test_boxes_lie_over_their_pixels(page: Page) -> None:
    """Where a box of the picture lies is where its corners are found again."""
    code = "const box = it.boxOver(a, [100, 200, 300, 250]); return [box, it.pointUnder(a, [box.left, box.top])];"
    box, corner = ask(page, "lens.js", code, lens(3, -50, 20))
    assert box == {"left": 100, "top": 320, "width": 300, "height": 75}
    assert corner == pytest.approx([100, 200])


# How results are looked at


@pytest.mark.parametrize(
    ("acts", "position", "left"),
    [
        ("", 0.5, 0),
        ("look.slideTo(0.8); look.slide(0.1);", 0.9, 0),
        ("look.slide(-3);", 0, 0),
        ("look.slideTo(1.5);", 1, 0),
        ("look.zoom(2, [0.25, 0.5]);", 0.5, -0.25),
        ("look.zoom(2, [1, 1]); look.pan(0.3, 0);", 0.5, -0.7),
        ("look.zoom(2, [1, 1]); look.pan(-0.3, 0);", 0.5, -1),
        ("look.zoom(2, [1, 1]); look.pan(5, 5); look.slideTo(0.1);", 0.1, 0),
        ("look.zoom(100, [1, 1]);", 0.5, -15),
        ("look.zoom(2, [1, 1]); look.zoom(0); look.slideTo(0.7);", 0.7, 0),
        ("look.slideTo(0.1); look.zoom(3); look.hold(true); look.reset();", 0.5, 0),
    ],
)
def test_comparison_slides_zooms_and_pans(page: Page, acts: str, position: float, left: float) -> None:
    """The line stays between the sides, and the pictures without a gap, closer up to 16 times about a point."""
    code = f"const look = it.createLook(); {acts} return look.now();"
    found = ask(page, "compare/look.js", code)
    assert found["position"] == pytest.approx(position)
    assert found["lens"]["x"] == pytest.approx(left)
    assert not found["held"]


# Tools


def tools(page: Page) -> dict[str, dict[str, Any]]:
    """The tools as the browser has them, but for their functions."""
    found: dict[str, dict[str, Any]] = json.loads(
        ask(page, "stage/tools.js", "return JSON.stringify(it.TOOLS);")
    )
    return found


def test_browser_and_kernel_have_the_same_tools(page: Page) -> None:
    """Both know the same tools in one order, each with a key of its own that is said under the photo."""
    entries = tools(page)
    assert tuple(entries) == Stage.tool.values  # type: ignore[attr-defined] # an Enum's
    keys = [entry["key"] for entry in entries.values()]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & {*"xh0+-=[] ", "z", "y"}
    words = ask(page, "stage/shortcuts.js", "return it.HELP;").split(" · ")
    assert {f"{entry['key'].upper()} {entry['label']}" for entry in entries.values()} <= set(words)
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
    page: Page, tool: str, straight: bool, points: list[float], drawn_from: int | None
) -> None:
    """A brush and a lasso take the whole way, the others only where they began and end, as a brush does with Shift."""
    assert ask(page, "stage/tools.js", FOLLOW, [tool, START], END, WAY, straight) == [points, drawn_from]
    # A second move: what went before is kept by the first kind, and replaced by the second.
    again, since = ask(page, "stage/tools.js", FOLLOW, [tool, points], END, WAY, straight)
    kept = points if points[-6:] == WAY else START
    assert again == [*kept, *(END if points == [*START, *END] else WAY)]
    assert since == (None if drawn_from is None else len(points) - 3)


PAINT = """
  const canvas = new OffscreenCanvas(100, 100);
  const context = canvas.getContext("2d");
  if (a.erase) context.fillRect(0, 0, 100, 100);
  it.drawMark(context, a, "red", 2);
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


def painted(page: Page, mark: dict[str, Any], places: Any) -> list[bool]:
    """Where there is ink after a mark was drawn."""
    inked, mode = ask(page, "stage/tools.js", PAINT, {"erase": False} | mark, places)
    assert mode == "source-over"
    return list(inked)


@pytest.mark.parametrize("tool", DRAWN)
def test_what_a_mark_covers(page: Page, tool: str) -> None:
    """Each tool's preview covers what its mark will, and an eraser takes the same away."""
    points, inside, outside = DRAWN[tool]
    mark = {"tool": tool, "points": points}
    expected = [True] * len(inside) + [False] * len(outside)
    assert painted(page, mark, [*inside, *outside]) == expected
    assert painted(page, mark | {"erase": True}, [*inside, *outside]) == [not covered for covered in expected]


def test_every_tool_that_marks_has_a_preview(page: Page) -> None:
    """No tool is left out of the test above."""
    assert DRAWN.keys() == {entry.get("mark", name) for name, entry in tools(page).items()}


def test_a_pen_draws_a_stroke_that_widens(page: Page) -> None:
    """Between two points of different radius a stroke is as wide as at each, and what is new of it joins on."""
    points = [20, 50, 2, 60, 50, 12, 80, 50, 12]
    places = [(60, 40), (24, 46), (80, 60), (20, 53), (40, 50)]
    assert painted(page, {"tool": "brush", "points": points}, places) == [True, False, True, False, True]
    # The wider point may hold the other one whole.
    assert painted(page, {"tool": "brush", "points": [50, 50, 2, 52, 50, 20]}, [(70, 50), (75, 50)]) == [
        True,
        False,
    ]


def test_two_corners_are_a_line_until_there_are_more(page: Page) -> None:
    """A polygon that is being made shows a thin line to the pointer, which its closed shape does not have."""
    mark = {"tool": "polygon", "points": [20, 50, 5]}
    places = [(50, 49), (50, 53)]
    assert painted(page, mark | {"hover": [80, 50, 5]}, places) == [True, False]
    assert painted(page, mark | {"points": [20, 50, 5, 80, 50, 5]}, places) == [False, False]


# Margins


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
    page: Page,
    margins: tuple[int, ...],
    handle: tuple[int, int],
    by: tuple[float, float],
    after: tuple[int, ...],
) -> None:
    """A side's handle pulls one margin, a corner's two, in whole pixels and not below nothing."""
    place = {"across": handle[0], "down": handle[1]}
    assert ask(page, "stage/margins.js", "return it.pulled(a, b, c);", margins, place, by) == list(after)


def test_handles_lie_on_the_box_and_there_is_room_to_pull(page: Page) -> None:
    """Handles are at corners and middles of sides; what is kept free is never less than a part of the picture."""
    code = "return [-1, 0, 1].map((across) => it.pointOnBox(a, { across, down: -across }));"
    assert ask(page, "stage/margins.js", code, (-10, -20, 110, 60)) == [[-10, 60], [50, 20], [110, -20]]
    spare = "return it.spareAround(a, b);"
    assert ask(page, "stage/margins.js", spare, (100, 50), (0, 0, 0, 0)) == [60, 60]
    assert ask(page, "stage/margins.js", spare, (100, 50), (10, 0, 100, 30)) == [240, 72]


# Marks on their way

OUTBOX = """
  const sent = (window.sent = []);
  const model = { send: (message, _, [buffer]) => sent.push([message, [...new Uint8Array(buffer)]]) };
  window.outbox = it.createOutbox(model);
  window.hand = (points) => {
    const mark = { tool: "brush", points, erase: false };
    window.outbox.hand(mark);
    return mark;
  };
  window.answer = (number, view) => {
    window.outbox.receive({ type: "taken", number, view: view ?? sent[0][0].view });
  };
"""


@pytest.fixture
def outbox(page: Page) -> Iterator[Page]:
    """The page with a new outbox, which hands its messages to a list."""
    ask(page, "stage/outbox.js", OUTBOX)
    yield page
    page.evaluate("outbox.stop()")


def numbers(page: Page) -> list[int]:
    """The numbers of all marks that were sent so far, in order."""
    return list(page.evaluate("sent.map(([message]) => message.number)"))


def test_a_mark_is_one_message(outbox: Page) -> None:
    """A mark goes at once, as the message that the kernel reads, its points as 32-bit numbers beside it."""
    outbox.evaluate("hand([1, 2.5, 3])")
    [[message, data]] = outbox.evaluate("sent")
    view = message.pop("view")
    assert message == {"type": "mark", "number": 1, "tool": "brush", "erase": False}
    assert re.fullmatch(r"\d+-0\.\d+(e-\d+)?", view)
    assert bytes(data) == struct.pack("<3f", 1, 2.5, 3)


def test_what_is_not_answered_is_sent_again_in_order(outbox: Page) -> None:
    """After two seconds all marks without an answer go again, the oldest first, and then each time twice as late."""
    outbox.evaluate("[1, 2, 3].forEach((x) => hand([x, 0, 1])); answer(2);")
    outbox.clock.run_for(1_999)
    assert numbers(outbox) == [1, 2, 3]
    outbox.clock.run_for(1)
    assert numbers(outbox)[3:] == [1, 3]
    outbox.clock.run_for(3_999)
    assert len(numbers(outbox)) == 5
    outbox.clock.run_for(1)
    assert numbers(outbox)[5:] == [1, 3]
    # 8, 16 and 32 seconds, and then each minute.
    for seconds in (8, 16, 32, 60, 60):
        before = len(numbers(outbox))
        outbox.clock.run_for(seconds * 1000 - 1)
        assert len(numbers(outbox)) == before
        outbox.clock.run_for(1)
        assert numbers(outbox)[before:] == [1, 3]
    messages = outbox.evaluate("sent.map(([message, data]) => JSON.stringify([message, data]))")
    assert len(set(messages)) == 3


def test_an_answer_ends_the_waiting(outbox: Page) -> None:
    """After an answer the others are tried again soon, and when all are answered nothing is sent any more."""
    outbox.evaluate("window.marks = [1, 2].map((x) => hand([x, 0, 1]))")
    outbox.clock.run_for(2_000 + 4_000 + 1_000)
    assert numbers(outbox) == [1, 2] * 3
    outbox.evaluate("answer(1)")
    assert outbox.evaluate("marks.map((mark) => Boolean(mark.taken))") == [True, False]
    outbox.clock.run_for(2_000)
    assert numbers(outbox) == [*[1, 2] * 3, 2]
    outbox.evaluate("answer(2)")
    outbox.clock.run_for(600_000)
    assert len(numbers(outbox)) == 7
    # The next one waits as the first did.
    outbox.evaluate("hand([3, 0, 1])")
    outbox.clock.run_for(2_000)
    assert numbers(outbox)[7:] == [3, 3]


@pytest.mark.parametrize(
    "act", ["answer(1, 'another view')", "outbox.receive({ type: 'other', number: 1 })", "answer(7)"]
)
def test_what_is_no_answer_is_none(outbox: Page, act: str) -> None:
    """An answer to another view, to another number, or another message leaves the mark waiting."""
    outbox.evaluate("hand([1, 0, 1])")
    outbox.evaluate(act)
    outbox.clock.run_for(2_000)
    assert numbers(outbox) == [1, 1]


@pytest.mark.parametrize("act", ["outbox.forget()", "outbox.stop()"])
def test_what_is_of_no_use_is_not_sent_again(outbox: Page, act: str) -> None:
    """With another photo, or when the view goes, no mark is sent again; the next has the next number."""
    outbox.evaluate("hand([1, 0, 1])")
    outbox.evaluate(act)
    outbox.clock.run_for(600_000)
    assert numbers(outbox) == [1]
    outbox.evaluate("hand([1, 0, 1])")
    assert numbers(outbox) == [1, 2]


# Pictures of a run, and keys


def test_each_picture_is_asked_for_once(page: Page) -> None:
    """A thumbnail stands in until the picture comes; another run's is not taken, and a new run asks anew."""
    code = """
      const asked = [];
      const pictures = it.createPictures({ send: ({ run, name }) => asked.push(`${run} ${name}`) });
      const begin = (run) => pictures.begin({ run, thumbs: [new Uint8Array(3), new Uint8Array(4)] });
      begin("r");
      const early = [0, 1].map(() => pictures.url("result 0", 1) === pictures.thumb(1));
      const wrong = pictures.receive({ type: "picture", run: "q", name: "result 0", mime: "image/webp" }, []);
      const right = pictures.receive({ type: "picture", run: "r", name: "result 0", mime: "image/webp" }, [new Uint8Array(5)]);
      const { size, type } = await (await fetch(pictures.url("result 0", 1))).blob();
      begin("s");
      const anew = pictures.url("result 0", 1) === pictures.thumb(1);
      return { asked, early, wrong, right, size, type, anew };
    """
    assert ask(page, "compare/pictures.js", code) == {
        "asked": ["r result 0", "s result 0"], "early": [True, True], "wrong": False, "right": True,
        "size": 5, "type": "image/webp", "anew": True,
    }  # fmt: skip


def test_keys_are_ours_only_inside(page: Page) -> None:
    """What acts is kept from the page, what is left to the focus goes no further, and the rest goes on to the notebook."""
    code = """
      document.body.innerHTML = "<div><input id=ours></div><input id=other>";
      const acts = { a: () => seen.push("acted"), b: null, Tab: () => seen.push("never"), F5: () => seen.push("never") };
      window.seen = [];
      window.stop = it.takeKeys({
        inside: (event) => event.target.id === "ours", actionOf: (event) => acts[event.key], released: () => seen.push("up"),
      });
      document.addEventListener("keydown", (event) => { seen.push(`notebook ${event.key}`); event.preventDefault(); });
    """
    ask(page, "keys.js", code)

    def pressed(field: str, key: str) -> list[str]:
        page.evaluate("seen.length = 0")
        page.locator(field).press(key)
        found: list[str] = page.evaluate("seen.filter((what) => what !== 'up')")
        return found

    assert pressed("#ours", "a") == ["acted"]
    assert page.locator("#ours").input_value() == ""
    assert pressed("#ours", "b") == []
    assert page.locator("#ours").input_value() == "b"
    for field, key in (("#ours", "c"), ("#ours", "Tab"), ("#ours", "F5"), ("#other", "a")):
        assert pressed(field, key) == [f"notebook {key}"]
    assert page.evaluate("seen") == ["notebook a", "up"]
    page.evaluate("stop()")
    assert pressed("#ours", "a") == ["notebook a"]
    assert page.evaluate("seen") == ["notebook a"]
