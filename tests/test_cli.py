"""The command line: the embedded service for other clients, and JupyterLab on a notebook."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from ttapi_nb.cli import main


@pytest.fixture
def service() -> Iterator[str]:
    """The base URL of `ttapi-nb serve` on a free port."""
    command = [sys.executable, "-m", "ttapi_nb.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield line.split(" answers at ")[1].split("/images/edits")[0]
        process.terminate()


def png(mode: str, colour: tuple[int, ...]) -> bytes:
    """A 256x256 PNG of one colour."""
    out = io.BytesIO()
    Image.new(mode, (256, 256), colour).save(out, "PNG")
    return out.getvalue()


def data_url(data: bytes) -> str:
    """A PNG as the documented request writes it."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def post(service: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Send one request over a socket, and read the answer."""
    url = urlsplit(service)
    with contextlib.closing(http.client.HTTPConnection(url.netloc, timeout=60)) as line:
        line.request("POST", f"{url.path}/images/edits", body, headers)
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())


@pytest.mark.slow
def test_documented_request_gets_a_picture(service):
    """The request of the service's own page, as curl sends it, is answered with a picture of the size asked for."""
    body = {
        "prompt": "a cat",
        "image": [data_url(png("RGB", (200, 80, 40)))],
        "mask": data_url(png("RGBA", (0, 0, 0, 0))),
        "mode": "dall-e-2",
        "n": 1,
        "output_compression": "100",
        "quality": "auto",
        "response_format": "b64_json",
        "size": "512x512",
    }
    headers = {"Content-Type": "application/json", "TT-API-KEY": "any"}
    status, reply = post(service, json.dumps(body).encode(), headers)
    assert status == 200
    picture = Image.open(io.BytesIO(base64.b64decode(reply["data"][0]["b64_json"])))
    assert picture.size == (512, 512)
    assert reply["usage"]["total_tokens"] > 0


@pytest.mark.slow
def test_openai_package_gets_a_picture(service):
    """The openai package needs only another base URL, and finds the picture where it looks for it."""
    import openai

    with openai.OpenAI(base_url=service, api_key="any") as client:
        reply = client.images.edit(
            model="gpt-image-1",
            image=("room.png", png("RGB", (30, 90, 200)), "image/png"),
            mask=("mask.png", png("RGBA", (0, 0, 0, 0)), "image/png"),
            prompt="a cat",
            size="1024x1024",
        )
    assert reply.data is not None
    picture = Image.open(io.BytesIO(base64.b64decode(reply.data[0].b64_json or "")))
    assert picture.size == (1024, 1024)


@pytest.mark.slow
def test_service_refuses_a_request_without_a_key(service):
    """The served service wants a key, any key, as the real one does."""
    status, reply = post(service, b"{}", {"Content-Type": "application/json"})
    assert status == 401
    assert reply["status"] == "FAILED"


def test_busy_port_is_said(capsys):
    """A port that is taken ends with a sentence and a code, not a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 1
    assert "Choose another with --port" in capsys.readouterr().err


def test_missing_notebook_is_said(capsys):
    """A notebook that is not there is named, and JupyterLab is not started."""
    assert main(["lab", "no-such.ipynb"]) == 1
    assert "There is no notebook 'no-such.ipynb'" in capsys.readouterr().err


@pytest.mark.slow
def test_lab_hands_other_options_on():
    """Options that are JupyterLab's own reach it: it prints its version and ends."""
    command = [sys.executable, "-m", "ttapi_nb.cli", "lab", "--version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip()[0].isdigit()


def test_serve_refuses_options_it_does_not_know(capsys):
    """A misspelt option of serve is an error that points to the help."""
    assert main(["serve", "--sede", "3"]) == 2
    said = capsys.readouterr().err
    assert "serve --help" in said
    assert "--sede" not in said


CANARY = "sk-canary-0123456789"


@pytest.mark.dear
@pytest.mark.parametrize(
    "line",
    [
        "KEY",
        "--key KEY",
        "--key=KEY",
        "-k KEY",
        "key KEY",
        "key --key KEY",
        "key --file=KEY",
        "key --file KEY",
        "key --where=KEY",
        "key --forget=KEY",
        "key --fil KEY",
        "key -KEY",
        "key --where --forget KEY",
        "key --KEY",
        "serve KEY",
        "serve --port KEY",
        "serve --port=KEY",
        "serve --port -KEY",
        "serve --seed KEY",
        "serve --envelope KEY",
        "serve --leaky=KEY",
        "serve --po KEY",
        "serve -KEY",
        "serve -- KEY",
        "lab KEY",
        "lab KEY/x",
        "lab --api-key KEY",
        "lab --api-key=KEY",
        "lab --KEY",
        "lab -KEY",
        "lab --offline=KEY",
        "lab --key=KEY --offline",
        "lab --port=KEY",
        "lab --ServerApp.port=KEY",
        "lab --ServerApp.allow_root=KEY",
        "lab --log-level=KEY",
        "lab --LabApp.log_level=KEY",
        "lab --no-browser=KEY",
        "lab --autoreload=KEY",
        "lab -y=KEY",
        "Key KEY",
        "--offline KEY",
        "-- KEY",
    ],
)
def test_what_was_typed_is_not_repeated(line, capsys, monkeypatch):
    """A key that is typed where none belongs is not printed, the code is 2, and a sentence says what to do about it."""
    monkeypatch.setattr("sys.argv", ["ttapi-nb"])
    try:
        code: object = main(line.replace("KEY", CANARY).split())
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr()
    assert code == 2
    assert CANARY not in said.out + said.err
    assert "history" in said.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("serve --port=x", "--port has no right value"),
        ("class shw", "action has no right value"),
        ("class new", "name is missing"),
        ("experiment --parallel 0.5 plan.yaml", "--parallel has no right value"),
        ("experiment", "plan is missing"),
    ],
)
def test_what_is_wrong_is_named(line, said, capsys, monkeypatch):
    """The option that has no right value, or is missing, is named, and where to read what it takes."""
    monkeypatch.setattr("sys.argv", ["ttapi-nb"])
    with pytest.raises(SystemExit):
        main(line.split())
    error = capsys.readouterr().err
    assert f"{said}. See ttapi-nb {line.split()[0]}" in error


def test_a_reader_that_has_enough():
    """What is read no further, by head say, ends the command without a traceback."""
    script = "import sys; from ttapi_nb.cli import main; sys.exit(main(['key', '--where']))"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert process.returncode in (0, 1)


@pytest.mark.parametrize("port", ["-1", "65536", "9" * 30, "9" * 5000])
def test_odd_ports(port, capsys):
    """A number that is no port is refused as any wrong value is, before anything is started."""
    with pytest.raises(SystemExit) as ended:
        main(["serve", f"--port={port}"])
    assert ended.value.code == 2
    assert port not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("inside", [True, False])
def test_lab_opens_on_the_notebook(tmp_path, inside):
    """The address that JupyterLab prints leads to the notebook, also from another folder."""
    (tmp_path / "my notes").mkdir()
    notebook = tmp_path / "my notes" / "first.ipynb"
    notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [
        sys.executable,
        "-m",
        "ttapi_nb.cli",
        "lab",
        str(notebook),
        "--no-browser",
        "--ServerApp.port=0",
    ]
    where = tmp_path if inside else elsewhere
    with subprocess.Popen(command, cwd=where, stderr=subprocess.PIPE, text=True) as lab:
        assert lab.stderr is not None
        printed = next(line for line in lab.stderr if "http://" in line and "/lab" in line)
        lab.kill()
    assert ("/lab/tree/my%20notes/first.ipynb" if inside else "/lab/tree/first.ipynb") in printed
