"""JPEGs that keep their blocks, in a real browser."""

from __future__ import annotations

import base64

import numpy as np
from playwright.sync_api import Page

from tests.picture.test_jpeg_blocks import FILES, answered
from ttapi_nb.picture import open_image

DRAWN = """async (source) => {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return [canvas.width, canvas.height, Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data)];
}"""


def test_a_browser_shows_them_as_we_do(page: Page) -> None:
    """Each kind of file opens in Chromium, upright, and no number there is more than two levels from ours."""
    for kind, data in FILES.items():
        photo = open_image(data)
        width, height = photo.size
        box = (width // 4, height // 3, width // 4 + max(1, width // 3), height // 3 + max(1, height // 3))
        saved = answered(photo, box).saved_file("JPEG").data
        source = "data:image/jpeg;base64," + base64.b64encode(saved).decode()
        wide, high, values = page.evaluate(DRAWN, source)
        ours = open_image(saved).pixels
        assert (wide, high) == ours.size, kind
        shown = np.array(values, np.int16).reshape(high, wide, 4)[..., :3]
        off = np.abs(shown - np.asarray(ours, np.int16))
        assert off.max() <= 2, (kind, off.max())
