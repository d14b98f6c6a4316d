"""Whether a result can be trusted: every kind of source, to every model that edits, by every plan.

For each it is shown that what is sent is within the limits (ours, and those of the embedded service), that the result
has the source's size, and that outside the mask it is the source byte for byte: once with a painter that keeps to the
mask, and once with a hostile one that repaints everything, shifts the colours and answers in another shape. A known
part of the protected pixels is planted with a change that can be seen, and the rest with one that can't, in some rows
one level beside the meter's threshold: the leak meter has to read that part to within a percentage point. Exits with 1
where a claim fails; seconds are only told. Each source goes to each model by one of the plans in turn, and with
`--all`, which takes about ten minutes, by every plan.
"""

from __future__ import annotations

import base64
import io
import json
import struct
import sys
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.benchmarks._bench import Table
from ttapi_nb.fit import LEAK_THRESHOLD
from ttapi_nb.models import model_for
from ttapi_nb.picture.colour import PRIMARIES, SRGB, made_profile
from ttapi_nb.service import Answer, Service

PLANS = ("crop", "pad", "scale", "auto")
SHAPES = ("same", "stretched", "cut", "ringed")
CLOSE = 0.01
# How far the planted part and the rest are moved: plainly, and as near to the threshold as can be told apart where the
# answer comes pixel for pixel, and where it is scaled on its way.
PLAIN, NEAR, NEARLY = (40, 3), (LEAK_THRESHOLD + 1, LEAK_THRESHOLD), (LEAK_THRESHOLD + 3, LEAK_THRESHOLD - 3)


def soft(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A picture of soft colours, far from black and white, that tell one place from another."""
    random = np.random.default_rng(width)
    colours = Image.fromarray(random.integers(70, 180, (6, 6, 3), np.uint8))
    picture = colours.resize((width, height), Image.Resampling.BICUBIC)
    if mode == "RGBA":
        picture.putalpha(
            Image.linear_gradient("L").point([128 + x // 2 for x in range(256)]).resize(picture.size)
        )
    return picture


def file(picture: Image.Image, format: str, **more: object) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    picture.save(out, format, **cast("dict[str, str]", more))
    return out.getvalue()


def profile(code: int) -> bytes:
    """A profile of the primaries that H.273 has under this code, with sRGB's curve."""
    return made_profile(PRIMARIES[code], SRGB) or b""


def adobe() -> bytes:
    """A profile of Adobe RGB (1998)'s primaries and gamma."""
    primaries = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
    return made_profile(primaries, (563 / 256, 1, 0, 0, 0)) or b""


def deep(picture: Image.Image) -> bytes:
    """The picture as a PNG of 16 bits a channel, no two neighbours' low bytes alike."""
    low = np.random.default_rng(3).integers(0, 256, (picture.height, picture.width, 3), np.uint8)
    pixels = np.stack((np.asarray(picture), low), axis=3).reshape(picture.height, -1)
    rows = np.pad(pixels, ((0, 0), (1, 0))).tobytes()
    head = struct.pack(">IIBBBBB", *picture.size, 16, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def sources() -> dict[str, bytes]:
    """A file of every kind."""
    grey = np.asarray(soft(900, 600).convert("L"), np.uint16) * 257
    turned = Image.Exif()
    turned[0x0112] = 6
    noise = np.random.default_rng(0).integers(0, 256, (1400, 1400, 4), np.uint8)
    noise[..., :3] = 60 + noise[..., :3] // 2
    noise[..., 3] |= 128
    return {
        "37x53": file(soft(37, 53), "PNG"),
        "portrait 600x900 webp": file(soft(600, 900), "WEBP", lossless=True),
        "landscape 1920x1080": file(soft(1920, 1080), "PNG"),
        "RGBA 800x600": file(soft(800, 600, "RGBA"), "PNG"),
        "16-bit 900x600": file(Image.fromarray(grey), "PNG"),
        "CMYK 1000x700 jpeg": file(soft(1000, 700).convert("CMYK"), "JPEG", quality=95),
        "EXIF-rotated 1200x800 jpeg": file(soft(1200, 800), "JPEG", quality=95, exif=turned),
        "RGBA noise 1400x1400": file(Image.fromarray(noise), "PNG"),
        "6000x4000 jpeg": file(soft(6000, 4000), "JPEG", quality=90),
        "Display P3 900x600": file(soft(900, 600), "PNG", icc_profile=profile(12)),
        "Adobe RGB 900x600 jpeg": file(soft(900, 600), "JPEG", quality=92, icc_profile=adobe()),
        "Adobe RGB 700x700": file(soft(700, 700), "PNG", icc_profile=adobe()),
        "16-bit RGB 700x500": deep(soft(700, 500)),
        "palette 640x480": file(soft(640, 480).quantize(64, dither=Image.Dither.NONE), "PNG"),
        "grey 900x600 jpeg": file(soft(900, 600).convert("L"), "JPEG", quality=90),
        "grey 900x600": file(soft(900, 600).convert("L"), "PNG"),
        "progressive 900x600 jpeg": file(soft(900, 600), "JPEG", quality=85, progressive=True),
    }


@dataclass
class Painter:
    """A fill that leaks by plan, and a service that bends its answer's shape."""

    planted: float = 0.0
    shape: str = "same"
    moved: tuple[int, int] = PLAIN
    marked: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((1, 1), np.bool_))

    def fill(self, image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
        """Something new in the mask; outside, the left part changed visibly and the rest a little less than that."""
        pixels = np.array(image, np.int16)
        inside = np.asarray(mask) > 0
        pixels[inside, :3] = 255 - pixels[inside, :3]
        self.marked = np.zeros(inside.shape, np.bool_)
        if self.planted:
            self.marked[:, : round(image.width * self.planted)] = True
            pixels[..., :3] += np.where(self.marked, *self.moved)[..., None].astype(np.int16)
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    def bent(self, answer: Image.Image) -> Image.Image:
        """The answer in another shape."""
        width, height = answer.size
        if self.shape == "stretched":
            return answer.resize((width, height * 3 // 4), Image.Resampling.LANCZOS)
        if self.shape == "cut":
            return answer.crop((width // 8, 0, width - width // 8, height))
        if self.shape == "ringed":
            ringed = Image.new(answer.mode, (width, height + height // 2), "black")
            ringed.paste(answer, (0, height // 4))
            return ringed
        return answer


class Bending(Service):
    """The embedded service with all its checks, whose answers are bent on their way out."""

    def __init__(self, painter: Painter) -> None:
        super().__init__(fill=painter.fill)
        self._painter = painter

    def handle(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request."""
        answer = super().handle(method, url, headers, body)
        if answer.status != 200 or self._painter.shape == "same":
            return answer
        reply = json.loads(answer.body)
        for item in reply["data"]:
            with Image.open(io.BytesIO(base64.b64decode(item["b64_json"]))) as picture:
                item["b64_json"] = base64.b64encode(file(self._painter.bent(picture), "PNG")).decode()
        return Answer(answer.status, answer.headers, json.dumps(reply).encode())


def outside_is_identical(run: tt.Run, mask: tt.Mask) -> bool:
    """Whether every byte of the result that the mask does not cover is the source's: as shown, and of its own file."""
    outside = mask.coverage() == 0
    own = run.source.own
    pairs = [(np.asarray(run.results[0].image), np.asarray(run.source.pixels))]
    if own is not None:
        native, numbers = run.results[0].native, own.numbers()
        # A palette without room for the new colours becomes the colours it stood for.
        whole = own.palette is None or native.shape == numbers.shape
        pairs += [(native, numbers if whole or own.palette is None else own.palette[numbers])]
    return all(
        made.shape == source.shape
        and made.dtype == source.dtype
        and bool(np.array_equal(made[outside], source[outside]))
        for made, source in pairs
    )


def expected_leak(run: tt.Run, mask: tt.Mask, marked: NDArray[np.bool_]) -> float:
    """The part of the pixels that are protected and shown in the answer that was planted."""
    fit, raw = run.plan, run.results[0].raw
    protected = (fit.there_mask(mask).coverage() == 0) & fit.land(raw, run.source, mask).counted
    return float(marked[protected].mean()) if protected.any() else 0.0


def main() -> int:
    """Print the table; returns 1 where a claim fails."""
    print(
        f"{'source':28}{'model':15}{'plan':12}{'sent':>10}{'MB':>6}  in limits  size  outside  "
        f"hostile: {'answer':10}{'outside':9}{'levels':>8}{'planted':>9}{'read':>8}{'seconds':>9}"
    )
    failed, rows, worst, begun = 0, 0, 0.0, time.perf_counter()
    models = [name for name, row in tt.MODELS.items() if row.edits]
    for name, data in sources().items():
        source = tt.open_image(data, name=name)
        width, height = source.size
        mask = tt.Mask(source.size).ellipse((width * 0.55, height * 0.4, width * 0.75, height * 0.6))
        for model in models:
            for plan in PLANS if "--all" in sys.argv else [PLANS[(rows + rows // len(models)) % len(PLANS)]]:
                start = time.perf_counter()
                good = tt.edit(
                    source,
                    "x",
                    mask=mask,
                    model=model,
                    fit=plan,
                    log=False,
                    client=tt.Client.offline(service=Bending(Painter())),
                )
                seconds = time.perf_counter() - start
                # Noise, and the steps of a palette, are another picture in another shape: what scaling does shows.
                flat = any(kind in name for kind in ("noise", "palette"))
                shape = "same" if flat else SHAPES[(rows + rows // len(PLANS)) % len(SHAPES)]
                # What is see-through moves less than is planted, as it looks on white.
                near = rows % 2 and source.pixels.mode == "RGB"
                moved = (NEAR if shape == "same" else NEARLY) if near else PLAIN
                painter = Painter(planted=(1.0, 0.3, 0.62)[rows % 3], shape=shape, moved=moved)
                client = tt.Client.offline(service=Bending(painter))
                bad = tt.edit(source, "x", mask=mask, model=model, fit=plan, log=False, client=client)
                leak, told = bad.results[0].leak, expected_leak(bad, mask, painter.marked)
                assert leak is not None
                still = good.results[0].leak
                assert still is not None
                sent = good.request
                megabytes = len(sent.image_files[0].data) / 1e6
                claims = (
                    not sent.problems() and megabytes < model_for(model).image_bytes / 1e6,
                    good.results[0].image.size == bad.results[0].image.size == source.size,
                    outside_is_identical(good, mask) and still.share == 0,
                    outside_is_identical(bad, mask),
                    abs(leak.share - told) <= CLOSE,
                )
                said = ["yes" if claim else "NO" for claim in claims]
                by = f"{sent.image[0].size[0]}x{sent.image[0].size[1]}"
                levels = "/".join(map(str, moved))
                way = good.plan.how if plan != "auto" else f"auto: {good.plan.how}"
                print(
                    f"{name:28}{model:15}{way:12}{by:>10}{megabytes:6.2f}  {said[0]:11}{said[1]:6}{said[2]:9}"
                    f"{'':9}{shape:10}{said[3]:9}{levels:>8}{told:9.1%}{leak.share:8.1%}{seconds:9.2f}"
                    f"{'' if said[4] == 'yes' else '  LEAK MISREAD'}",
                    flush=True,
                )
                failed += not all(claims)
                rows += 1
                worst = max(worst, abs(leak.share - told))
    print(
        f"{rows} rows in {time.perf_counter() - begun:.0f} s; the leak meter was off by {worst:.2%} at most; "
        f"{failed or 'no'} row{'' if failed == 1 else 's'} failed."
    )
    summary = Table("Whether a result can be trusted")
    summary.count(f"claims that fail, in {rows:,} edits", failed, 0)
    summary.count("the leak meter is off, at most", 100 * worst, 100 * CLOSE, "points")
    return summary.finish()


if __name__ == "__main__":
    sys.exit(main())
