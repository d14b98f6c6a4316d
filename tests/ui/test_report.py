"""A report opened from the disk with the network off: axes swapped, results compared, votes by keys handed in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import ttapi_nb as tt
from tests.server import Server
from ttapi_nb.experiment import Trial

EVIL = "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


@pytest.fixture
def trial(server: Server, tmp_path: Path, photo: Image.Image) -> Trial:
    """Two prompts, one of them hostile, on two models, one of which refuses the size."""
    plan = tt.Experiment(
        {"plain": "a bowl", EVIL: EVIL},
        photo,
        ["gpt-image-1.5", "gpt-image-2"],
        ["auto", "2048x2048"],
        name=EVIL,
    )
    client = tt.Client("key", base_url=server.url)
    return plan.run(client, log=tt.RunLog(tmp_path / "log"), progress=False).rate(1, 3, EVIL)


@pytest.fixture
def report(browser: Browser, trial: Trial, tmp_path: Path) -> Page:
    """The report in a browser without a network; what fails or is said in there fails the test."""
    path = trial.report(tmp_path / "report.html")
    context = browser.new_context(
        offline=True, accept_downloads=True, viewport={"width": 1300, "height": 900}
    )
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"the report raised {error}"))
    page.on("request", lambda request: _only_here(request.url))
    page.goto(path.as_uri())
    return page


def _only_here(url: str) -> None:
    assert url.startswith(("file:", "data:", "blob:")), url


def test_the_grid_its_axes_and_results_side_by_side(report: Page) -> None:
    """Axes swap, the rest is chosen, skipped cells say why, and two results open beside their photo; nothing that
    anybody wrote is run.
    """
    expect(report.get_by_role("columnheader", name="gpt-image-2")).to_be_visible()
    expect(report.get_by_text("skipped: gpt-image-1.5 doesn't make results of size").first).to_be_visible()
    report.get_by_role("button", name="Swap").click()
    expect(report.get_by_role("rowheader", name="gpt-image-2")).to_be_visible()
    report.get_by_label("size", exact=True).select_option("2048x2048")
    expect(report.get_by_role("checkbox")).to_have_count(2)
    report.get_by_label("size", exact=True).select_option("(all)")
    for number in (0, 1):
        report.get_by_role("checkbox").nth(number).check()
    report.get_by_role("button", name="Compare").click()
    dialog = report.get_by_role("dialog")
    expect(dialog.get_by_role("img")).to_have_count(3)
    assert dialog.get_by_role("img").evaluate_all("images => images.every((image) => image.naturalWidth > 0)")
    report.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert report.title() == EVIL
    assert report.locator("img[onerror]").count() == 0


def test_columns_are_sorted(report: Page) -> None:
    """A click on a column's name sorts by it, another one the other way."""
    report.get_by_role("button", name="Table").click()
    for way in ("ascending", "descending"):
        report.get_by_role("button", name="stars").click()
        expect(report.get_by_role("columnheader", name="stars")).to_have_attribute("aria-sort", way)
    first = report.get_by_role("row").nth(1)
    expect(first).to_contain_text(EVIL)


def test_votes_by_keys_are_read_back(report: Page, trial: Trial, tmp_path: Path) -> None:
    """Nobody sees which prompt is which, keys vote, and the file that the report gives counts in the trial, once."""
    report.get_by_role("button", name="Vote").click()
    expect(report.get_by_role("button", name="The left is better")).to_be_visible()
    assert "a bowl" not in report.inner_text("main").replace(EVIL, "")
    for key in "12tb121":
        report.keyboard.press(key)
    expect(report.get_by_text("7 votes so far")).to_be_visible()
    report.get_by_label("Your name").fill(f"Ana {EVIL}"[:99])
    report.get_by_label("Your name").press("1")
    report.get_by_role("button", name="1 left").click()
    with report.expect_download() as saved:
        report.get_by_role("button", name="Save my votes").click()
    path = tmp_path / "votes.json"
    saved.value.save_as(path)
    assert len(json.loads(path.read_text(encoding="utf-8"))["votes"]) == 8
    assert trial.add_votes(path) == 8
    assert trial.add_votes(path) == 0
    assert [vote.choice for vote in trial.votes][:4] == ["left", "right", "tie", "both bad"]
    assert trial.votes[-1].voter.startswith("Ana </script>")
    ranking = trial.ranking("prompt")
    assert (ranking.votes, ranking.both_bad) == (8, 1)
    again = trial.report(tmp_path / "again.html")
    report.goto(again.as_uri())
    report.get_by_role("button", name="Ranking").click()
    expect(report.get_by_text("Both were called bad in 1 of 8 votes")).to_be_visible()
    assert report.title() == EVIL
