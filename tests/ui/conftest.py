"""A real JupyterLab and a real browser, shared by all browser tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from tests.support.scripts import open_scripts
from tests.ui.lab import Lab, launched, running_lab
from tests.ui.notebook import PATIENCE, Notebook
from tests.ui.shared import WINDOW, Shared

# A kernel beside another test run may take more than Playwright's five seconds to open a photo.
expect.set_options(timeout=PATIENCE)
FAILED = pytest.StashKey[bool]()
HERE = "tests/ui/"
LONGEST = (
    "test_stage.py", "test_viewer.py", "test_drawer.py", "test_vscode.py", "test_hub.py", "test_canary.py",
    "test_drawer_survives.py", "test_keys_only.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test in this folder.

    On a busy machine JupyterLab now and then opens a page without its kernel or its shortcuts. A test that waited in
    vain is run once more, and the closing line counts it; one that saw something wrong is not.
    """
    here = [item for item in items if item.nodeid.startswith(HERE)]
    others = [item for item in items if not item.nodeid.startswith(HERE)]
    # A browser's driver leaves an event loop running in its process, so these come last, the longest files first.
    here.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
    items[:] = [*others, *here]
    for item in here:
        item.add_marker(pytest.mark.ui)
        item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=["TimeoutError"]))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab, light theme, with the embedded service."""
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The browsers' driver, of which a process can have only one."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium or Chrome; where there is none, the tests fail and say what to install."""
    with launched(playwright) as browser:
        yield browser


@pytest.fixture(scope="session")
def scripts(browser: Browser) -> Iterator[Page]:
    """An empty page that can import the package's scripts, for those that need no widget."""
    context = browser.new_context()
    page = context.new_page()
    open_scripts(page)
    yield page
    context.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser window of a test's own, wide enough for the editor's two columns."""
    context = browser.new_context(viewport=WINDOW, accept_downloads=True)
    yield context
    context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note that a test failed, for what ends after it."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def page(context: BrowserContext, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """One tab of that window; what it showed where a test failed is kept as `last.png` in the test's folder."""
    page = context.new_page()
    yield page
    if request.node.stash.get(FAILED, True):
        page.screenshot(path=tmp_path / "last.png")


def name_for(request: pytest.FixtureRequest) -> str:
    """The name of a test's notebook: brackets and dots of a parametrized test mean something in an address."""
    return re.sub(r"\W+", "-", request.node.name) + ".ipynb"


@pytest.fixture
def own_notebook(page: Page, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Callable[..., Notebook]]:
    """As `notebook`, in a page and with a kernel of the test's own.

    The kernel ends with the test: fifty of them together would slow the last tests down.
    """
    books: list[Notebook] = []

    def opened(*cells: str) -> Notebook:
        books.append(Notebook.opened(page, lab, name_for(request), cells))
        return books[-1]

    yield opened
    for book in books:
        book.tell_kernel("shut down")


@pytest.fixture(scope="session")
def shared(browser: Browser, lab: Lab) -> Iterator[Shared]:
    """One page and kernel for all tests with a `notebook`."""
    shared = Shared(browser, lab)
    yield shared
    shared.close()


@pytest.fixture
def notebook(
    shared: Shared, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Notebook]]:
    """Opens a notebook in a page, and with a kernel, that tests share: they took most of their time.

    `notebook("01_first_edit.ipynb")` is a copy of an example, anything else a new one with these cells.

    A test that changes its page for others, or more in its kernel than it makes there and in the environment, takes
    `own_notebook`.
    """
    books: list[Notebook] = []

    def opened(*cells: str) -> Notebook:
        books.append(shared.open(name_for(request), *cells))
        return books[-1]

    yield opened
    if request.node.stash.get(FAILED, True):
        shared.fail(tmp_path)
        return
    for book in books:
        shared.leave(book)


@pytest.fixture
def saving_widgets(shared: Shared, request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether widget state is saved with a notebook, in the page that tests share."""
    shared.save_widgets(request.param)
    yield request.param
    shared.save_widgets(False)
