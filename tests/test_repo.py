"""What the repository promises: notebooks are kept as lessons to run, without what running them left behind."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("notebooks/*.ipynb"))
MOST_BYTES = 300_000


def _kept(notebook: str) -> bytes:
    """The notebook as git would commit it now, or the file itself where git does not know it."""
    # Not always the file: JupyterLab saves outputs into it while somebody works, and that is no mistake.
    shown = subprocess.run(["git", "show", f":./{notebook}"], cwd=ROOT, capture_output=True, check=False)
    return shown.stdout if shown.returncode == 0 else (ROOT / notebook).read_bytes()


def test_there_are_notebooks() -> None:
    """The checks below look at something."""
    assert NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebook_carries_no_results(notebook: str) -> None:
    """A notebook is kept without outputs, execution counts and widget state."""
    content: dict[str, Any] = json.loads(_kept(notebook))
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]

    assert [cell["outputs"] for cell in code if cell["outputs"]] == [], "clear all outputs and save"
    assert [cell["execution_count"] for cell in code if cell["execution_count"]] == []
    assert "widgets" not in content["metadata"], "turn off 'Save Widget State Automatically' and save"


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebook_is_small(notebook: str) -> None:
    """A notebook stays under 300 KB, so that opening and reviewing it is quick."""
    assert len(_kept(notebook)) < MOST_BYTES


def _locked() -> dict[str, str]:
    """What the lock file pins, by name, each with the lines of its hashes."""
    text = (ROOT / "requirements-lock.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {line.split("==")[0].strip().lower().replace("_", "-"): line for line in lines}


def test_the_lock_is_whole() -> None:
    """Every line pins one version by a hash, none says where it came from, and all that pyproject.toml asks for is in.

    `make lock` renews it.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *(line for name in extras for line in extras[name])]
    names = {re.split(r"[\[<>=! ;]", line)[0].lower() for line in asked} - {"ttapi-nb"}

    locked = _locked()

    assert names <= set(locked), "renew it with: make lock"
    for line in locked.values():
        assert re.fullmatch(r"[\w.\[\]-]+==[\w.+!]+(\s*;[^#]*?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", line), (
            line
        )


def test_actions_are_pinned() -> None:
    """Each action that CI runs is named by its commit, with its version beside it: a tag can be moved."""
    used = [
        line.strip()
        for path in (ROOT / ".github" / "workflows").glob("*.yml")
        for line in path.read_text().splitlines()
        if "uses:" in line
    ]
    assert used
    for line in used:
        assert re.fullmatch(r"(- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def _expressions_waited_for() -> Iterator[tuple[str, str]]:
    """Each expression that a browser test waits for, by its place; one kept under a name of its file too."""
    for file in sorted((ROOT / "tests").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        named = {
            target.id: ast.unparse(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".wait_for_function"):
                asked = node.args[0]
                text = named.get(asked.id, "") if isinstance(asked, ast.Name) else ast.unparse(asked)
                yield f"{file.relative_to(ROOT)}:{node.lineno}", text


@pytest.mark.slow
def test_a_browser_test_waits_for_what_is_not_there_yet() -> None:
    """An element that comes later is waited for: a script that needs it at once would end the wait with an error."""
    expressions = dict(_expressions_waited_for())
    assert len(expressions) > 10
    impatient = re.compile(r"querySelector\([^)]*\)+\.")
    # Of no elements, every one is as it should be.
    vacuous = re.compile(r"querySelectorAll\([^)]*\)\]?\.every")
    wrong = [place for place, text in expressions.items() if impatient.search(text) or vacuous.search(text)]
    assert wrong == []
