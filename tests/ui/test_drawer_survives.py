"""What was drawn stays: other views, closed tabs, dropped lines, gone kernels, other front ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from tests.ui.drawing import DRAWER, SHOW, alpha, drag, on_screen, taken, wait_for_ink
from tests.ui.lab import Lab
from tests.ui.notebook import PATIENCE, Notebook
from tests.ui.proxy import running_proxy
from ttapi_nb import Mask
from ttapi_nb.mask import Stroke

Opened = Callable[..., Notebook]
COUNTED = (
    DRAWER.removesuffix("drawer")
    + """import ipywidgets
count = ipywidgets.Label()
drawer.observe(lambda change: setattr(count, "value", f"{len(change.new.marks)} marks"), "mask")
ipywidgets.VBox([drawer, count])"""
)
RECONNECT = "() => window.jupyterapp.commands.execute('notebook:reconnect-to-kernel')"


def starts(printed: str) -> list[int]:
    """The height at which each stroke of a printed mask begins, in hundreds of pixels."""
    return [
        round(mark.points[0][1] / 100) for mark in Mask.from_json(printed).marks if isinstance(mark, Stroke)
    ]


def test_closed_tab_is_opened_again(notebook: Opened, lab: Lab) -> None:
    """A notebook that was closed and is opened again elsewhere, with the kernel alive, shows the ink and takes more."""
    book = notebook(DRAWER, SHOW)
    page = book.page
    book.run(0)
    drag(page, (200, 200), (400, 200))
    taken(book)
    book.save()
    page.goto("about:blank")
    page.goto(lab.address(book.file.name, "again"))
    wait_for_ink(page, 300, 200)
    drag(page, (200, 500), (400, 500))
    assert starts(book.run(1)) == [2, 5]


def test_new_view_for_output_is_the_same_drawer(notebook: Opened) -> None:
    """A view of its own for the cell's output shows the same ink, and what is painted there shows in the notebook."""
    book = notebook(DRAWER, SHOW)
    page = book.page
    page.set_viewport_size({"width": 1500, "height": 1200})
    book.run(0)
    drag(page, (200, 200), (400, 200))
    taken(book)
    page.locator(".jp-Notebook .jp-OutputArea-promptOverlay").first.click(button="right")
    page.get_by_role("menuitem", name="Create New View for Cell Output").click()
    # Each view counts its own canvases; the new one comes last in the page.
    expect(page.locator("canvas.ttapi-ink")).to_have_count(2)
    wait_for_ink(page, 300, 200, view=1)
    canvas = page.locator("canvas.ttapi-ink").nth(1)
    box = canvas.bounding_box()
    assert box is not None
    scale = box["width"] / 1024
    page.mouse.move(box["x"] + 200 * scale, box["y"] + 500 * scale)
    page.mouse.down()
    page.mouse.move(box["x"] + 400 * scale, box["y"] + 500 * scale, steps=4)
    page.mouse.up()
    wait_for_ink(page, 300, 500, view=0)
    wait_for_ink(page, 300, 500, view=1)


def test_line_dropped_in_mid_stroke(lab: Lab, context: BrowserContext) -> None:
    """Strokes drawn while there is no line to the kernel are in the mask when it is back, once and in order."""
    with running_proxy(int(lab.url.rsplit(":", 1)[1])) as proxy:
        far = dataclasses.replace(lab, url=f"http://127.0.0.1:{proxy.port}")
        book = Notebook.opened(context.new_page(), far, "dropped.ipynb", [COUNTED, SHOW])
        page = book.page
        book.run(0)
        drag(page, (200, 100), (400, 100))
        taken(book)
        page.mouse.move(*on_screen(page, 200, 300))
        page.mouse.down()
        page.mouse.move(*on_screen(page, 300, 300), steps=3)
        proxy.drop()
        page.mouse.move(*on_screen(page, 400, 300), steps=3)
        page.mouse.up()
        drag(page, (200, 500), (400, 500))
        wait_for_ink(page, 350, 300)
        wait_for_ink(page, 350, 500)
        proxy.closed = False
        # As by its menu: of itself JupyterLab waits longer each time before it tries again.
        page.evaluate(RECONNECT)
        page.locator(".jp-NotebookPanel-toolbar [data-status=idle]").wait_for(
            state="attached", timeout=PATIENCE
        )
        drag(page, (200, 700), (400, 700))
        wait_for_ink(page, 350, 700)
        # What was lost with the line is sent again after a while.
        expect(page.get_by_text("4 marks")).to_be_visible(timeout=PATIENCE)
        assert starts(book.run(1)) == [1, 3, 5, 7]


def test_gone_kernel_is_said(notebook: Opened) -> None:
    """When the kernel was restarted, the photo says what to do, and paint that would be lost is not taken."""
    book = notebook(DRAWER)
    book.run(0)
    page = book.page
    drag(page, (200, 200), (400, 200))
    taken(book)
    page.locator("jp-button[data-command='notebook:restart-kernel']").first.click()
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    expect(page.locator(".ttapi-gone")).to_be_visible(timeout=PATIENCE)
    drag(page, (200, 500), (400, 500))
    assert alpha(page, 300, 500) == 0
    book.run(0)
    drag(page, (200, 500), (400, 500))
    wait_for_ink(page, 300, 500)
