"""What an experiment's plan is made of: the product, what is left out and why, and plans as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import ttapi_nb as tt
from tests.support.properties import examples

MODEL = "gpt-image-1.5"


def texts(plan: tt.Experiment) -> list[str]:
    """The prompts as they would be sent, in order."""
    return [cell.text for cell in plan.cells]


def test_each_goes_with_each(photo: Image.Image) -> None:
    """Prompts, photos, models, sizes and options are multiplied; repeats come last, so that all is seen once first."""
    plan = tt.Experiment(
        ["a", "b"],
        [photo, None],
        [MODEL, "gpt-image-2"],
        ["auto", "1024x1024"],
        {"quality": ["low", "high"], "background": "opaque"},
        repeats=2,
    )
    assert len(plan.cells) == 2 * 2 * 2 * 2 * 2 * 2
    assert len({cell.key for cell in plan.cells}) == len(plan.cells)
    assert [cell.repeat for cell in plan.cells[::32]] == [1, 2]
    assert list(plan.axes) == ["prompt", "photo", "model", "size", "repeat", "quality"]
    assert all(cell.request.background == "opaque" for cell in plan.cells)
    assert [cell.request.generates for cell in plan.cells[:32:16]] == [False, True]


def test_what_goes_together_goes_step_by_step(photo: Image.Image) -> None:
    """`zip` pairs axes of one length, also several groups of them."""
    plan = tt.Experiment(["a", "b"], [photo, None], [MODEL, "gpt-image-2"], zip=("prompts", "photos"))
    assert [(cell.text, cell.photo.picture is None) for cell in plan.cells] == [
        ("a", False),
        ("a", False),
        ("b", True),
        ("b", True),
    ]
    both = tt.Experiment(
        ["{x} {y}"], models=MODEL, variables={"x": ["1", "2"], "y": ["8", "9"]}, zip=[("x", "y")]
    )
    assert texts(both) == ["1 8", "2 9"]


def test_templates_are_filled_in(photo: Image.Image) -> None:
    """Each value of a variable is tried where a prompt names it, and nothing twice where it does not."""
    plan = tt.Experiment(
        {"bowl": "a {colour} bowl", "plain": "nothing", "set": "{{a}} {colour} {thing}"},
        variables={"colour": ["teal", "red"], "thing": ["cup"]},
    )
    assert texts(plan) == ["a teal bowl", "a red bowl", "nothing", "{a} teal cup", "{a} red cup"]
    assert plan.cells[1].values["prompt"] == "bowl"
    assert plan.cells[1].values["colour"] == "red"
    # Without variables braces are braces.
    assert texts(tt.Experiment('{"a": {}}')) == ['{"a": {}}']


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
        min_size=1,
        max_size=4,
    )
)
@examples(40)
def test_any_prompt_comes_back_from_json(prompts: list[str]) -> None:
    """Whatever is in a prompt, the plan that is written and read again is the same plan."""
    plan = tt.Experiment(list(dict.fromkeys(prompts)), models=MODEL, name="x")
    assert tt.Experiment.from_json(plan.to_json()) == plan


def test_what_can_not_be_is_skipped_with_its_reason(photo: Image.Image) -> None:
    """A model that can't edit or take the size, a rule, and what is there already are grey, and no error."""
    plan = tt.Experiment(
        ["a", "b", "b"],
        photo,
        [MODEL, "dall-e-2", "dall-e-3"],
        ["1536x1024"],
        skip=lambda cell: "Not this one." if cell.text == "a" else False,
    )
    assert [(cell.text, cell.model) for cell in plan.cells] == [("b", MODEL)]
    reasons = {one.reason.split(".")[0] for one in plan.skipped}
    assert "Not this one" in reasons
    assert "dall-e-3 makes new pictures only and can't edit one" in reasons
    assert any(reason.startswith("dall-e-2 doesn't make results of size '1536x1024'") for reason in reasons)
    assert any(reason.startswith("The same as cell") for reason in reasons)
    faint = tt.Mask((64, 64)).rectangle((30, 30, 33, 33)).feather(20)
    assert not tt.Experiment("a", (photo, faint), MODEL).cells


def test_equal_plans_are_equal(photo: Image.Image) -> None:
    """The same content is the same plan under the same name; each further thing makes another."""
    mask = tt.Mask((64, 64)).rectangle((8, 8, 30, 30))

    def made(**more: Any) -> tt.Experiment:
        return tt.Experiment(**{"prompts": ["a", "b"], "photos": (photo, mask), "models": MODEL} | more)

    assert made() == made()
    assert hash(made()) == hash(made())
    assert made().name == made().name
    others: list[dict[str, Any]] = [
        {"prompts": ["a"]},
        {"photos": photo},
        {"sizes": "1024x1024"},
        {"strict": False},
        {"repeats": 2},
        {"name": "x"},
    ]
    assert all(made() != made(**other) for other in others)
    read = tt.Experiment.from_json(made().to_json(), photos=[photo])
    assert read == made()
    assert str(photo.tobytes()[:9]) not in made().to_json()
    with pytest.raises(tt.ResultError, match="not at hand"):
        tt.Experiment.from_json(made().to_json())


def test_prompts_and_plans_from_files(tmp_path: Path, photo: Image.Image) -> None:
    """Lines, a table that fills in its own templates, a list, and a whole plan with paths of its own folder."""
    (tmp_path / "p.txt").write_text("# mine\n\na bowl\n a cup \n", encoding="utf-8")
    (tmp_path / "p.csv").write_text(
        'name,prompt,colour\none,"a {colour} bowl, big",teal\n,plain,\n', encoding="utf-8-sig"
    )
    (tmp_path / "p.yaml").write_text("bowl: a bowl\ncup: a cup\n", encoding="utf-8")
    assert texts(tt.Experiment(tmp_path / "p.txt")) == ["a bowl", "a cup"]
    assert texts(tt.Experiment(tmp_path / "p.csv")) == ["a teal bowl, big", "plain"]
    assert tt.Experiment(str(tmp_path / "p.yaml")).cells[1].values["prompt"] == "cup"
    photo.save(tmp_path / "photo.png")
    mask = tt.Mask((64, 64)).rectangle((8, 8, 30, 30))
    (tmp_path / "mask.png").write_bytes(mask.to_png())
    (tmp_path / "plan.yaml").write_text(
        "prompts: [a bowl, a cup]\nphotos: [{photo: photo.png, mask: mask.png, name: bowl}]\n"
        f"models: {MODEL}\nrepeats: 2\noptions: {{quality: [low, high]}}\n",
        encoding="utf-8",
    )
    plan = tt.Experiment.read(tmp_path / "plan.yaml")
    assert (len(plan.cells), plan.name, plan.cells[0].photo.label) == (8, "plan", "bowl")
    assert plan.cells[0].photo.mask is not None


@pytest.mark.dear
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"prompts": []}, "There is no prompt"),
        ({"prompts": ["a", " "]}, "says anything"),
        ({"prompts": 3}, "neither a list"),
        ({"prompts": "none.csv"}, "can't be read"),
        ({"prompts": "{x}", "variables": {"y": ["1"]}}, "names 'x'"),
        ({"prompts": "{x.__class__}", "variables": {"x": ["1"]}}, "braces that name no variable"),
        ({"prompts": "{x", "variables": {"x": ["1"]}}, "braces that name no variable"),
        ({"variables": {"a b": ["1"]}}, "plain name"),
        ({"variables": {"x": []}}, "plain name"),
        ({"options": {"qualty": "low"}}, "Did you mean 'quality'"),
        ({"options": {"model": "x"}}, "give it as models"),
        ({"options": {"quality": []}}, "has no value"),
        ({"repeats": 0}, "whole number from 1"),
        ({"models": [3]}, "list of names"),
        ({"zip": ("prompt", "colour")}, "none of"),
        ({"prompts": ["a", "b"], "zip": ("prompt", "model")}, "2 of prompt, 1 of model"),
        ({"skip": "no"}, "no function"),
        ({"photos": [{"photo": None, "maks": 1}]}, "not known"),
        ({"photos": [(None, tt.Mask((4, 4)))]}, "mask without a photo"),
        (
            {"repeats": 1000, "options": {"n": list(range(1, 11)), "output_compression": [1, 2, 3]}},
            "more than",
        ),
    ],
)
def test_what_can_not_be_meant_is_refused_in_a_sentence(given: dict[str, Any], words: str) -> None:
    """Each says what is wrong before anything is sent."""
    with pytest.raises(tt.SettingsError, match=words):
        _ = tt.Experiment(**{"prompts": "a bowl", "models": "somebody's"} | given).cells


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prompts: [a]\nmodel: x", "Did you mean 'models'"),
        ("- a", "is no plan"),
        ("photos: []", "no prompts"),
        ("prompts: [a", "can't be read in line"),
        ("a: &x [1]\nprompts: [*x, *x]", "aliases"),
        ("prompts: !!python/object/apply:os.system [ls]", "can't be read"),
    ],
)
def test_a_file_that_is_no_plan(tmp_path: Path, text: str, words: str) -> None:
    """It is told what is wrong in it, and nothing in it is carried out."""
    (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(tt.SettingsError, match=words):
        tt.Experiment.read(tmp_path / "plan.yaml")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "prompts": 3}', "[" * 9999])
def test_json_that_is_no_plan(text: str) -> None:
    """It is refused in a sentence, and so is a newer one."""
    with pytest.raises(tt.SettingsError, match="no plan"):
        tt.Experiment.from_json(text)
    newer = json.loads(tt.Experiment("a").to_json()) | {"format": 2}
    with pytest.raises(tt.SettingsError, match="newer"):
        tt.Experiment.from_json(json.dumps(newer))


def test_what_it_takes_is_told_before(photo: Image.Image) -> None:
    """Runs and images are counted, the cost by the size that will be asked for, and what is not known is said so."""
    prices = tt.PriceTable({(MODEL, "1024x1024"): 0.5, (MODEL, "1536x1024"): 2.0}, "USD")
    plan = tt.Experiment(["a", "b"], photo, [MODEL, "gpt-image-2"], ["1024x1024", "1536x1024"], {"n": 2})
    told = plan.estimate(prices)
    assert (told.runs, told.images, told.cost, told.unpriced, told.seconds) == (8, 16, 10.0, 4, None)
    assert told.words == "8 runs, 16 images, cost 10 USD and 4 runs without a price, time unknown"
    assert plan.estimate().cost is None
