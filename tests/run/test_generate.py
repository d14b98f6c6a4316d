"""A picture made of words alone: the same way as an edit's, without a photo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ttapi_nb as tt
from tests.server import Server
from ttapi_nb import cli
from ttapi_nb.run import to_code


@pytest.fixture
def log(tmp_path: Path) -> tt.RunLog:
    """A log of its own."""
    return tt.RunLog(tmp_path / "log")


@pytest.mark.slow
def test_words_alone_become_a_picture(log: tt.RunLog, tmp_path: Path) -> None:
    """It is made, logged, saved with what made it, and can be the source of an edit."""
    client = tt.Client.offline()
    run = tt.generate("a teal bowl", client=client, log=log, model="gpt-image-1.5", size="1536x1024", n=2)
    first, second = run.results
    assert first.image.size == second.image.size == run.source.size == (1536, 1024)
    assert np.asarray(first.image).std() > 5
    assert first.image.tobytes() != second.image.tobytes()
    (row,) = log.rows()
    assert (row.prompt, row.source, row.state, row.images) == ("a teal bowl", "", "done", 2)
    opened = tt.open_result(first.save(tmp_path / "bowl.png"))
    assert (opened.prompt, opened.step.sources, opened.step.source.name) == ("a teal bowl", (), "")
    again = tt.edit(first.picture, "green", client=client, log=log, model="gpt-image-1.5")
    assert again.results[0].lineage is not None
    assert [step.prompt for step in again.results[0].lineage.steps] == ["a teal bowl", "green"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prompt": " "}, "prompt is empty"),
        ({"input_fidelity": "high"}, "takes no input_fidelity"),
        ({"image": tt.sample()}, "takes no picture"),
        ({"size": "7x7"}, "doesn't make results of size"),
    ],
)
def test_what_can_not_be_made_is_refused_before_it_is_sent(options: dict[str, Any], words: str) -> None:
    """Each problem is a sentence, as for an edit, and nothing leaves."""
    with pytest.raises(tt.InvalidRequestError, match=words):
        tt.Client.offline().images.generate(**{"prompt": "a bowl", "model": "gpt-image-1.5"} | options)


@pytest.mark.parametrize("wire", ["json", "multipart", "references"])
def test_the_body_is_json_and_goes_to_its_own_endpoint(wire: Any, server: Server) -> None:
    """Whatever an edit is written as, a generation is JSON, and names its model as that form does."""
    client = tt.Client("key", base_url=server.url, wire=wire)
    client.images.generate(prompt="a bowl", model="dall-e-3", size="1024x1024")
    (request,) = server.requests
    assert request.path.endswith("/images/generations")
    body = json.loads(request.body)
    assert {"prompt": "a bowl", "size": "1024x1024"}.items() <= body.items()
    assert body["mode" if wire == "json" else "model"] == "dall-e-3"
    assert not {"image", "images", "mask"} & body.keys()


@pytest.mark.slow
def test_a_script_and_a_command_do_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`to_code` writes the call, and the command saves the picture and says who made it."""
    run = tt.generate("a bowl", client=tt.Client.offline(), log=False, size="1024x1024")
    assert 'tt.generate(\n    "a bowl"' in to_code(run.asked)
    assert cli.main(["generate", "a bowl", "--offline", "--out", str(tmp_path / "b.png")]) == 0
    assert tt.open_image(tmp_path / "b.png").size == (1024, 1024)
    assert "embedded service" in capsys.readouterr().out
    assert cli.main(["generate", "", "--offline", "--out", str(tmp_path / "c.png")]) == 1
    assert "prompt is empty" in capsys.readouterr().err
    assert not (tmp_path / "c.png").exists()
