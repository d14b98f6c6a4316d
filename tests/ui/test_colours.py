"""What is shown and sent of a photo is what Chromium shows of the same file, within one level."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Playwright

from tests.picture.making import ADOBE_RGB, DISPLAY_P3, chrm, chunk, gama, grey_profile, iccp, jpeg, png
from tests.ui.lab import launched
from ttapi_nb import open_image
from ttapi_nb.picture.colour import PRIMARIES

CHANCE = np.random.default_rng(8)
RAMP = np.stack(np.meshgrid(*[np.linspace(0, 255, 16).astype(np.uint8)] * 3), -1).reshape(64, 64, 3)
COLOURS = np.concatenate([RAMP, CHANCE.integers(0, 256, (64, 64, 3)).astype(np.uint8)])
DEEP = CHANCE.integers(0, 65_536, (64, 64, 3)).astype(np.uint16)
GREYS = np.arange(256, dtype=np.uint8).reshape(16, 16)
INKS = CHANCE.integers(0, 256, (8, 8, 4)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
TABLE = chunk(b"PLTE", COLOURS[64:68].reshape(-1, 3)[:256].tobytes())


def cicp(*codes: int) -> bytes:
    """The chunk for colour codes."""
    return chunk(b"cICP", bytes(codes))


def webp() -> bytes:
    """A lossless WEBP with a profile."""
    out = io.BytesIO()
    Image.fromarray(COLOURS).save(out, "WEBP", lossless=True, icc_profile=DISPLAY_P3)
    return out.getvalue()


FILES = {
    "plain": png(COLOURS),
    "P3": png(COLOURS, iccp(DISPLAY_P3)),
    "Adobe RGB": png(COLOURS, iccp(ADOBE_RGB)),
    "gamma 1": png(COLOURS, gama(1.0)),
    "usual gamma": png(COLOURS, gama(0.45455)),
    "gamma near it": png(COLOURS, gama(0.434)),
    "gamma off it": png(COLOURS, gama(0.55556)),
    "chromaticities and gamma": png(COLOURS, chrm(PRIMARIES[12]), gama(0.45455)),
    "chromaticities": png(COLOURS, chrm(PRIMARIES[12])),
    "sRGB and gamma": png(COLOURS, chunk(b"sRGB", b"\0"), gama(1.0)),
    "profile and gamma": png(COLOURS, iccp(DISPLAY_P3), gama(1.0)),
    "cICP P3": png(COLOURS, cicp(12, 13, 0, 1)),
    "cICP 2020": png(COLOURS, cicp(9, 14, 0, 1)),
    "cICP 709": png(COLOURS, cicp(1, 1, 0, 1)),
    "cICP 601": png(COLOURS, cicp(6, 6, 0, 1)),
    "cICP 240": png(COLOURS, cicp(7, 7, 0, 1)),
    "cICP linear": png(COLOURS, cicp(1, 8, 0, 1)),
    "cICP limited": png(COLOURS, cicp(12, 13, 0, 0)),
    "cICP unknown, and a profile": png(COLOURS, cicp(2, 2, 0, 1), iccp(DISPLAY_P3)),
    "cICP sRGB, and a profile": png(COLOURS, cicp(1, 13, 0, 1), iccp(DISPLAY_P3)),
    "grey": png(GREYS, iccp(grey_profile(1.0))),
    "grey 1.8": png(GREYS, iccp(grey_profile(1.8))),
    "grey, colour profile": png(GREYS, iccp(ADOBE_RGB)),
    "colour, grey profile": png(COLOURS, iccp(grey_profile(1.0))),
    "grey gamma": png(GREYS, gama(1.0)),
    "palette": png(GREYS, iccp(DISPLAY_P3), TABLE, colour=3),
    "palette, gamma": png(GREYS, gama(1.0), TABLE, colour=3),
    "16 bits": png(DEEP),
    "16 bits P3": png(DEEP, iccp(DISPLAY_P3)),
    "16 bits grey gamma": png(DEEP[:, :, 0], gama(1.0)),
    "interlaced": png(COLOURS, iccp(DISPLAY_P3), interlaced=True),
    "JPEG": jpeg(COLOURS, subsampling=0),
    "JPEG P3": jpeg(COLOURS, subsampling=0, icc_profile=DISPLAY_P3),
    "JPEG grey": jpeg(GREYS, "L", icc_profile=grey_profile(1.0)),
    "JPEG grey, colour profile": jpeg(GREYS, "L", icc_profile=ADOBE_RGB),
    "JPEG CMYK": jpeg(INKS, "CMYK"),
    "WEBP P3": webp(),
}
DRAW = """async (url) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(image, 0, 0);
    const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
    let text = "";
    for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
    return btoa(text);
}"""


@pytest.fixture(scope="module")
def screen(playwright: Playwright) -> Iterator[Page]:
    """A page of a browser whose screen is sRGB."""
    with launched(playwright, "--force-color-profile=srgb") as browser:
        yield browser.new_page()


@pytest.mark.parametrize("kind", FILES)
def test_as_chromium_shows_it(screen: Page, kind: str) -> None:
    """No number of any pixel is further off than one level, or two where there is ink."""
    data = FILES[kind]
    mime = {b"\x89P": "png", b"\xff\xd8": "jpeg", b"RI": "webp"}[data[:2]]
    drawn = screen.evaluate(DRAW, f"data:image/{mime};base64,{base64.b64encode(data).decode()}")
    pixels = open_image(data).pixels.convert("RGB")
    found = np.frombuffer(base64.b64decode(drawn), np.uint8).reshape(*pixels.size[::-1], 4)[:, :, :3]
    assert np.abs(np.asarray(pixels).astype(int) - found).max() <= (2 if "CMYK" in kind else 1)
