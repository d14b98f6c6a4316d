"""`lab`: JupyterLab on a notebook, with options of which it would repeat what it does not know."""

from __future__ import annotations

import argparse
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .failing import HIDDEN, fail

__all__ = ["lab"]


def lab(args: argparse.Namespace, rest: Sequence[str]) -> int:
    """`ttapi-nb lab`; JupyterLab gets the `rest`."""
    if importlib.util.find_spec("jupyterlab") is None:
        return fail('JupyterLab is not installed. Install it with: pip install "ttapi-nb[lab]"')
    if args.notebook is not None and not Path(args.notebook).is_file():
        if not args.notebook.endswith(".ipynb"):
            return fail(f"There is no notebook of that name. {HIDDEN}", 2)
        return fail(f"There is no notebook {args.notebook!r}. Check the name and the folder you are in.")
    if args.offline:
        os.environ["TTAPI_OFFLINE"] = "1"
    notebook = _opened_on(Path(args.notebook).resolve()) if args.notebook is not None else []
    # In a container one is root, and JupyterLab would stop there; it listens on this machine only.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    # Here, not above: the service needs no JupyterLab.
    from jupyterlab.labapp import LabApp
    from jupyterlab.labapp import main as jupyterlab

    if not _are_known(rest, {*LabApp.aliases, *LabApp.flags}) or not _are_taken(rest, LabApp):
        return fail(f"JupyterLab does not know all of that. See jupyter lab --help. {HIDDEN}", 2)
    jupyterlab([*root, *notebook, *rest])
    return 0


def _are_known(rest: Sequence[str], names: set[str | tuple[str, ...]]) -> bool:
    """Whether JupyterLab knows all these options; it repeats those that it does not."""
    known = {"h", "help", "help-all", "version", "generate-config", "show-config", "show-config-json", "y"}
    for name in names:
        known.update((name,) if isinstance(name, str) else name)
    value_may_follow = False
    for word in rest:
        name, equals, _ = word.partition("=")
        if not name.startswith("-"):
            if not value_may_follow:
                return False
            value_may_follow = False
            continue
        bare = name.lstrip("-")
        section, dot, trait = bare.partition(".")
        if bare not in known and not (
            dot and section.isidentifier() and trait.replace(".", "").isidentifier()
        ):
            return False
        value_may_follow = not equals
    return True


def _are_taken(rest: Sequence[str], app: Any) -> bool:
    """Whether JupyterLab takes the values behind `=`; it repeats those of the wrong kind."""
    aliases, flags = (
        {
            name: value
            for names, value in table.items()
            for name in ((names,) if isinstance(names, str) else names)
        }
        for table in (app.aliases, app.flags)
    )
    # `Application.log_level`, say, is of a class that these come from.
    known = [kind for one in (app.serverapp_class, app) for kind in (*one.classes, one)]
    kinds = {one.__name__: one for kind in known for one in kind.mro() if hasattr(one, "class_traits")}
    for word in rest:
        name, equals, value = word.partition("=")
        bare = name.lstrip("-")
        if not equals or not name.startswith("-"):
            continue
        if bare in flags:
            return False
        target = aliases.get(bare, bare)
        section, _, trait = (target if isinstance(target, str) else target[0]).partition(".")
        traitlet: Any = kinds[section].class_traits().get(trait) if section in kinds else None
        if {kind.__name__ for kind in type(traitlet).mro()} & {"Bool", "Enum", "Float", "Int"}:
            try:
                traitlet.validate(None, traitlet.from_string(value))
            except Exception:  # noqa: BLE001 - whatever it raises it would print
                return False
    return True


def _opened_on(notebook: Path) -> list[str]:
    # The address that JupyterLab prints leads to the notebook too, unlike with the notebook as an argument.
    root = Path.cwd() if notebook.is_relative_to(Path.cwd()) else notebook.parent
    url = f"/lab/tree/{quote(notebook.relative_to(root).as_posix())}"
    return [f"--ServerApp.root_dir={root}", f"--LabApp.default_url={url}"]
