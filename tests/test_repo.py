"""What the repository promises: notebooks are kept as lessons to run, without what running them left behind."""

from __future__ import annotations

import json
import subprocess
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
