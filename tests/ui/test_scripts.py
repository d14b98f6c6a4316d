"""What several widgets are made of: their one module, keys, and the pictures of a run."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.support.scripts import ask
from ttapi_nb.widgets.browser import module


@pytest.mark.parametrize("name", ["stage.js", "compare.js", "download.js", "key_input.js", "photo_input.js"])
def test_what_a_widget_has_is_a_module(scripts: Page, name: str) -> None:
    """Joined with all that it needs, a widget's text can be imported from nowhere and has what anywidget calls."""
    code = """
      const url = URL.createObjectURL(new Blob([a], { type: "text/javascript" }));
      return typeof (await import(url)).default.render;
    """
    assert ask(scripts, "lens.js", code, module(name).default_value) == "function"


def test_each_picture_is_asked_for_once(scripts: Page) -> None:
    """A thumbnail stands in until the picture comes, one that nobody asked for is not taken, and few are kept."""
    code = """
      const asked = [];
      const pictures = it.createPictures({ send: ({ name }) => asked.push(name) });
      pictures.begin([new Uint8Array(3), new Uint8Array(4)]);
      const thumb = pictures.url("r 1", 1);
      const early = [thumb.startsWith("blob:"), pictures.url("r 1", 1) === thumb];
      const receive = (name) => pictures.receive({ type: "picture", name, mime: "image/webp" }, [new Uint8Array(5)]);
      const [wrong, right] = [receive("q 1"), receive("r 1")];
      const { size, type } = await (await fetch(pictures.url("r 1", 1))).blob();
      pictures.begin([new Uint8Array(3), new Uint8Array(4)]);
      const kept = pictures.url("r 1", 1) !== pictures.url("r 2", 1);
      for (let number = 2; number < 14; number += 1) pictures.url(`r ${number}`, 0);
      const anew = asked.length;
      pictures.url("r 1", 1);
      return { early, wrong, right, size, type, kept, anew, last: asked.at(-1) };
    """
    assert ask(scripts, "compare/pictures.js", code) == {
        "early": [True, True], "wrong": False, "right": True, "size": 5, "type": "image/webp", "kept": True,
        "anew": 13, "last": "r 1",
    }  # fmt: skip


def test_keys_are_ours_only_inside(scripts: Page) -> None:
    """What acts is kept from the page, what is left to the focus goes no further, and the rest goes to the notebook."""
    code = """
      document.body.innerHTML = "<div><input id=ours></div><input id=other>";
      const never = () => seen.push("never");
      const acts = { a: () => seen.push("acted"), b: null, Tab: never, F5: never };
      window.seen = [];
      window.stop = it.takeKeys({
        inside: (event) => event.target.id === "ours",
        actionOf: (event) => acts[event.key],
        released: () => seen.push("up"),
      });
      document.onkeydown = (event) => { seen.push(`notebook ${event.key}`); event.preventDefault(); };
    """
    ask(scripts, "keys.js", code)

    def pressed(field: str, key: str) -> list[str]:
        scripts.evaluate("seen.length = 0")
        scripts.locator(field).press(key)
        found: list[str] = scripts.evaluate("seen.filter((what) => what !== 'up')")
        return found

    assert pressed("#ours", "a") == ["acted"]
    assert scripts.locator("#ours").input_value() == ""
    assert pressed("#ours", "b") == []
    assert scripts.locator("#ours").input_value() == "b"
    for field, key in (("#ours", "c"), ("#ours", "Tab"), ("#ours", "F5"), ("#other", "a")):
        assert pressed(field, key) == [f"notebook {key}"]
    assert scripts.evaluate("seen") == ["notebook a", "up"]
    scripts.evaluate("stop()")
    assert pressed("#ours", "a") == ["notebook a"]
    assert scripts.evaluate("seen") == ["notebook a"]
