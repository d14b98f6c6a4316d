"""The editor in the widget bundle that VS Code's Jupyter extension hosts, on a page with a real kernel."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support import npm
from tests.support.streams import DONE, DRAFTS, HEAD, OVER, streaming
from tests.ui.lab import Lab
from tests.ui.notebook import PATIENCE, Notebook
from tests.ui.paid import paid_editor

HERE = Path(__file__).parent / "vscode"
BUNDLE = (
    "@vscode/jupyter-ipywidgets8",
    "1.0.9",
    "9c0680c126bae81427625a8dae4c9edfaa408c8c694a20641002b5d7d77d1ca8",
)
MIDDLE = """async (image) => {
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const paper = canvas.getContext("2d");
  paper.drawImage(image, 0, 0);
  return [...paper.getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data];
}"""
EDITOR = """
import ttapi_nb as tt
editor = tt.ImageEditor(tt.sample())
display(editor)
"""


@pytest.fixture(scope="module")
def hosted(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page; with it JupyterLab's server serves all that the page asks for."""
    made, served = tmp_path_factory.mktemp("vscode"), lab.static / "vscode"
    modules = npm.installed(HERE, made)
    shutil.copy(HERE / "entry.js", made)
    options = ("--bundle", "--format=esm", "--outfile=services.js", "--log-level=error")
    npm.node("node_modules/esbuild/bin/esbuild", "entry.js", *options, folder=made)
    shutil.copytree(Path(sys.prefix) / "share" / "jupyter" / "nbextensions", served / "nbextensions")
    bundle = npm.package(*BUNDLE, made / "bundle") / "dist" / "ipywidgets.js"
    for file in (HERE / "page.html", made / "services.js", modules / "requirejs" / "require.js", bundle):
        shutil.copy(file, served)
    return f"{lab.url}/static/vscode/page.html"


@pytest.fixture
def opened(page: Page, lab: Lab, hosted: str) -> Iterator[Callable[..., Notebook]]:
    """Opens the page, with one front end's script withheld where it is named, and shows an editor."""

    def open_page(query: str = "", editor: str = EDITOR) -> Notebook:
        # It gives the token without which the server starts no kernel.
        page.request.get(f"{lab.url}/lab")
        page.goto(hosted + query)
        page.wait_for_function("window.ready", timeout=PATIENCE)
        run(page, editor)
        return Notebook(page, lab)

    yield open_page
    page.evaluate("window.ended()")


def run(page: Page, code: str) -> str:
    """Run code in the page's kernel, and return what it printed."""
    page.evaluate("code => { window.begin(code); }", code)
    page.wait_for_function("window.done", timeout=PATIENCE)
    done = page.evaluate("window.done")
    assert "error" not in done, done["error"]
    return str(done["said"]).strip()


def warmth(page: Page, selector: str, at: float) -> int:
    """How much more red than blue the screen is at this share of an element's width and height."""
    picture = Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB")
    red, _, blue = picture.getpixel((int(at * picture.width), int(at * picture.height)))  # type: ignore[misc]
    return int(red - blue)


# With "?without=ipycanvas" the page withholds that script.
@pytest.mark.parametrize("query", ["", "?without=ipycanvas"], ids=["whole", "without ipycanvas"])
def test_paint_run_and_compare(opened: Callable[..., Notebook], page: Page, query: str):
    """A painted edit runs, and the screen's own pixels tell the photo, the ink over it, and the result beside it."""
    book = opened(query)
    page.locator("canvas.ttapi-ink").wait_for(timeout=PATIENCE)
    page.wait_for_function(
        "document.querySelector('.ttapi-photo')?.getContext('2d').getImageData(500, 500, 1, 1).data[3] === 255"
    )
    before = warmth(page, "canvas.ttapi-photo", 0.47)
    book.paint([(400, 400), (600, 600)])
    page.mouse.move(1, 1)
    assert warmth(page, "canvas.ttapi-photo", 0.47) < before - 50
    book.prompt.fill("a blue bowl")
    book.prompt.press("Control+Enter")
    book.wait_for_results()
    assert run(page, "print(editor.mask.to_array()[500, 500], len(editor.results))") == "True 1"
    page.wait_for_function("document.querySelector('.ttapi-after img')?.naturalWidth === 1024")
    # The line is in the middle: before it the photo, behind it what the run made where one painted.
    assert warmth(page, ".ttapi-view", 0.47) == pytest.approx(before, abs=40)
    assert warmth(page, ".ttapi-view", 0.53) < 0
    page.get_by_role("radio", name="Side by side", exact=True).check(force=True)
    assert warmth(page, ".ttapi-before", 0.53) > 0
    assert warmth(page, ".ttapi-after", 0.53) < 0


def test_a_draft_lies_on_the_photo(opened: Callable[..., Notebook], page: Page, tmp_path: Path) -> None:
    """While a stream goes on, its newest draft is seen where one painted, and its result takes that place."""
    with streaming() as server:
        rest = server.event()
        server.stream = (HEAD + DRAFTS[0] + DRAFTS[1], rest, DONE + OVER)
        asks = "\neditor.options = {'partial_images': 2}\ndisplay(editor)"
        book = opened(editor=paid_editor(server, tmp_path).removesuffix("\neditor") + asks)
        page.locator("canvas.ttapi-ink").wait_for(timeout=PATIENCE)
        book.paint([(400, 400), (600, 600)])
        book.prompt.press("Control+Enter")
        draft = page.get_by_role("img", name="Draft 2 of the result, not finished")
        expect(draft).to_be_visible()
        # A shimmer goes over what the screen shows, so its own pixels are asked.
        red, green, blue, _ = draft.evaluate(MIDDLE)
        assert min(red - 200, green - 120, 60 - blue) > 0
        server.let_go()
        book.wait_for_results()
    expect(draft).to_be_hidden()
