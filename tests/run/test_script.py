"""The script that is written for an edit does the same edit, and nothing that a prompt or a name could smuggle in."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

import ttapi_nb
from tests.server import decoded
from tests.support.coarse import loaded_first
from ttapi_nb import (
    AsyncClient,
    Client,
    Mask,
    MaskError,
    SettingsError,
    SourceImage,
    edit,
    open_image,
    sample,
)
from ttapi_nb.asked import Asked
from ttapi_nb.mask import Change
from ttapi_nb.request import EditRequest
from ttapi_nb.run import to_code

ROOT = Path(ttapi_nb.__file__).parents[1]


def code_of(request: EditRequest, *, fit: str = "auto", strict: bool = True, **more: Any) -> str:
    """The script of an edit that asks for this."""
    return to_code(Asked(request, fit, strict), **more)


def _run(code: str, folder: Path, **environment: str) -> None:
    """Run a script as its own program in `folder`, without a key and a network."""
    (folder / "script.py").write_text(code, encoding="utf-8")
    first = os.pathsep.join([loaded_first(folder / "first"), str(ROOT)])
    known = {"TTAPI_OFFLINE": "1", "TTAPI_DATA": str(folder / "log"), "PYTHONPATH": first}
    done = subprocess.run(
        [sys.executable, "-W", "error", "script.py"],
        cwd=folder,
        env=os.environ | known | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _calls(code: str) -> list[str]:
    """What a script calls, in order, after checking that it is nothing but one edit."""
    tree = ast.parse(code)
    for statement in tree.body:
        assert isinstance(statement, ast.Import | ast.Assign | ast.Expr | ast.For), ast.dump(statement)
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _arguments(code: str) -> dict[str, Any]:
    """The keyword arguments of the edit in a script that are plain values, and the prompt."""
    (call,) = (
        node
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "tt.edit"
    )
    plain = {
        item.arg: ast.literal_eval(item.value)
        for item in call.keywords
        if item.arg is not None and not isinstance(item.value, ast.Name)
    }
    return plain | {"prompt": ast.literal_eval(call.args[1])}


def _mask_in(code: str) -> Mask:
    (value,) = (
        node.value
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "mask"
    )
    mask = eval(ast.unparse(value), {"tt": ttapi_nb})
    assert isinstance(mask, Mask)
    return mask


# The same edit


@pytest.mark.slow
@pytest.mark.parametrize("drawing", ["calls", "json", "file", "none"])
def test_the_same_pixels(photo: Image.Image, tmp_path: Path, drawing: str) -> None:
    """The script, run by itself, saves the result that the edit had, pixel for pixel."""
    photo.save(tmp_path / "room.png")
    mask: Mask | None = Mask((64, 64)).ellipse((16, 16, 40, 44.5)).paint([(9, 9), (20, 30)], radius=4)
    if drawing == "json":
        mask = Mask.from_array(np.asarray(photo.convert("L")) > 120)
    elif drawing == "none":
        mask = None
    path = mask.save(tmp_path / "mask.json").name if mask is not None and drawing == "file" else None
    client = Client.offline(seed=3, leaky=True)
    request = EditRequest.make(
        image=tmp_path / "room.png", prompt="a 'red'\n\"sofa\"", mask=mask, model="dall-e-2", size="256x256"
    )
    run = edit(request.image[0], request.prompt, mask=mask, client=client, model="dall-e-2", size="256x256")

    code = code_of(request, client=client, mask_path=path)

    assert ("tt.Mask.from_json" in code, "tt.Mask.load" in code) == (drawing == "json", drawing == "file")
    _run(code, tmp_path)
    saved = decoded((tmp_path / "room-edit.png").read_bytes())
    assert saved.tobytes() == run.results[0].image.tobytes()
    assert saved.tobytes() != photo.tobytes()


@pytest.mark.slow
def test_several_results_and_pictures(photo: Image.Image, tmp_path: Path) -> None:
    """Several pictures, given by path or by name, and several results, each in a file of its own."""
    (tmp_path / "in").mkdir()
    photo.save(tmp_path / "in" / "a.png")
    photo.rotate(90).save(tmp_path / "b.webp", lossless=True)
    request = EditRequest.make(
        image=[tmp_path / "in" / "a.png", tmp_path / "b.webp"], prompt="x", n=2, size="1024x1024"
    )
    code = code_of(
        request,
        client=Client.offline(),
        paths=[tmp_path / "in" / "a.png"],
        save="out v1.2.webp",
        strict=False,
    )
    assert "strict=False" in code
    assert code.count("# Put this picture beside the script") == 1
    _run(code, tmp_path)
    run = edit(list(request.image), "x", n=2, size="1024x1024", client=Client.offline(), strict=False)
    for number, result in enumerate(run.results, 1):
        saved = open_image(tmp_path / f"out v1.2-{number}.webp")
        assert saved.pixels.tobytes() == result.image.tobytes()


def test_plain_and_short(photo: Image.Image) -> None:
    """What is usual is not written, and a person can read the rest."""
    request = EditRequest.make(
        image=sample(), prompt="an empty blue bowl", mask=Mask((1024, 1024)).ellipse((250, 305, 775, 785))
    )
    assert code_of(request) == (
        "import ttapi_nb as tt\n"
        "\n"
        "photo = tt.sample()\n"
        "mask = (\n"
        "    tt.Mask((1024, 1024))\n"
        "    .ellipse((250, 305, 775, 785))\n"
        ")\n"
        "\n"
        "run = tt.edit(\n"
        "    photo,\n"
        '    "an empty blue bowl",\n'
        "    mask=mask,\n"
        '    model="gpt-image-1.5",\n'
        ")\n"
        'run.results[0].save("sample-edit.png")\n'
    )
    # Another picture of that name is not the sample.
    assert 'tt.open_image("sample.jpg")' in code_of(
        EditRequest(image=(SourceImage(photo, "JPEG", "sample.jpg"),), prompt="x")
    )
    assert 'tt.open_image("image.png")' in code_of(EditRequest(image=(SourceImage(photo),), prompt="x"))
    assert 'tt.open_image("photo.png")' in code_of(EditRequest(prompt="x"))


def test_options(photo: Image.Image) -> None:
    """Every option that was set is there, as the value it had."""
    given: dict[str, Any] = {
        "model": "gpt-image-1.5",
        "n": np.int64(2),
        "size": "1024x1024",
        "quality": "high",
        "output_format": "webp",
        "output_compression": 50,
        "background": "opaque",
        "user": "class-7",
        "extra_body": {"a": [1, {"b": None}], "c": "it's"},
    }
    code = code_of(EditRequest.make(image=photo, prompt="x", **given), fit="crop")
    assert _arguments(code) == given | {"n": 2, "prompt": "x", "fit": "crop"}


# Masks


@pytest.mark.parametrize(
    "mask",
    [
        Mask((64, 48)).paint([(1, 2.5), (3.125, 4)], radius=5).erase([(0.1, 7)], radius=1.5),
        Mask((64, 48)).paint([(1, 2, 3), (4, 5, 6.5)]),
        Mask((64, 48)).rectangle((1, 2, 30, 40)).ellipse((3, 4.25, 9, 9), erase=True),
        Mask((64, 48)).polygon([(0, 0), (9, 0), (5.5, 9)]).polygon([(0, 0), (1, 0), (1, 1)], erase=True),
        Mask((64, 48)).rectangle((1, 2, 30, 40)).invert().grow(3).shrink(1.5).feather(2),
        Mask((64, 48)).fill(np.eye(48, 64, dtype=bool)),
        Mask((64, 48)).paint([(at, at / 3) for at in range(1000)]),
    ],
)
def test_masks(photo: Image.Image, mask: Mask) -> None:
    """Every mask is written so that the script's is equal to it, mark by mark."""
    code = code_of(EditRequest(image=(open_image(photo),), prompt="x", mask=mask))
    assert _mask_in(code) == mask
    assert max(map(len, code.splitlines())) < 5000


def test_a_mask_on_which_nothing_is_painted(photo: Image.Image) -> None:
    """It is no mask, in the script as in the edit."""
    assert "mask" not in code_of(EditRequest(image=(open_image(photo),), prompt="x", mask=Mask((64, 48))))


def test_cleared_mask(photo: Image.Image) -> None:
    """What was painted before everything was cleared is left out, and the area is the same."""
    mask = Mask((64, 64)).rectangle((1, 1, 50, 50)).add(Change("clear")).ellipse((5, 5, 20, 20))
    code = code_of(EditRequest(image=(open_image(photo),), prompt="x", mask=mask))
    assert "rectangle" not in code
    assert np.array_equal(_mask_in(code).coverage(), mask.coverage())


def test_mask_as_a_picture(photo: Image.Image) -> None:
    """A mask given as a picture marks the same area; one that says nothing is an error that says why."""
    drawn = Mask((64, 64)).rectangle((3, 3, 20, 20))
    request = EditRequest.make(image=photo, prompt="x", mask=drawn.to_png())
    assert np.array_equal(_mask_in(code_of(request)).to_array(), drawn.to_array())
    with pytest.raises(MaskError, match="transparency"):
        code_of(EditRequest.make(image=photo, prompt="x", mask=photo))


# Whose service


def test_clients(monkeypatch: pytest.MonkeyPatch, photo: Image.Image) -> None:
    """A client's settings are written, its key and a gateway's password never."""
    monkeypatch.delenv("TTAPI_OFFLINE", raising=False)
    request = EditRequest.make(image=photo, prompt="x")
    for client, written in (
        (Client.offline(), "client = tt.Client.offline()"),
        (AsyncClient.offline(seed=7), "client = tt.Client.offline(seed=7)"),
        (Client("secret-key"), "client = tt.Client()"),
        (
            Client(
                "secret-key",
                base_url="https://gate.example/v1",
                wire="multipart",
                auth_header="Authorization",
                auth_scheme="Bearer",
                timeout=60,
            ),
            'client = tt.Client(base_url="https://gate.example/v1", wire="multipart", '
            'auth_header="Authorization", auth_scheme="Bearer", timeout=60)',
        ),
        (
            Client("secret-key", base_url="http://127.0.0.1:9/v1", plain_base64=True),
            'client = tt.Client(base_url="http://127.0.0.1:9/v1", plain_base64=True, allow_http=True)',
        ),
    ):
        code = code_of(request, client=client)
        assert written in code.splitlines()
        assert "client=client" in code
        assert "secret" not in code.replace("it may be secret", "")
    assert "fill=…" in code_of(request, client=Client.offline(fill=lambda image, *_: image))


# Nothing gets out of its quotes


@given(st.text(st.characters()))
@example("'''\"\"\"")
@example('"); import os; os.system("echo")  #')
@example("\\")
@example("\\'")
@example("a\nb\r\u2028\0\u202e\u2066\ud800")
def test_any_prompt_and_name(text: str) -> None:
    """Whatever prompt, name, model and path are, they are values in the script and no code."""
    picture = SourceImage(Image.new("RGB", (4, 4)), name=text)
    request = EditRequest(image=(picture,), prompt=text, model=text, user=text, extra_body={text: text})
    for paths, save in ((["a.png"], "b.png"), ([None], None), ([text], None)):
        code = code_of(request, paths=paths, save=save, mask_path=text)
        assert sorted(_calls(code)) == ["run.results[0].save", "tt.edit", "tt.open_image"]
        arguments = _arguments(code)
        assert arguments["prompt"] == arguments["model"] == text
        assert arguments.get("extra_body") == {text: text}
        # Nothing that can't be seen stands in the script.
        assert all(letter.isprintable() for letter in code.replace("\n", ""))


def test_values_that_are_no_literals(photo: Image.Image) -> None:
    """An option that is an object, whatever it calls itself, is refused rather than written."""

    class Sly:
        def __repr__(self) -> str:
            return "__import__('os').system('echo')"

    for value in (Sly(), Client.offline(), float("nan")):
        with pytest.raises(SettingsError, match=r"extra_body=.*plain numbers"):
            code_of(EditRequest.make(image=photo, prompt="x", extra_body={"a": value}))
