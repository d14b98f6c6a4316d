"""Under the tests, the notebooks keep their runs in a folder that goes away, and never find a key."""

from __future__ import annotations

import os
import tempfile

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment that the notebooks' kernels inherit."""
    folder = tempfile.TemporaryDirectory(prefix="ttapi-nb-")
    config.add_cleanup(folder.cleanup)
    os.environ["TTAPI_DATA"] = folder.name
    os.environ["TTAPI_OFFLINE"] = "1"
    os.environ.pop("TT_API_KEY", None)
