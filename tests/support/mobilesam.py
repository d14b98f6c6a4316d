"""MobileSAM for tests: got once by npm, as a user would, checked by its sums, and kept for the next run."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import platformdirs
import pytest

from ttapi_nb.errors import SettingsError
from ttapi_nb.mask.select.install import install
from ttapi_nb.mask.select.models import FILES, problem_of

__all__ = ["LEFT_OUT", "link_models", "models"]

LEFT_OUT = "MobileSAM was left out"
"""How the reason of each test begins that was skipped for want of the model."""


@cache
def _kept() -> tuple[Path, str]:
    """The data folder that has the model, and why it has not."""
    folder = Path(platformdirs.user_cache_dir("ttapi_nb-tests", appauthor=False))
    before = os.environ.get("TTAPI_DATA")
    os.environ["TTAPI_DATA"] = str(folder)
    try:
        if problem_of():
            install()
        return folder / "models", problem_of()
    except SettingsError as error:
        return folder / "models", str(error)
    finally:
        if before is None:
            del os.environ["TTAPI_DATA"]
        else:
            os.environ["TTAPI_DATA"] = before


def models() -> Path:
    """The folder of models with MobileSAM's files; the test is skipped where it can't be had."""
    folder, problem = _kept()
    if problem:
        pytest.skip(f"{LEFT_OUT}: {problem}")
    return folder


def link_models(data: Path) -> None:
    """Put MobileSAM's files into a data folder, as if they had been installed there."""
    target = data / "models" / "mobilesam"
    target.mkdir(parents=True)
    for file in FILES:
        (target / file.name).symlink_to(models() / "mobilesam" / file.name)
