"""What is shown and sent of a photo is what Chromium shows of the same file, within one level."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Playwright

from tests.picture.making import ADOBE_RGB, DISPLAY_P3, chrm, chunk, gama, grey_profile, iccp, jpeg, png
from tests.picture.profiles import LAB, XYZ, bent, curv, light, mab, mft, para, profile, srgb
from tests.ui.lab import launched
from tests.ui.pictures import shown
from ttapi_nb import open_image
from ttapi_nb.picture.colour import PRIMARIES

CHANCE = np.random.default_rng(8)
RAMP = np.stack(np.meshgrid(*[np.linspace(0, 255, 16).astype(np.uint8)] * 3), -1).reshape(64, 64, 3)
COLOURS = np.concatenate([RAMP, CHANCE.integers(0, 256, (64, 64, 3)).astype(np.uint8)])
DEEP = CHANCE.integers(0, 65_536, (64, 64, 3)).astype(np.uint16)
# Without the greens of BT.2020 that lie furthest from sRGB: there the curve's half-precision numbers show.
DULL = COLOURS // 8 + 110
BRIGHT = chunk(b"cLLI", (20_000_000).to_bytes(4) + bytes(4))
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


def denying(data: bytes) -> bytes:
    """A WEBP whose head says that there is no profile."""
    return data[:20] + bytes([data[20] & ~0x20]) + data[21:]


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
    "short palette": png(GREYS, chunk(b"PLTE", COLOURS[64].tobytes()), colour=3),
    "profile behind the pixels": png(COLOURS)[:-12] + iccp(DISPLAY_P3) + png(COLOURS)[-12:],
    "profile without a name": png(COLOURS, chunk(b"iCCP", iccp(DISPLAY_P3)[9:-4])),
    "sRGB of no known intent, and gamma": png(COLOURS, chunk(b"sRGB", b"\x09"), gama(1.0)),
    "transparency before the palette": png(GREYS, chunk(b"tRNS", bytes(9)), TABLE, colour=3),
    "WEBP with a profile that its head denies": denying(webp()),
    "PQ": png(DULL, cicp(9, 16, 0, 1)),
    "HLG": png(COLOURS, cicp(9, 18, 0, 1)),
    "PQ of 16 bits, brighter": png(DEEP, cicp(1, 16, 0, 1), BRIGHT),
    "HLG palette": png(GREYS, cicp(9, 18, 0, 1), TABLE, colour=3),
    "PQ grey": png(GREYS, cicp(9, 16, 0, 1)),
    "WEBP P3": webp(),
}
SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
DISPLAY = light(para(0, 1.8))


def codes(*numbers: int) -> dict[bytes, bytes]:
    """A profile's tag for colour codes."""
    return {b"cicp": b"cicp" + bytes(4) + bytes(numbers)}


# Profiles for three colours, by what is in them.
PROFILES = {
    "gamma": profile(DISPLAY),
    "gamma of version 2": profile(light(b"curv" + bytes(4) + b"\0\0\0\1\2\x33\0\0"), version=2),
    "curve 1": profile(light(para(1, 2.2, 0.9, 0.1))),
    "curve 2": profile(light(para(2, 2.2, 0.9, 0.08, 0.02))),
    "curve 3": profile(light(para(3, *SRGB))),
    "curve 4": profile(light(para(4, 2.4, 0.92, 0.05, 0.08, 0.04, 0.01, 0))),
    "table": profile(light(curv(bent(1.7)))),
    "a table near sRGB's": profile(light(curv([srgb(x) for x in np.linspace(0, 1, 1024)]))),
    "three tables": profile(light(curv(bent(1.7)), curv(bent(2.2, 7)), curv(bent(1.2, 256)))),
    "mft1": profile({b"A2B0": mft(1)}, pcs=LAB, version=2),
    "mft2": profile({b"A2B0": mft(2)}, pcs=LAB, version=2),
    "mft2 of version 4": profile({b"A2B0": mft(2)}, pcs=LAB),
    "mft2 to XYZ": profile({b"A2B0": mft(2, pcs=XYZ)}),
    "mAB": profile({b"A2B0": mab()}, pcs=LAB),
    "mAB of 8 bits, without a matrix": profile({b"A2B0": mab(width=1, parts="ag")}, pcs=LAB),
    "mAB to XYZ": profile({b"A2B0": mab(pcs=XYZ)}),
    "mAB, matrix alone": profile({b"A2B0": mab(pcs=XYZ, parts="m")}),
    "A2B1 alone": profile({b"A2B1": mft(2)}, pcs=LAB),
    "A2B0 of several, and D2B": profile(
        {b"A2B1": mft(1, points=3), b"A2B0": mft(2), b"A2B2": mft(1, points=2), b"D2B0": mft(1)}, pcs=LAB
    ),
    "A2B2 does not count": profile({b"A2B2": mft(2)} | DISPLAY),
    "a table before curves": profile({b"A2B0": mft(1)} | light(para(0, 1.8), primaries=1), pcs=LAB),
    "a broken table": profile({b"A2B0": mft(2)[:200]} | DISPLAY, pcs=LAB),
    "a broken way back": profile({b"B2A0": mft(2)[:200]} | DISPLAY, pcs=LAB),
    "version 5": profile(DISPLAY, version=5),
    "another white": profile(DISPLAY, white=b"\0\0\xf3\x51\0\1\0\0\0\1\x16\xcc"),
    "curve 4 that falls": profile(light(para(4, -2.4, 0.92, 0.05, 0.08, 0.04, 0.01, 0))),
    "codes of P3": profile(DISPLAY | codes(12, 13, 0, 1)),
    "unknown codes": profile(DISPLAY | codes(2, 2, 0, 1)),
    "codes of HLG": profile(DISPLAY | codes(9, 18, 0, 1)),
    "codes alone": profile(codes(12, 13, 0, 1)),
}
GREY_PROFILES = {
    "curve": profile({b"kTRC": para(4, 2.4, 0.92, 0.05, 0.08, 0.04, 0.01, 0)}, b"GRAY"),
    "table": profile({b"kTRC": curv(bent(1.7))}, b"GRAY"),
    "odd table": profile({b"kTRC": curv([0, 0.1, 0.15, 0.6, 1])}, b"GRAY"),
    "to Lab, which is not taken": profile({b"kTRC": curv(bent(1.7))}, b"GRAY", LAB),
    "a table": profile({b"A2B0": mft(2, 1)}, b"GRAY", LAB),
    "for colours": profile({b"A2B0": mft(2)}, pcs=LAB),
}
INK_PROFILES = {
    "mft1": profile({b"A2B0": mft(1, 4, 3)}, b"CMYK", LAB, 2),
    "mft2 of several": profile(
        {b"A2B0": mft(2, 4, 3), b"A2B1": mft(1, 4, 2), b"A2B2": mft(1, 4, 2)}, b"CMYK", LAB, 2
    ),
    "mAB": profile({b"A2B1": mab(4, (3, 4, 2, 3))}, b"CMYK", LAB),
    "for saturation alone": profile({b"A2B2": mft(1, 4, 3)}, b"CMYK", LAB),
    "for RGB": profile(DISPLAY),
    "broken": profile({b"A2B0": mft(2, 4, 3)[:99]}, b"CMYK", LAB),
}
FILES |= {f"profile: {kind}": png(COLOURS, iccp(data)) for kind, data in PROFILES.items()}
FILES |= {f"grey profile: {kind}": png(GREYS, iccp(data)) for kind, data in GREY_PROFILES.items()}
FILES |= {
    f"CMYK profile: {kind}": jpeg(INKS, "CMYK", icc_profile=data) for kind, data in INK_PROFILES.items()
}


@pytest.fixture(scope="module")
def screen(playwright: Playwright) -> Iterator[Page]:
    """A page of a browser whose screen is sRGB."""
    with launched(playwright, "--force-color-profile=srgb") as browser:
        yield browser.new_page()


@pytest.mark.parametrize("kind", FILES)
def test_as_chromium_shows_it(screen: Page, kind: str) -> None:
    """No number of any pixel is further off than one level, or two where there is ink or light beyond white."""
    data = FILES[kind]
    pixels = np.asarray(open_image(data).pixels.convert("RGB")).astype(int)
    off = np.abs(pixels - shown(screen, data))
    assert off.max() <= (2 if "CMYK" in kind or "PQ" in kind or "HLG" in kind else 1)
