"""What a browser sends to each widget is input: whatever it is, nothing is raised, kept without end, or left wrong."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.controls import message, said
from tests.support.painting import Screen, answers, mark, stage_of
from tests.support.uploading import send_piece, watched
from ttapi_nb import MaskDrawer
from ttapi_nb.picture import FILE_CAP
from ttapi_nb.widgets.browser import PIECE_CAP, PhotoInput
from ttapi_nb.widgets.compare import Compare
from ttapi_nb.widgets.drawer.surface import POINTS_CAP
from ttapi_nb.widgets.key import KEY_CAP, KeyInput

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**80, 1.5, float("nan"), float("inf"), "", "x" * 100_000, "\ud800", [], [1], {}, {"a": 1}
)  # fmt: skip
BUFFERS: tuple[Any, ...] = ([], None, [None], ["text"], [[]], [memoryview(b"")], [memoryview(b"abc")], {})

# For each widget a message that is in order, and what comes beside it.
GOOD: dict[str, tuple[dict[str, Any], bytes]] = {
    "mark": (
        {"type": "mark", "view": "v", "number": 1, "tool": "brush", "erase": False},
        np.array([[10, 10, 5], [30, 10, 5]], np.float32).tobytes(),
    ),
    "key of the drawer": ({"type": "key", "action": "undo"}, b""),
    "own": ({"type": "own"}, b""),
    "shape": (
        {
            "type": "shape",
            "outline": "ellipse",
            "left": 1,
            "top": 2,
            "width": 30,
            "height": 40,
            "erase": False,
        },
        b"",
    ),
    "edge": ({"type": "edge", "what": "grow", "pixels": 4}, b""),
    "extend": ({"type": "extend", "aspect": "", "margins": [1, 0, 0, 0]}, b""),
    "cancel": ({"type": "cancel"}, b""),
    "piece": ({"type": "piece", "id": "a", "name": "x.png", "size": 3, "start": 0, "last": True}, b"abc"),
    "sample": ({"type": "sample"}, b""),
    "run": ({"type": "run", "prompt": "red"}, b""),
    "want": ({"type": "want", "run": "r", "name": "result 0"}, b""),
    "key": ({"type": "key", "remember": False}, b"sk-1234567890"),
}


STAGE = ("mark", "key of the drawer", "own", "shape", "edge", "extend", "run", "cancel")


def target(kind: str) -> Any:
    """The part that gets messages of a kind."""
    if kind in STAGE:
        drawer = MaskDrawer(Image.new("RGB", (400, 300), "grey"))
        return stage_of(drawer)
    widget: Any = {"piece": PhotoInput, "sample": PhotoInput, "want": Compare, "key": KeyInput}[kind]()
    for register in ("on_photo", "on_sample", "on_want", "on_key"):
        if hasattr(widget, register):
            getattr(widget, register)(lambda *_: None)
    return widget


@pytest.mark.parametrize("kind", GOOD)
def test_any_message_does_no_harm(kind: str) -> None:
    """Each field missing, and of every wrong type, and every wrong buffer raise nothing; the good one works."""
    good, data = GOOD[kind]
    widget = target(kind)
    changed: list[Any] = [*ODD]
    for name in good:
        changed.append({other: value for other, value in good.items() if other != name})
        changed += [good | {name: odd} for odd in ODD]
    for sent in changed:
        message(widget, sent, data)
    for buffers in BUFFERS:
        widget._handle_custom_msg(good | {"number": 2}, buffers)
    message(widget, good, data)


def drawer() -> MaskDrawer:
    """A drawer with a photo and a mask."""
    made = MaskDrawer(Image.new("RGB", (400, 300), "grey"))
    made.mask = made.mask.rectangle((10, 10, 50, 50))
    return made


BAD: dict[str, tuple[Any, dict[str, Any]]] = {
    "no number": ([[float("nan"), 1, 5]], {}),
    "without end": ([[1, float("inf"), 5]], {}),
    "a radius without end": ([[1, 1, float("-inf")]], {}),
    "a radius below nothing": ([[1, 1, -5]], {}),
    "no radius": ([[1, 1, 0]], {}),
    "no points": (b"", {}),
    "half a point": (b"x" * 10, {}),
    "far away": ([[1e30, 1, 5]], {}),
    "a huge brush": ([[1, 1, 1e9]], {}),
    "too many points": (bytes(12 * (POINTS_CAP + 1)), {}),
    "another tool": ([[1, 1, 5]], {"tool": "laser"}),
    "a tool of another type": ([[1, 1, 5]], {"tool": 7}),
    "erase as a number": ([[1, 1, 5]], {"erase": 1}),
    "a bucket beside the photo": ([[-5, 1, 5]], {"tool": "bucket"}),
    "a bucket nowhere": ([[float("nan"), 1, 5]], {"tool": "bucket"}),
    "a rectangle without end": ([[1, 1, 1], [float("inf"), 9, 1]], {"tool": "rectangle"}),
    "a lasso of no numbers": ([[float("nan")] * 3] * 3, {"tool": "lasso"}),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_mark_is_refused_as_it_comes(kind: str) -> None:
    """It is said in the drawer and acknowledged, the mask stays the one that is shown, and the next mark is painted."""
    made = drawer()
    screen, answered, before = Screen(made), answers(made), made.mask
    points, rest = BAD[kind]
    mark(made, 1, points, **rest)
    assert made.mask is before
    assert answered == [{"type": "taken", "view": "a", "number": 1}]
    assert said(made, "alert")
    assert (screen.ink == made.mask.coverage()).all()
    mark(made, 2, [[100, 100, 20]])
    assert answered[-1]["number"] == 2
    assert not said(made, "alert")
    assert made.mask.bounds == (10, 10, 120, 120)
    assert (screen.ink == made.mask.coverage()).all()


def test_views_are_forgotten_in_time() -> None:
    """Views are counted apart, each from 1, and few are kept: an old one begins anew, a late one goes on."""
    made = drawer()
    for number in range(200):
        mark(made, 1, [[1 + number, 1, 5]], view=f"view {number}")
    assert len(made.mask.marks) == 1 + 200
    for number in (199, 150):
        mark(made, 1, [[300, 200, 5]], view=f"view {number}")
    assert len(made.mask.marks) == 1 + 200
    mark(made, 1, [[300, 200, 5]], view="view 130")
    assert len(made.mask.marks) == 1 + 201


# Uploads


def arrives(widget: PhotoInput, start: int, data: bytes, **rest: Any) -> None:
    """Send a piece of a file that says it has 10 bytes."""
    send_piece(widget, start, data, **{"size": 10, "last": False} | rest)


def bytes_in(widget: PhotoInput) -> int:
    """How many bytes of files a widget keeps."""
    return sum(len(value) for value in vars(widget).values() if isinstance(value, bytes | bytearray))


def test_no_more_is_kept_than_was_announced() -> None:
    """A file of 10 bytes that goes on and on is refused at the eleventh byte, once, and nothing of it is kept."""
    widget, seen = watched()
    arrives(widget, 0, b"x" * 6)
    assert bytes_in(widget) == 6
    for start in itertools.islice(itertools.count(6, 6), 50):
        arrives(widget, start, b"x" * 6)
    assert [words for words in seen if "as it was announced" in words] == seen
    assert len(seen) == 1
    assert bytes_in(widget) == 0
    arrives(widget, 0, b"x" * 10, last=True)
    assert seen[-1] == ("x.png", b"x" * 10)


@pytest.mark.parametrize(
    "pieces",
    [
        [(0, b"x" * 4, {"last": True})],
        [(0, b"x" * 4, {}), (4, b"x" * 6, {"size": FILE_CAP, "last": True})],
        [(0, b"x" * (PIECE_CAP + 1), {"size": FILE_CAP})],
        [(0, b"x" * 11, {"last": True})],
    ],
    ids=["less", "another size later", "a huge piece", "more"],
)
def test_a_file_that_is_not_as_announced_is_refused(pieces: Any) -> None:
    """A file that ends early, grows on the way or comes in a piece too large for a message is refused in words."""
    widget, seen = watched()
    for start, data, rest in pieces:
        arrives(widget, start, data, **rest)
    assert len(seen) == 1
    assert "Choose it again." in seen[0]
    assert bytes_in(widget) == 0


def test_names_of_files_are_tidy() -> None:
    """A name of a megabyte, or one that leads elsewhere, is cut."""
    widget, seen = watched()
    arrives(widget, 0, b"x" * 10, last=True, name="../../" + "y" * 1_000_000 + "\0.png")
    assert len(seen[0][0]) <= 100
    assert "/" not in seen[0][0]


def test_a_huge_key_is_not_taken() -> None:
    """A key of megabytes is none, and leaves the message all the same."""
    widget, seen = KeyInput(), list[Any]()
    widget.on_key(lambda key, remember: seen.append(key))
    buffers = [memoryview(b"x" * (KEY_CAP + 1))]
    widget._handle_custom_msg({"type": "key", "remember": True}, buffers)
    assert seen == []
    assert buffers == []
