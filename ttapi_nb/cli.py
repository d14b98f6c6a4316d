"""`ttapi-nb lab` opens a notebook in JupyterLab, `serve` runs the embedded service for others, `key` keeps the key."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

__all__ = ["main"]


class _Discreet(argparse.ArgumentParser):
    """A parser that repeats nothing of what was typed: it may be a key."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2 and the commands that there are."""
        self.exit(
            2,
            f"{self.format_usage()}{self.prog}: something in that is not known, or missing; it is not repeated here, "
            f"as it might be a key. See {self.prog} --help. A key is never typed into a command: ttapi-nb key asks "
            "for it.\n",
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; returns the exit code."""
    parser = _Discreet(
        prog="ttapi-nb", description="Image edits with TTAPI from a notebook.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)
    lab = commands.add_parser(
        "lab", help="open JupyterLab, on a notebook where one is named; it gets every other option"
    )
    lab.add_argument("notebook", nargs="?", help="the notebook to open")
    lab.add_argument(
        "--offline", action="store_true", help="use the embedded service even where a key is set"
    )
    serve = commands.add_parser("serve", help="run the embedded service on 127.0.0.1, until Ctrl+C")
    serve.add_argument("--port", type=int, default=8000, help="the port to listen on, 0 for any that is free")
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
    key = commands.add_parser("key", help="ask for the API key, without showing it, and keep it for later")
    what = key.add_mutually_exclusive_group()
    what.add_argument("--file", action="store_true", help="keep it in a file of yours, not in the keyring")
    what.add_argument("--where", action="store_true", help="only say where a key is found")
    what.add_argument("--forget", action="store_true", help="remove the key that was kept")
    given, rest = parser.parse_known_args(arguments)
    if given.command == "lab":
        return _lab(given, rest)
    if rest:
        (key if given.command == "key" else serve).error("")
    return _key(given) if given.command == "key" else _serve(given)


def _lab(given: argparse.Namespace, rest: Sequence[str]) -> int:
    if importlib.util.find_spec("jupyterlab") is None:
        return _fail('JupyterLab is not installed. Install it with: pip install "ttapi-nb[lab]"')
    if given.notebook is not None and not Path(given.notebook).is_file():
        # What does not end like a notebook may be a key.
        name = repr(given.notebook) if given.notebook.endswith(".ipynb") else "of that name"
        return _fail(f"There is no notebook {name}. Check the name and the folder you are in.")
    if given.offline:
        os.environ["TTAPI_OFFLINE"] = "1"
    notebook = _opened_on(Path(given.notebook).resolve()) if given.notebook is not None else []
    # In a container one is root, and JupyterLab would stop there; it listens on this machine only.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    # Here, not above: the service needs no JupyterLab.
    from jupyterlab.labapp import main as jupyterlab

    jupyterlab([*root, *notebook, *rest])
    return 0


def _opened_on(notebook: Path) -> list[str]:
    # The address that JupyterLab prints leads to the notebook too, unlike with the notebook as an argument.
    root = Path.cwd() if notebook.is_relative_to(Path.cwd()) else notebook.parent
    url = f"/lab/tree/{quote(notebook.relative_to(root).as_posix())}"
    return [f"--ServerApp.root_dir={root}", f"--LabApp.default_url={url}"]


def _serve(given: argparse.Namespace) -> int:
    # Here, not above: opening JupyterLab needs nothing of the service.
    from .service import Service, serve

    service = Service(seed=given.seed, envelope=given.envelope, leaky=given.leaky, require_key=True)
    try:
        server = serve(port=given.port, service=service)
    except OSError as error:
        return _fail(
            f"Port {given.port} can't be used ({error.strerror}). Choose another with --port, or 0 for any."
        )
    with server, contextlib.suppress(KeyboardInterrupt):
        print(f"The embedded service answers at {server.url}/images/edits and takes any key.")
        print("It reads nothing of the prompt but colour words. Stop it with Ctrl+C.", flush=True)
        server.serve_forever()
    return 0


def _key(given: argparse.Namespace) -> int:
    # Here, not above, as in the other commands.
    from .client.secret import Secret, ask_key, forget_key, key_place, store_key
    from .errors import SettingsError

    try:
        if given.where:
            place = key_place()
            print(
                f"The key comes from the {place}." if place else "There is no key: ttapi-nb key asks for one."
            )
        elif given.forget:
            print(forget_key())
        else:
            # From another program, a password manager say, or from whoever sits there.
            key = ask_key() if sys.stdin.isatty() else Secret(sys.stdin.readline())
            print(store_key(key, "file" if given.file else None))
    except SettingsError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("Nothing was changed.")
    return 0


def _fail(problem: str) -> int:
    print(problem, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
