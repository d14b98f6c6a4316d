"""Zoom and pan as numbers, of the photo and of the comparison, without a widget."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.scripts import ask

# The lens. In this room a picture of 1600 x 1200 is shown at half its size.

ROOM, PICTURE, CLOSEST = (800, 600), (1600, 1200), 40


def fitted(scripts: Page, lens: dict[str, float], picture: tuple[float, float] = PICTURE, *spare: Any) -> Any:
    """The lens in the room."""
    return ask(scripts, "lens.js", "return it.fitted(a, b, c, d);", lens, ROOM, picture, spare or (0, 0))


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
    scripts: Page, picture: tuple[float, float], spare: tuple[float, ...], scale: float, x: float, y: float
) -> None:
    """At zoom 1 all of a picture is in sight, as large as it goes, in the middle, with room around it where asked."""
    whole = ask(scripts, "lens.js", "return it.WHOLE;")
    assert fitted(scripts, whole, picture, *spare) == {"zoom": 1, "scale": scale, "x": x, "y": y}


@pytest.mark.parametrize("point", [(0, 0), (800, 600), (400, 300), (123.5, 77.25)])
@pytest.mark.parametrize("factor", [1.25, 4, 0.8])
@pytest.mark.parametrize("start", [lens(2, -300, -100), lens(5, -1700, -900)])
def test_zoom_keeps_the_point(
    scripts: Page, start: dict[str, float], factor: float, point: tuple[float, float]
) -> None:
    """Zooming about a point leaves the same pixel under it, and changes the size by the factor."""
    code = """
      const after = it.zoomed(a, b, c, 40);
      return [it.pointUnder(a, b), it.pointUnder(after, b), after.zoom, after.scale];
    """
    before, after, zoom, scale = ask(scripts, "lens.js", code, start, point, factor)
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
def test_zoom_has_ends(scripts: Page, start: dict[str, float], factor: float, zoom: float) -> None:
    """No zoom shows less than the whole picture, and none a pixel larger than the most."""
    found = ask(scripts, "lens.js", "return it.zoomed(a, [400, 300], b, c);", start, factor, CLOSEST)
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
    scripts: Page, start: dict[str, float], by: tuple[float, float], place: tuple[float, float]
) -> None:
    """A picture that is dragged too far stops at its edge, and one that is wholly in sight stays where it is."""
    found = fitted(scripts, ask(scripts, "lens.js", "return it.moved(a, ...b);", start, by))
    assert (found["x"], found["y"]) == place


def test_boxes_lie_over_their_pixels(scripts: Page) -> None:
    """Where a box of the picture lies is where its corners are found again."""
    code = "const box = it.boxOver(a, [100, 200, 300, 250]); return [box, it.pointUnder(a, [box.left, box.top])];"
    box, corner = ask(scripts, "lens.js", code, lens(3, -50, 20))
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
def test_comparison_slides_zooms_and_pans(scripts: Page, acts: str, position: float, left: float) -> None:
    """The line stays between the sides, and the pictures without a gap, closer up to 16 times about a point."""
    code = f"const look = it.createLook(); {acts} return look.now();"
    found = ask(scripts, "compare/look.js", code)
    assert found["position"] == pytest.approx(position)
    assert found["lens"]["x"] == pytest.approx(left)
    assert not found["held"]
