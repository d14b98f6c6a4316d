"""An answer brought into a photo's own numbers: outside the mask these are the file's, and inside they fade to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .back import is_plain, to_own
from .colour import icc_of, to_srgb
from .own import OwnFile
from .own_paste import PastedFile, of_mode
from .source import SourceImage

__all__ = ["edited_picture", "extended_picture"]

Box: TypeAlias = tuple[int, int, int, int]
Numbers = NDArray[Any]
# Pixels that are blended at a time.
STRIP = 1 << 20


def edited_picture(
    source: SourceImage,
    made: Image.Image,
    name: str,
    box: Box | None = None,
    weight: NDArray[np.uint8] | None = None,
) -> SourceImage:
    """The result `made` (sRGB, `RGB` or `RGBA`, of the source's size) as a picture that has the source's own numbers
    wherever `weight` is 0.

    `weight` (0 to 255) tells in `box` how much of a pixel is the answer's; outside the box it is 0 everywhere. Without
    a box all of the picture is the answer's. What the photo's kind could not hold is in the picture's `changes`.
    """
    own = source.own
    if own is None:
        return SourceImage(made, "PNG", name)
    if is_plain(own):
        return SourceImage(made, "PNG", name, _told(own, made.mode, _numbers=made))
    if own.mode == "CMYK" and made.mode == "RGBA":
        words = "The photo's CMYK has no transparency, so the result is RGB in sRGB."
        plain = replace(_told(own, "RGBA", _numbers=made), depth=8, profile=None)
        return SourceImage(made, "PNG", name, plain, (words,))
    if box is None:
        box, weight = (0, 0, *made.size), None
    if box[0] >= box[2] or box[1] >= box[3]:
        return SourceImage(made, "PNG", name, own)
    mode = _mode_for(own, made)
    changes: tuple[str, ...] = ()
    patch = _blended(source, own, made, mode, box, weight)
    file = _told(own, mode, _base=own, _box=box, _patch=patch)
    if own.mode == "P":
        file, changes = _by_palette(own, file)
    shown = made.copy()
    shown.paste(_shown(patch, file, mode).convert(made.mode), box[:2])
    return SourceImage(shown, "PNG", name, file, changes)


def extended_picture(source: SourceImage, pixels: Image.Image, at: tuple[int, int]) -> SourceImage:
    """`pixels` (sRGB, `RGBA`), the source with transparent room around it, its first pixel at `at`, as a picture that
    has the source's own numbers there. CMYK has no transparency: that becomes sRGB, which the `changes` say.
    """
    own = source.own
    if own is None:
        return SourceImage(pixels, "PNG", source.name)
    if own.mode == "CMYK":
        words = "The photo's CMYK has no transparency, so with room around it, it is RGB in sRGB."
        plain = replace(_told(own, "RGBA", _numbers=pixels), depth=8, profile=None)
        return SourceImage(pixels, "PNG", source.name, plain, (*source.changes, words))
    if is_plain(own):
        return SourceImage(pixels, "PNG", source.name, _told(own, "RGBA", _numbers=pixels), source.changes)
    mode = _mode_for(own, pixels)
    old = of_mode(own, mode, own.numbers())
    numbers = np.zeros((pixels.height, pixels.width, len(mode)), old.dtype)
    numbers[at[1] : at[1] + old.shape[0], at[0] : at[0] + old.shape[1]] = old
    return SourceImage(pixels, "PNG", source.name, _told(own, mode, _numbers=numbers), source.changes)


def _told(own: OwnFile, mode: str, **more: Any) -> PastedFile:
    """A file that is meant as `own` is, upright and without bytes."""
    origin = own.origin if isinstance(own, PastedFile) else own
    return PastedFile(
        own.format,
        mode,
        own.depth,
        own.profile,
        own.cicp,
        own.gamma,
        own.chromaticities,
        own.palette if mode == "P" else None,
        density=own.density,
        metadata=own.metadata,
        light=own.light,
        origin=origin,
        **more,
    )


def _mode_for(own: OwnFile, made: Image.Image) -> str:
    """The mode that holds the photo's numbers and the answer's."""
    mode = own.mode
    if mode == "P" and own.palette is not None:
        mode = "RGBA" if own.palette.shape[1] == 4 else "RGB"
    return mode + "A" if made.mode == "RGBA" and mode in ("L", "RGB") else mode


def _blended(
    source: SourceImage,
    own: OwnFile,
    made: Image.Image,
    mode: str,
    box: Box,
    weight: NDArray[np.uint8] | None,
) -> Numbers:
    """The numbers in `box`: the answer's, and as far as it has not faded in, what the photo's differ from its sRGB."""
    left, top, right, bottom = box
    kept = np.array(of_mode(own, mode, own.numbers()[top:bottom, left:right]))
    most = np.iinfo(kept.dtype).max
    rows = max(1, STRIP // (right - left))
    for start in range(0, bottom - top, rows):
        end = min(bottom - top, start + rows)
        part = left, top + start, right, top + end
        new = _numbers_of(made.crop(part), own, mode)
        if weight is None:
            kept[start:end] = new
            continue
        share = weight[start:end].astype(np.float32) / 255
        share = share if kept.ndim == 2 else share[..., np.newaxis]
        was = _numbers_of(source.pixels.crop(part), own, mode)
        differs = (kept[start:end].astype(np.float32) - was) * (1 - share)
        mixed = np.clip(np.rint(new + differs), 0, most).astype(kept.dtype)
        kept[start:end] = np.where(share == 0, kept[start:end], mixed)
    return kept


def _numbers_of(colours: Image.Image, own: OwnFile, mode: str) -> Numbers:
    numbers = to_own(colours.convert("RGB"), own)
    if mode not in ("LA", "RGBA"):
        return numbers
    alpha = np.asarray(colours.convert("RGBA").getchannel("A"))
    return np.dstack([numbers, alpha.astype(np.uint16) * 257 if own.depth == 16 else alpha])


def _shown(numbers: Numbers, file: OwnFile, mode: str) -> Image.Image:
    """The numbers as opening the file that is saved would show them."""
    if file.hdr is not None:
        return file.hdr.picture(numbers, mode)
    small = (numbers >> 8).astype(np.uint8) if numbers.dtype == np.uint16 else numbers
    image = Image.fromarray(small, mode="CMYK") if mode == "CMYK" else Image.fromarray(small)
    profile = icc_of(file.profile, file.cicp, file.gamma, file.chromaticities)
    return to_srgb(image, profile, None)[0]


def _by_palette(own: OwnFile, file: PastedFile) -> tuple[PastedFile, tuple[str, ...]]:
    """The file with a palette where there is room in it for the new colours; the old ones keep their places."""
    if own.palette is None or file._patch is None:
        raise AssertionError
    left, top, right, bottom = file._box
    indices = np.array(own.numbers()[top:bottom, left:right])
    was = of_mode(own, file.mode, indices)
    # Indices behind its end must not come to mean the new colours.
    count = max(len(own.palette), int(own.numbers().max()) + 1)
    palette = of_mode(own, file.mode, np.arange(count, dtype=np.uint8)[np.newaxis])[0]
    moved = (file._patch != was).any(axis=2)
    colours, which = np.unique(file._patch[moved], axis=0, return_inverse=True)
    places = {tuple(colour): place for place, colour in reversed(list(enumerate(palette.tolist())))}
    fresh = [colour for colour in colours.tolist() if tuple(colour) not in places]
    if len(palette) + len(fresh) > 256:
        words = f"The photo's palette has no room for the new colours, so the result is {file.mode}."
        return file, (words,)
    places |= {tuple(colour): len(palette) + number for number, colour in enumerate(fresh)}
    lookup = np.array([places[tuple(colour)] for colour in colours.tolist()], np.uint8)
    if len(lookup):
        indices[moved] = lookup[which.reshape(-1)]
    longer = np.concatenate([palette, np.array(fresh, np.uint8).reshape(-1, palette.shape[1])])
    return replace(file, mode="P", palette=longer, _patch=indices), ()
