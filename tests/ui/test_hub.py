"""A class on a real JupyterHub: nobody has a token to type, and the teacher sees everybody."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page

import ttapi_nb as tt
from tests.support.gateways import command
from tests.ui.hub import RunningHub, running_hub
from tests.ui.lab import Lab
from tests.ui.notebook import PATIENCE, Notebook, written
from tests.ui.shared import WINDOW

EDITOR = "import ttapi_nb as tt\neditor = tt.ImageEditor(tt.sample())\neditor"
# Who was stopped at the limit has none left when the test is run once more.
NAMES = iter(("ada", "grace", "emmy", "joan"))
RESULTS = "print(len(editor.results), editor.client)"


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the teacher."""
    return tmp_path_factory.mktemp("teacher")


@pytest.fixture(scope="module")
def token(teacher: Path) -> str:
    """The teacher's token of a class where each has one run; there is another class, for another group."""
    command(teacher, "class", "new", "plates", "--people", "0", "--runs-each", "1")
    made = command(teacher, "class", "new", "bowls", "--people", "0", "--runs-each", "1", "--runs-room", "9")
    return str(made["teacher_token"])


@pytest.fixture(scope="module")
def hub(teacher: Path, token: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub with that class for the group `tuesday`, of which `mallory` is none."""
    folder = tmp_path_factory.mktemp("hub")
    groups = {"tuesday": ["ada", "grace", "emmy", "joan"]}
    with running_hub(folder, teacher, ["bowls=tuesday"], groups) as found:
        yield found


@contextlib.contextmanager
def at_home(browser: Browser, hub: RunningHub, user: str, *cells: str) -> Iterator[Notebook]:
    """A notebook of somebody's, logged in to the hub in a browser of their own, on their own server."""
    home = hub.homes / user
    home.mkdir(parents=True, exist_ok=True)
    lab = Lab(f"{hub.url}/user/{user}", home, home, home)
    written(lab, "lesson.ipynb", cells)
    context = browser.new_context(viewport=WINDOW)
    page = context.new_page()
    lesson = f"/user/{user}/lab/tree/lesson.ipynb"
    page.goto(f"{hub.url}/hub/login?next={quote('/hub/spawn?next=' + quote(lesson), safe='')}")
    page.fill("#username_input", user)
    page.fill("#password_input", "any")
    page.click("#login_submit")
    page.wait_for_url(f"{hub.url}{lesson}**", timeout=2 * PATIENCE)
    book = Notebook(page, lab)
    book.wait_until_ready()
    yield book
    context.close()


def ask_to_run(book: Notebook) -> None:
    """Paint, write, and press Ctrl+Enter."""
    book.paint([(400, 400), (600, 600)])
    book.prompt.fill("a teal bowl")
    book.prompt.press("Control+Enter")


def token_of(hub: RunningHub, user: str) -> str:
    """A token that somebody asks for on the hub's own page."""
    with httpx.Client(base_url=hub.url, follow_redirects=True) as client:
        page = client.get("/hub/login").text
        found = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert found is not None
        client.post("/hub/login", data={"username": user, "password": "x", "_xsrf": found[1]})
        home = client.get("/hub/token").text
        header = re.search(r'xsrf_token: "([^"]+)"', home)
        assert header is not None
        made = client.post(
            f"/hub/api/users/{user}/tokens", json={"note": "x"}, headers={"X-XSRFToken": header[1]}
        )
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


def test_nothing_to_type_a_limit_and_the_teachers_page(
    browser: Browser, hub: RunningHub, token: str, page: Page
):
    """Somebody runs an edit in a notebook, nothing typed, and somebody by a script, with a token of the hub's; both are
    stopped at their limit in words, and the teacher sees both.
    """
    user = next(NAMES)
    with at_home(browser, hub, user, EDITOR, RESULTS) as book:
        book.run(0)
        ask_to_run(book)
        book.wait_for_results()
        said = book.run(1)
        assert said.startswith("1 "), said
        assert "/services/ttapi" in said
        ask_to_run(book)
        book.editor.get_by_text(re.compile("Ask your teacher for more")).first.wait_for(timeout=PATIENCE)
    other = next(NAMES)
    client = tt.Client(api_key=token_of(hub, other), base_url=f"{hub.service}/v1")
    assert len(client.images.generate(model="gpt-image-1", prompt="a bowl").images) == 1
    with pytest.raises(tt.RefusedError, match="Ask your teacher for more"):
        client.images.generate(model="gpt-image-1", prompt="a bowl")
    page.goto(f"{hub.service}/teacher")
    page.fill("[name=token]", token)
    page.click("button.main")
    for name in (user, other):
        row = page.locator("tbody tr").filter(has_text=name)
        assert re.search(r"1\s+of 1", row.inner_text())


def test_who_is_of_no_class(hub: RunningHub):
    """A user of the hub who is not in the group, a wrong token and a token in the address are let in nowhere."""
    me, theirs = f"{hub.service}/v1/me", token_of(hub, "mallory")
    refused = httpx.get(me, headers={"TT-API-KEY": theirs})
    assert refused.status_code == 403
    assert "none of the classes" in refused.text
    assert httpx.get(me, headers={"TT-API-KEY": "0" * 32}).status_code == 401
    assert httpx.get(me, params={"token": theirs}).status_code == 401
