"""Each format has a page, on which all of it is named; and what earlier versions wrote can still be read."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.server import Server, json_reply
from ttapi_nb import Budget, Client, Mask, RefusedError, RunLog, edit, open_image, open_result
from ttapi_nb.lineage import lineage_of

FIXTURES = Path(__file__).parent / "fixtures"
BEFORE = FIXTURES / "before"
PAGES = Path(__file__).parent.parent / "docs" / "formats"


def named_on(page: str) -> set[str]:
    """The words that stand as code on a page."""
    code = re.findall(r"`([^`]+)`", (PAGES / page).read_text(encoding="utf-8"))
    return set(re.findall(r"[A-Za-z0-9_]+", " ".join(code)))


def fields_of(value: Any, let_be: tuple[str, ...]) -> set[str]:
    """The names of all fields in a JSON value, without what is in those that are named."""
    if isinstance(value, list):
        return set().union(*(fields_of(item, let_be) for item in value))
    if not isinstance(value, dict):
        return set()
    inner = [fields_of(item, let_be) for name, item in value.items() if name not in let_be]
    return set(value).union(*inner)


def test_a_cassette_of_version_1_is_replayed() -> None:
    """A recording that the first version wrote answers with the same picture, and refuses with the same words."""
    client = Client.replay(FIXTURES / "cassette-1.zip")
    mask = Mask((32, 32)).rectangle((8, 8, 24, 20))
    photo = FIXTURES / "room.png"
    response = client.images.edit(
        image=photo, prompt="a red sofa", mask=mask, size="1024x1024", model="gpt-image-1"
    )
    assert response.data[0].data is not None
    assert open_image(response.data[0].data).pixels.getcolors() == [(32 * 32, (0, 128, 128))]
    assert response.usage is not None
    assert response.usage.total_tokens == 30
    with pytest.raises(RefusedError, match="no bombs") as refused:
        client.images.edit(image=photo, prompt="a bomb", model="gpt-image-1")
    assert refused.value.code == "moderation_blocked"


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_result_of_version_1_is_opened(suffix: str) -> None:
    """A result that the first version saved brings back its prompt, its mask mark by mark, and its photo."""
    opened = open_result(FIXTURES / f"lineage-1.{suffix}")
    assert (opened.prompt, opened.model, opened.options["quality"]) == ("a red sofa", "gpt-image-1", "low")
    assert opened.source is not None
    assert opened.source.name == "room.png"
    assert opened.mask is not None
    kinds = [mark.kind for mark in opened.mask.marks]
    assert kinds == ["shape", "stroke", "shape", "shape", "change", "change", "bitmap"]
    assert opened.mask.coverage()[10, 10] == 255


def test_a_log_of_before_is_read_and_goes_on(tmp_path: Path, photo: Image.Image) -> None:
    """A log from before the rooms says what it said, gives back what fills an editor, and takes more runs."""
    with zipfile.ZipFile(BEFORE / "log.zip") as archive:
        archive.extractall(tmp_path / "log")
    log = RunLog(tmp_path / "log")
    left, done = log.rows()
    assert (left.id, left.state, left.sent) == ("b" * 32, "unknown", True)
    assert (done.prompt, done.model, done.state, done.options["quality"]) == (
        *("a red sofa", "gpt-image-1", "done"),
        "low",
    )
    assert open_image(done.results[0]).pixels.getcolors() == [(32 * 32, (0, 128, 128))]
    step = log.restore(done.id)
    assert (step.fit, step.strict, step.options) == (
        "pad",
        True,
        {"n": 1, "quality": "low", "extra_body": {"seed": 7}},
    )
    assert step.mask == Mask.load(BEFORE / "mask.json")
    assert step.source.digest == open_image(FIXTURES / "room.png").digest
    assert log.spent(Budget()).runs == 2
    edit(photo, "a blue lamp", client=Client.offline(fill=lambda image, *_: image), log=log, model="dall-e-2")
    assert [row.prompt for row in log.rows()] == ["a blue lamp", "a red sofa", "a red sofa"]


def test_a_mask_of_before_is_the_same_pixels() -> None:
    """A mask with every kind of mark is read mark by mark, covers just what it did, and is written the same."""
    text = (BEFORE / "mask.json").read_text(encoding="utf-8")
    mask = Mask.from_json(text)
    drawn = Image.open(BEFORE / "mask_coverage.png")
    assert mask.to_image().tobytes() == drawn.tobytes()
    assert json.loads(mask.to_json()) == json.loads(text)


def test_a_result_and_a_cassette_of_before_are_opened() -> None:
    """What was saved and recorded before the rooms opens as it did; a notebook of then is run beside these tests."""
    opened = open_result(BEFORE / "result.png", source=FIXTURES / "room.png")
    assert (opened.prompt, opened.step.fit, opened.mask) == (
        "a red sofa",
        "pad",
        Mask.load(BEFORE / "mask.json"),
    )
    client = Client.replay(BEFORE / "cassette.zip")
    mask = Mask.load(BEFORE / "mask.json")
    response = client.images.edit(
        image=FIXTURES / "room.png", prompt="a red sofa", mask=mask, model="gpt-image-1"
    )
    assert response.data[0].image.getcolors() == [(32 * 32, (0, 128, 128))]


def test_a_chain_of_version_1_goes_on() -> None:
    """A picture of two steps has both, and a third comes behind them."""
    opened = open_result(FIXTURES / "lineage-1-two-steps.png")
    client = Client.offline(fill=lambda image, *_: image)
    result = edit(opened.picture, "a green wall", client=client, log=False, model="gpt-image-1").results[0]
    lineage = lineage_of(result.picture)
    assert lineage is not None
    assert [step.prompt for step in lineage.steps] == ["a red sofa", "a blue lamp", "a green wall"]


def test_each_field_of_a_cassette_is_on_its_page(server: Server, photo: Image.Image, tmp_path: Path) -> None:
    """What is recorded now has no field that the page does not name, and the version is the page's."""
    tape = tmp_path / "a.zip"
    client = Client.record(tape, api_key="sk-0123456789", base_url=server.url)
    client.images.edit(
        image=photo, prompt="x", mask=Mask((64, 64)).rectangle((1, 1, 9, 9)), extra_body={"a": 1}
    )
    server.answer = json_reply({"error": {"message": "no", "code": "c", "param": "p"}}, 400)
    with pytest.raises(RefusedError):
        client.images.edit(image=photo, prompt="y")
    with zipfile.ZipFile(tape) as archive:
        version = json.loads(archive.read("ttapi_nb.json"))["format"]
        read = [
            json.loads(archive.read(name)) for name in archive.namelist() if name.startswith("exchanges/")
        ]
    fields = fields_of(read, ("options",))
    assert {"prompt", "reply", "refusal", "usage", "revised_prompt"} <= fields
    assert fields - named_on("cassette.md") == set()
    assert f"`{version}`" in (PAGES / "cassette.md").read_text(encoding="utf-8")


def test_each_field_of_a_lineage_is_on_its_page(photo: Image.Image, tmp_path: Path) -> None:
    """What is saved now has no field that the page does not name, and the version is the page's."""
    client = Client.offline(fill=lambda image, *_: image)
    mask = Mask((64, 64)).rectangle((1, 1, 9, 9))
    result = edit(photo, "x", mask=mask, client=client, log=False, model="gpt-image-1").results[0]
    with Image.open(result.save(tmp_path / "a.png")) as saved:
        read = json.loads(saved.info["ttapi_nb"])
    fields = fields_of(read, ("options", "drawing"))
    assert {"steps", "leak", "share", "sources", "sha256"} <= fields
    assert fields - named_on("lineage.md") == set()
    assert f'`"format": {read["format"]}`' in (PAGES / "lineage.md").read_text(encoding="utf-8")
