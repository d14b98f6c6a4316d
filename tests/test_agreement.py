"""Every rule of the model table: what `problems()` says before sending is what the service says after."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest
from PIL import Image

from tests.rules import CASES, LIMITS, MB, NO_OTHER_SIDE, OURS_ONLY, Case, picture
from ttapi_nb.errors import ImageError
from ttapi_nb.models import MODELS
from ttapi_nb.request import EditRequest
from ttapi_nb.service import Service


def returned(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
    """The picture itself: what is in the result is not the point here."""
    return image


SERVICE = Service(fill=returned)
MOST_BYTES = {limits.model: limits.image_bytes for limits in LIMITS}


def our_problems(case: Case) -> tuple[str, ...]:
    """What this package says of the case; a picture that can't be opened is a problem, too."""
    given = case.given
    try:
        given["image"] = [picture(name).source for name in given["image"]]
        if "mask" in given:
            given["mask"] = picture(given["mask"]).source
    except ImageError as error:
        return (str(error),)
    return EditRequest.make(**given).problems()


@cache
def data_url(name: str) -> str:
    """The picture of that name as the JSON form of 26 March 2026 writes it."""
    file = picture(name)
    return f"data:{file.mime};base64,{base64.b64encode(file.data).decode()}"


def body(case: Case) -> bytes:
    """The case as the page of 26 March 2026 writes it, put together without the package's own encoder."""
    fields: dict[str, Any] = case.given
    fields["mode"] = fields.pop("model")
    fields["image"] = [data_url(name) for name in fields["image"]]
    if "mask" in fields:
        fields["mask"] = data_url(fields["mask"])
    return json.dumps(fields).encode()


def service_problem(case: Case) -> str:
    """What the embedded service says of the case, or nothing where it makes the picture."""
    headers = {"Content-Type": "application/json", "TT-API-KEY": "any"}
    answer = SERVICE.handle("POST", "https://api.example/v1/images/edits", headers, body(case))
    assert answer.status in (200, 400)
    if answer.pieces is not None:
        assert b".completed" in b"".join(answer.pieces)
        return ""
    reply = json.loads(answer.body)
    if answer.status == 400:
        assert reply["message"]
        return str(reply["message"])
    assert len(reply["data"]) == case.given.get("n", 1) or isinstance(case.given["n"], str)
    return ""


def is_heavy(case: Case) -> bool:
    """Whether the case is about a file of 25 MB or more, which takes seconds to make and to read."""
    return case.rule == "file length" and MOST_BYTES.get(case.model, 0) > 10 * MB


def by_rule(cases: Iterable[Case]) -> list[Any]:
    """The cases of each rule, whichever model they are of; those with files of 25 MB and more by themselves."""
    groups: defaultdict[tuple[str, bool], list[Case]] = defaultdict(list)
    seen: set[tuple[int, str]] = set()
    for case in cases:
        if heavy := is_heavy(case):
            # Models that take the same length are told the same of the same file: one of them stands for all.
            same = MOST_BYTES[case.model], case.what
            if same in seen:
                continue
            seen.add(same)
        groups[case.rule, heavy].append(case)
    return [
        pytest.param(group, id=f"{rule}, large" if heavy else rule, marks=[pytest.mark.slow] if heavy else [])
        for (rule, heavy), group in groups.items()
    ]


@pytest.mark.dear
@pytest.mark.parametrize("cases", by_rule(CASES))
def test_problems_says_exactly_what_the_case_says(cases: list[Case]) -> None:
    """A request in order has no problem, and one that breaks a rule has that one problem and no other."""
    found = {str(case): our_problems(case) for case in cases}
    wrong = {
        str(case): found[str(case)]
        for case in cases
        if len(found[str(case)]) != case.refused or any(case.says not in said for said in found[str(case)])
    }
    assert not wrong


@pytest.mark.dear
@pytest.mark.parametrize("cases", by_rule(CASES))
def test_the_service_agrees(cases: list[Case]) -> None:
    """The embedded service makes a picture of what `problems()` lets through, and refuses the rest."""
    wrong: dict[str, str] = {}
    for case in cases:
        said = service_problem(case)
        ours_only = case.refused and (case.model, case.rule) in OURS_ONLY
        if bool(said) != (case.refused and not ours_only):
            wrong[str(case)] = "Take this rule out of OURS_ONLY: the service knows it." if ours_only else said
    assert not wrong


@pytest.mark.parametrize("name", MODELS)
def test_each_rule_of_each_model_has_a_case_of_either_kind(name: str) -> None:
    """For each model and rule the table holds a request that passes and one that is refused."""
    kinds: defaultdict[str, set[bool]] = defaultdict(set)
    for case in CASES:
        if case.model == name:
            kinds[case.rule].add(case.refused)
    assert kinds
    one_sided = {(name, rule) for rule, found in kinds.items() if len(found) < 2}
    assert one_sided == {key for key in NO_OTHER_SIDE if key[0] == name}


def test_the_table_knows_every_model_and_every_limit() -> None:
    """The table's limits, written down from the pages, are those of `MODELS`, row by row and field by field."""
    assert {limits.model for limits in LIMITS} == {row.name for row in MODELS.values() if row.edits}
    for limits in LIMITS:
        row = MODELS[limits.model]
        assert row.prompt_limit == limits.prompt
        assert row.images_max == limits.images
        assert {format.lower() for format in row.image_formats} == set(limits.formats)
        assert row.image_bytes == limits.image_bytes
        assert row.square == limits.square
        assert row.compresses == limits.compresses
        assert {name: set(values) for name, values in row.choices.items()} == {
            name: set(values) for name, values in limits.choices.items()
        }
        if row.size_rule is None:
            assert set(row.sizes) == set(limits.sizes)


def test_no_case_stands_twice_in_the_table() -> None:
    """Each case has a name of its own, so that a failure points at one."""
    assert [name for name, count in Counter(map(str, CASES)).items() if count > 1] == []


REFUSED = tuple(case for case in CASES if case.refused)


@pytest.mark.parametrize("cases", by_rule(REFUSED))
def test_each_problem_is_plain_sentences_with_a_next_step(cases: list[Case]) -> None:
    """A problem begins like a sentence, ends like one, and after what is wrong says what to do."""
    for case in cases:
        (problem,) = our_problems(case)
        subject = re.match(r"'image' can't be used\. ", problem) if case.what == "gif" else None
        assert subject or problem[0].isupper() or problem.startswith(case.model)
        assert problem.endswith(".")
        assert "\n" not in problem
        sentences = re.split(r"(?<=[.?!]) ", problem)
        assert len(sentences) >= 2
        assert all(len(sentence) > 1 for sentence in sentences)


@pytest.mark.slow
def test_each_sentence_belongs_to_one_rule() -> None:
    """Nobody can take a problem for another: no two rules share a sentence."""
    rules: defaultdict[str, set[str]] = defaultdict(set)
    for case in REFUSED:
        # Those of large files are the same sentences as those of smaller ones, and take seconds to ask for.
        if is_heavy(case):
            continue
        for problem in our_problems(case):
            rules[problem].add(case.rule)
    shared = {problem: found for problem, found in rules.items() if len(found) > 1}
    assert not shared


@pytest.mark.parametrize("model", [limits.model for limits in LIMITS])
def test_many_problems_at_once_are_each_said_once(model: str) -> None:
    """A request that is wrong in every way gets every sentence, and none of them twice."""
    wide = picture("wide.webp").source
    request = EditRequest.make(
        image=[wide] * 17,
        prompt="",
        mask=picture("opaque mask.png").source,
        model=model,
        n=0,
        size="huge",
        quality="ultra",
        response_format="png",
        output_format="gif",
        output_compression=101,
        background="red",
        input_fidelity="medium",
        moderation="high",
        stream=True,
        partial_images=9,
    )
    problems = request.problems()
    assert len(problems) == len(set(problems))
    for word in (
        *("prompt", "Leave some out", "mask is", "marks nothing", "results", "size", "partial_images"),
        *("quality", "response_format", "output_format", "background", "input_fidelity", "moderation"),
        *("output_compression",),
    ):
        assert any(word in problem for problem in problems), word
