"""What the repository promises: notebooks are kept as lessons to run, without what running them left behind."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
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
