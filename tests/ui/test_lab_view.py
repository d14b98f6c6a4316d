"""The lab's view in a page: what the kernel tells is shown, votes go back, and no key reaches the notebook."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

import ttapi_nb as tt
from tests.server import Server
from ttapi_nb.experiment.report.telling import told_of
from ttapi_nb.widgets.lab.view import LabView

EVIL = "</script><img src=x onerror=\"document.title='run'\">"
HOST = """
async (code) => {
  window.said = []; window.keys = []; window.listeners = [];
  window.addEventListener("keydown", (event) => window.keys.push(event.key));
  const module = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const model = { send: (message) => window.said.push(message), on: (_, hear) => window.listeners.push(hear), off: () =>
  {} }; const el = document.createElement("div"); document.body.append(el); module.default.render({ model, el });
}
"""
HEAR = """
([message, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  window.listeners.forEach((hear) => hear(message, [bytes]));
}
"""


def hear(page: Page, message: dict[str, Any], data: bytes = b"") -> None:
    """Have the view told something."""
    page.evaluate(HEAR, [message, base64.b64encode(data).decode()])


@pytest.fixture
def told(server: Server, tmp_path: Path) -> dict[str, Any]:
    """What is told of two prompts, one of them hostile, on two models."""
    plan = tt.Experiment(["a bowl", EVIL], None, ["gpt-image-1.5", "gpt-image-2"], name=EVIL)
    trial = plan.run(tt.Client("key", base_url=server.url), log=tt.RunLog(tmp_path / "log"), progress=False)
    told = json.loads(json.dumps(told_of(trial, trial.cells, full=False)))
    for one in told["results"]:
        one["at"] = one["id"]
    return dict(told)


def test_cells_fill_and_votes_go_back(page: Page, told: dict[str, Any]) -> None:
    """States become pictures as they come, keys vote and stay in the lab, and nothing that is told is run."""
    page.set_content(f"<style>{LabView._css.default_value}</style><body data-jp-theme-light='true'>")
    page.evaluate(HOST, LabView._esm.default_value)
    assert page.evaluate("window.said") == [{"type": "ready"}]
    waiting = [one | {"at": None, "state": "sending"} for one in told["results"]]
    hear(page, {"type": "told", "told": told | {"results": waiting}})
    expect(page.locator(".state", has_text="sending")).to_have_count(4)
    out = io.BytesIO()
    Image.new("RGB", (32, 24), "teal").save(out, "WEBP")
    for one in told["results"]:
        hear(page, {"type": "picture", "at": one["id"]}, out.getvalue())
    hear(page, {"type": "told", "told": told})
    pictures = page.locator("figure img")
    expect(pictures).to_have_count(4)
    page.wait_for_function(
        "[...document.querySelectorAll('figure img')].filter((image) => image.naturalWidth === 32).length === 4"
    )
    page.get_by_role("checkbox").nth(0).check()
    page.get_by_role("checkbox").nth(1).check()
    page.get_by_role("button", name="Compare").click()
    assert [message["type"] for message in page.evaluate("window.said")[1:]] == ["want", "want"]
    large = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(large, "WEBP")
    hear(page, {"type": "large", "id": page.evaluate("window.said")[1]["id"]}, large.getvalue())
    page.wait_for_function(
        "[...document.querySelectorAll('dialog img')].some((image) => image.naturalWidth === 64)"
    )
    # What is told meanwhile does not close what is looked at.
    hear(page, {"type": "told", "told": told})
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Vote").click()
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Your name").press("d")
    page.get_by_role("button", name="1 left").click()
    page.get_by_role("button", name="Vote").focus()
    for key in "2tb":
        page.keyboard.press(key)
    votes = [message["vote"] for message in page.evaluate("window.said") if message["type"] == "vote"]
    assert [vote["choice"] for vote in votes] == ["left", "right", "tie", "both bad"]
    assert all(vote["voter"] == "Anad" for vote in votes)
    assert page.evaluate("window.keys") == []
    assert page.title() != "run"


def test_two_hundred_cells_stay_smooth(page: Page, told: dict[str, Any]) -> None:
    """The grid is drawn anew with 200 cells in a fraction of a second, as often as it is told."""
    page.set_content(f"<style>{LabView._css.default_value}</style><body>")
    page.evaluate(HOST, LabView._esm.default_value)
    one = told["results"][0]
    many = [
        one
        | {
            "id": f"{n}.1",
            "at": None,
            "values": one["values"] | {"prompt": f"prompt {n // 4}", "model": f"m{n % 4}"},
        }
        for n in range(200)
    ]
    hear(page, {"type": "told", "told": told | {"results": many, "skipped": []}})
    expect(page.locator(".grid tbody tr")).to_have_count(50)
    took = page.evaluate(
        "([message]) => { const start = performance.now(); for (let n = 0; n < 5; n++)"
        " window.listeners.forEach((hear) => hear(message, [])); return (performance.now() - start) / 5; }",
        [{"type": "told", "told": told | {"results": many, "skipped": []}}],
    )
    assert took < 400
