"""What an edit takes beside the work that no way around is known for, whose parts are printed.

The embedded service's fill is left out: it gives back what it gets. Unavoidable is: opening the photo, bringing it to
the size that is sent, writing that file, what the service does with it, opening the answer and bringing it back,
blending it in, and the hash of the photo that its lineage holds.
"""

from __future__ import annotations

import hashlib
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.benchmarks._bench import Table, median, peak_of
from ttapi_nb.client.forms.json_form import JsonForm
from ttapi_nb.service import Service

ROUNDS, MOST = 5, 2
CASES: dict[str, tuple[tuple[int, int], tuple[float, float, float, float], str]] = {
    "1 MP": ((1024, 1024), (300, 300, 700, 700), "auto"),
    "24 MP, a part cut out": ((6000, 4000), (2500, 1500, 3300, 2300), "crop"),
    "24 MP, whole": ((6000, 4000), (600, 600, 5400, 3400), "scale"),
}


def kept(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
    """No fill."""
    return image


def parts_of(data: bytes, mask: tt.Mask, fit: str) -> dict[str, Callable[[], Any]]:
    """Each part of the work by itself, on what the one before it made."""
    run = tt.edit(data, "x", mask=mask, client=tt.Client.offline(fill=kept), fit=fit, log=False)
    source, sent, plan = run.source.pixels, run.request.image[0], run.plan
    body = JsonForm().encode(run.request)
    service = Service(fill=kept)
    answer = run.results[0].data.data or b""
    left, top, right, bottom = mask.bounds or plan.inside
    box = plan.inside
    raw = run.results[0].raw

    def back() -> Image.Image:
        size = box[2] - box[0], box[3] - box[1]
        return raw if raw.size == size else raw.resize(size, Image.Resampling.LANCZOS)

    def blended() -> Image.Image:
        result = source.copy()
        place = (left, top, right, bottom)
        new = laid.crop((left - box[0], top - box[1], right - box[0], bottom - box[1]))
        # An earlier package draws all of the mask.
        part = mask.part(place) if hasattr(mask, "part") else mask.coverage()[top:bottom, left:right]
        result.paste(new, place[:2], Image.fromarray(part))
        return result

    laid = back()
    return {
        "open": lambda: tt.open_image(data),
        "scale": lambda: source.resize(sent.size, Image.Resampling.LANCZOS, box, reducing_gap=3.0),
        "write": lambda: tt.SourceImage(sent.pixels, sent.format).file(),
        "service": lambda: service.handle(
            "POST", "http://x/v1/images/edits", head(body.content_type), body.data
        ),
        "read": lambda: tt.open_image(answer),
        "back": back,
        "blend": blended,
        "hash": lambda: hashlib.sha256(source.tobytes()).digest(),
    }


def head(content_type: str) -> dict[str, str]:
    """The headers that the service looks at."""
    return {"Content-Type": content_type}


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    """Print the table."""
    table = Table("An edit")
    for name, (size, box, fit) in CASES.items():
        out = io.BytesIO()
        tt.sample().pixels.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=92)
        data = out.getvalue()
        parts = parts_of(data, tt.Mask(size).ellipse(box), fit)
        client = tt.Client.offline(fill=kept)

        def edit(
            data: bytes = data, size: Any = size, box: Any = box, fit: str = fit, client: Any = client
        ) -> Any:
            # A mask that nobody has drawn yet.
            return tt.edit(data, "x", mask=tt.Mask(size).ellipse(box), client=client, fit=fit, log=False)

        ours: list[float] = []
        sums: list[float] = []
        each: dict[str, list[float]] = {part: [] for part in parts}
        for number in range(ROUNDS + 1):
            spent, found = timed(edit), {part: timed(work) for part, work in parts.items()}
            if number:
                ours.append(spent)
                sums.append(sum(found.values()))
                for part, seconds in found.items():
                    each[part].append(seconds)
        told = ", ".join(f"{part} {median(times) * 1e3:.0f}" for part, times in each.items())
        table.compare(
            f"tt.edit, {name}, against its parts", ours, sums, MOST, peak=peak_of(edit), note=f"ms: {told}"
        )
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
