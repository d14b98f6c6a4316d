"""What the tests of several widgets begin with."""

from __future__ import annotations

import pytest
from PIL import Image

from ttapi_nb import MaskDrawer


@pytest.fixture
def drawer() -> MaskDrawer:
    """A drawer with a grey photo of 400 x 300 pixels."""
    return MaskDrawer(Image.new("RGB", (400, 300), "grey"))
