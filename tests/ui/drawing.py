"""Drawing on a drawer's photo in the browser, and looking at its ink."""

from __future__ import annotations

import base64
import contextlib
import io
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from tests.ui.notebook import PATIENCE, Notebook

DRAWER = "import ttapi_nb as tt\ndrawer = tt.MaskDrawer(tt.sample())\ndrawer"
SHOW = "print(drawer.mask.to_json())"
INK = "(canvas) => Array.from(canvas.getContext('2d').getImageData(X, Y, 1, 1).data)[3]"


def alpha(page: Page, x: int, y: int, view: int = 0) -> int:
    """How opaque the ink is at a pixel of the photo, 0 to 255."""
    script = INK.replace("X", str(x)).replace("Y", str(y))
    found: int = page.locator("canvas.ttapi-ink").nth(view).evaluate(script)
    return found


def wait_for_ink(page: Page, x: int, y: int, view: int = 0, *, there: bool = True) -> None:
    """Wait until there is ink at a pixel, or none."""
    page.locator("canvas.ttapi-ink").nth(view).wait_for(timeout=PATIENCE)
    read = INK.replace("X", str(x)).replace("Y", str(y))
    canvas = f"document.querySelectorAll('canvas.ttapi-ink')[{view}]"
    page.wait_for_function(f"(({read})({canvas}) === 255) === {str(there).lower()}", timeout=PATIENCE)


def on_screen(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the photo is on the screen."""
    canvas = page.locator("canvas.ttapi-ink").first
    # All of it: what is half in sight already would stay so.
    canvas.evaluate("canvas => canvas.scrollIntoView({ block: 'center' })")
    box = canvas.bounding_box()
    assert box is not None
    return box["x"] + x * box["width"] / 1024, box["y"] + y * box["width"] / 1024


def drag(page: Page, *points: tuple[float, float], button: str = "left") -> None:
    """Drag over the photo along `points`."""
    page.mouse.move(*on_screen(page, *points[0]))
    page.mouse.down(button=button)  # type: ignore[arg-type] # one of Playwright's own names
    for point in points[1:]:
        page.mouse.move(*on_screen(page, *point), steps=5)
    page.mouse.up(button=button)  # type: ignore[arg-type]


@contextlib.contextmanager
def touch_screen(page: Page) -> Iterator[Callable[..., None]]:
    """Have the page's screen be one to touch; gives `touch(kind, *points)`, each of the points a finger's."""
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 5})

    def touch(kind: str, *points: tuple[float, float]) -> None:
        fingers = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    yield touch
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
    session.detach()


def taken(book: Notebook) -> None:
    """Wait until the first stroke is in the mask: strokes and cells go two ways to the kernel."""
    expect(book.page.get_by_role("button", name="Undo").first).to_be_enabled()


def shown(page: Page) -> NDArray[np.uint8]:
    """The ink on the screen as an array."""
    url = page.locator("canvas.ttapi-ink").first.evaluate("canvas => canvas.toDataURL()")
    data = base64.b64decode(url.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(data)).getchannel("A"))
