"""Under the tests, the notebooks keep their runs in a folder that goes away, and never find a key."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.coarse import loaded_first

FIRST = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment that the notebooks' kernels inherit."""
    folder = tempfile.TemporaryDirectory(prefix="ttapi-nb-")
    config.add_cleanup(folder.cleanup)
    os.environ["TTAPI_DATA"] = folder.name
    os.environ["TTAPI_OFFLINE"] = "1"
    os.environ.pop("TT_API_KEY", None)
    # What every Python loads first that finds it: the kernels, and what they start.
    first = tempfile.TemporaryDirectory(prefix="ttapi-nb-first-")
    config.add_cleanup(first.cleanup)
    config.stash[FIRST] = loaded_first(Path(first.name))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Have the kernels that are started for a notebook fill coarsely, and nothing else that is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", item.config.stash[FIRST], prepend=os.pathsep)
        return (yield)
