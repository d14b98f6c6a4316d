"""JPEGs that keep their blocks, in a real browser."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page

from tests.picture.test_jpeg_blocks import FILES, answered
from tests.ui.pictures import shown
from ttapi_nb.picture import open_image


def test_a_browser_shows_them_as_we_do(page: Page) -> None:
    """Each kind of file opens in Chromium, upright, and no number there is more than two levels from ours."""
    for kind, data in FILES.items():
        photo = open_image(data)
        width, height = photo.size
        box = (width // 4, height // 3, width // 4 + max(1, width // 3), height // 3 + max(1, height // 3))
        saved = answered(photo, box).saved_file("JPEG").data
        ours, theirs = np.asarray(open_image(saved).pixels).astype(int), shown(page, saved)
        assert ours.shape == theirs.shape, kind
        off = np.abs(ours - theirs)
        assert off.max() <= 2, (kind, off.max())
