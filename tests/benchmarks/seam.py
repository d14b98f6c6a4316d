"""How well the edit sits in the photo: the step across the mask's edge, ours and others' of the same answer.

Gradient energy is the mean squared difference of two neighbouring pixels, summed over the channels. *Across* takes the
pairs of which one lies inside the mask and the other outside. *Worst* does the same for outlines up to 8 pixels further
in and 2 further out, and takes the highest, so that a step that was only moved counts too. OpenCV's gradient-domain
blend stands beside both. Exits with 1 where ours is not lower than the hard paste in every case, or higher than the
blend in most. With the name of a folder it also saves the pictures there.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.benchmarks._bench import Table
from ttapi_nb.fit import extend
from ttapi_nb.picture.colour import PRIMARIES, SRGB, made_profile

INWARD, OUTWARD = 8, 2
# x and y of Adobe RGB (1998)'s white, red, green and blue.
ADOBE = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)


def hosted(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
    """What a hosted model may do: a new thing in the mask, and everything else softer, grainier and tinted."""
    random = np.random.default_rng(seed)
    painted = image.convert("RGB").filter(ImageFilter.GaussianBlur(1.2))
    box = mask.getbbox() or (0, 0, 1, 1)
    smooth = painted.filter(ImageFilter.GaussianBlur(12))
    draw = ImageDraw.Draw(smooth)
    third = (box[2] - box[0]) / 3, (box[3] - box[1]) / 3
    draw.ellipse((box[0] + third[0], box[1] + third[1], box[2] - third[0], box[3] - third[1]), "steelblue")
    painted.paste(smooth, (0, 0), mask.filter(ImageFilter.GaussianBlur(4)))
    pixels = np.asarray(painted, np.float32) + random.normal(0, 3, (*image.size[::-1], 1))
    pixels += (14, 2, -11) + np.linspace(-6, 6, image.width)[None, :, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def squeezed(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
    """As `hosted`, painted at three quarters of the height."""
    flat = image.resize((image.width, image.height * 3 // 4))
    return hosted(flat, mask.resize(flat.size), prompt, seed).resize(image.size)


@dataclass(frozen=True)
class Case:
    """A photo, a mask on it, and who paints."""

    name: str
    photo: Image.Image | bytes
    mask: tt.Mask
    client: Callable[[], tt.Client]


def file(image: Image.Image, format: str, **more: Any) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    image.save(out, format, **more)
    return out.getvalue()


def cases() -> list[Case]:
    """Photos, masks and painters of all kinds."""
    photo = tt.sample().pixels
    large = photo.resize((4000, 4000), Image.Resampling.LANCZOS)
    size = photo.size
    masks = {
        "ellipse": tt.Mask(size).ellipse((250, 305, 775, 785)),
        "rectangle over an edge": tt.Mask(size).rectangle((100, 500, 600, 900)),
        "freehand": tt.Mask(size).paint([(300, 300), (500, 420), (640, 380), (800, 600)], radius=60),
        "thin stroke": tt.Mask(size).paint([(150, 800), (500, 500), (900, 240)], radius=5),
        "feathered": tt.Mask(size).ellipse((300, 300, 700, 700)).feather(24),
        "at the border": tt.Mask(size).rectangle((0, 0, 300, 1024)),
    }
    found = [
        Case(f"{name}, hosted", photo, mask, lambda: tt.Client.offline(fill=hosted))
        for name, mask in masks.items()
    ]
    found += [
        Case(
            f"{name}, leaky service",
            photo,
            masks[name],
            lambda: tt.Client.offline(leaky=True),
        )
        for name in ("ellipse", "freehand")
    ]
    found.append(
        Case(
            "ellipse, squeezed on its way", photo, masks["ellipse"], lambda: tt.Client.offline(fill=squeezed)
        )
    )
    for name, box in (
        ("4000x4000, cut out", (2200, 2000, 2700, 2400)),
        ("4000x4000, whole", (600, 900, 3400, 3200)),
    ):
        mask = tt.Mask(large.size).ellipse(box)
        found.append(Case(name, large, mask, lambda: tt.Client.offline(fill=hosted)))
    kinds = {
        "Display P3": file(photo, "PNG", icc_profile=made_profile(PRIMARIES[12], SRGB)),
        "Adobe RGB": file(photo, "PNG", icc_profile=made_profile(ADOBE, (563 / 256, 1, 0, 0, 0))),
        "grey": file(photo.convert("L"), "PNG"),
        "16 bits": file(Image.fromarray(np.asarray(photo.convert("L"), np.uint16) * 257), "PNG"),
        "JPEG": file(photo, "JPEG", quality=90),
    }
    found += [
        Case(f"ellipse, {name}", data, masks["ellipse"], lambda: tt.Client.offline(fill=hosted))
        for name, data in kinds.items()
    ]
    wider, margins = extend(photo.crop((200, 0, 712, 1024)), left=200, right=312)

    def outpaint(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
        nothing_new = Image.new("L", image.size)
        return hosted(photo.resize(image.size), nothing_new, prompt, seed)

    found.append(Case("extended", wider.pixels, margins, lambda: tt.Client.offline(fill=outpaint)))
    return found


def across(pixels: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """Gradient energy over all pairs of neighbours of which one is inside."""
    found = []
    for axis in (0, 1):
        one, other = np.moveaxis(inside, axis, 0)[1:], np.moveaxis(inside, axis, 0)[:-1]
        moved = np.moveaxis(pixels, axis, 0)
        row, column = np.nonzero(one != other)
        found.append(((moved[1:][row, column] - moved[:-1][row, column]) ** 2).sum(axis=1))
    steps = np.concatenate(found)
    return float(steps.mean()) if len(steps) else 0.0


def energy(image: Image.Image, inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Gradient energy across the edge of `inside`, and the worst across any outline beside it."""
    pixels = np.asarray(image.convert("RGB"), np.float32)
    edge = Image.fromarray(inside.astype(np.uint8) * 255)
    outlines, inner, outer = [edge], edge, edge
    for number in range(INWARD):
        inner = inner.filter(ImageFilter.MinFilter(3))
        outlines.append(inner)
        if number < OUTWARD:
            outer = outer.filter(ImageFilter.MaxFilter(3))
            outlines.append(outer)
    steps = [across(pixels, np.asarray(outline) > 0) for outline in outlines]
    return steps[0], max(steps)


def blended(
    photo: Image.Image, answer: Image.Image, box: tuple[int, int], stencil: Image.Image
) -> Image.Image:
    """OpenCV's gradient-domain blend of the same answer, on a picture with room around it, since it takes no mask that
    touches the border.
    """
    import cv2

    room = 3
    whole = photo.copy()
    whole.paste(answer, box)
    inside = Image.new("L", photo.size)
    inside.paste(stencil, box)
    padded = np.pad(np.asarray(inside), room)
    rows, columns = np.flatnonzero(padded.any(axis=1)), np.flatnonzero(padded.any(axis=0))
    # It lays the middle of the mask's box there.
    middle = (int(columns[0] + columns[-1] + 1) // 2, int(rows[0] + rows[-1] + 1) // 2)
    one, other = (
        np.pad(np.asarray(pic), ((room, room), (room, room), (0, 0)), "edge") for pic in (photo, whole)
    )
    made = cv2.seamlessClone(other, one, padded, middle, cv2.NORMAL_CLONE)
    return Image.fromarray(made[room:-room, room:-room])


def main() -> int:
    """Print the table; returns 1 where ours is not lower than a hard paste."""
    print(f"{'gradient energy':34}{'across: ours':>14}{'hard paste':>12}{'blend':>8}", end="")
    print(f"{'worst: ours':>15}{'hard paste':>12}{'blend':>8}  colour shift evened out")
    lost, beside = 0, list[float]()
    for case in cases():
        run = tt.edit(case.photo, "an empty bowl", mask=case.mask, client=case.client(), log=False)
        result, source = run.results[0], run.source
        inside = case.mask.to_array()
        landed = run.plan.land(result.raw, source, case.mask)
        if landed.region is None or landed.part is None:
            raise AssertionError("an answer that reaches nothing")
        reach = landed.region
        photo, part = source.pixels.convert("RGB"), landed.part.convert("RGB")
        stencil = Image.fromarray(inside.astype(np.uint8) * 255).crop(reach)
        hard = photo.copy()
        hard.paste(part, reach[:2], stencil)
        blend = blended(photo, part, reach[:2], stencil)
        ours, theirs, third = (energy(one, inside) for one in (result.image, hard, blend))
        row = "".join(
            f"{mine:{width}.0f}{other:12.0f}{another:8.0f}"
            for width, mine, other, another in zip((14, 15), ours, theirs, third, strict=True)
        )
        shift = result.shift
        told = f"{shift.red:+.0f} {shift.green:+.0f} {shift.blue:+.0f}" if shift else "none"
        print(f"{case.name:34}{row}  {told}", flush=True)
        if len(sys.argv) > 1:
            for name, picture in (("", result.image), (", hard", hard), (", blend", blend)):
                picture.save(Path(sys.argv[1]) / f"{case.name}{name}.png")
        lost += not (ours[0] < theirs[0] and ours[1] < theirs[1])
        beside.append(ours[0] / third[0])
    table = Table("The step across the mask's edge")
    table.count(f"cases of {len(beside)} in which a hard paste's step is lower", lost, 0)
    note = (
        f"from {min(beside):.2f} to {max(beside):.2f}; paste_table tells how true each is to what was meant."
    )
    table.count("times the step of a gradient-domain blend, median", float(np.median(beside)), 1.2, note=note)
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
