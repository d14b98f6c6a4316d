"""What is saved can be opened again, with the very numbers: every kind of picture in every kind of file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.picture.test_saving import BOX, SIZE, colours, file, outside, own, sources
from ttapi_nb.picture import edited_picture, open_image


def kept_kinds() -> dict[str, Any]:
    """A photo of each kind of numbers, from files and from memory."""
    index = (colours(channels=1).astype(int) % 9).astype(np.uint8)
    palette = Image.frombytes("P", SIZE, index.tobytes())
    palette.putpalette(np.random.default_rng(2).integers(0, 256, (9, 3), np.uint8).tobytes())
    clear = palette.copy()
    clear.info["transparency"] = bytes([0, 128])
    one = palette.copy()
    one.info["transparency"] = 3
    deep = {
        f"{mode} of 16 bits": colours(depth=16, channels=n) for mode, n in (("L", 1), ("RGB", 3), ("RGBA", 4))
    }
    inks = Image.frombytes("CMYK", SIZE, colours(channels=4).tobytes())
    from_pil = {
        mode: Image.fromarray(colours()).convert(mode) for mode in ("1", "L", "LA", "RGB", "RGBA", "CMYK")
    }
    return (
        sources()
        | deep
        | {f"PIL {mode}": image for mode, image in from_pil.items()}
        | {"PIL P": palette, "PIL P, see-through": clear, "PIL P, one see-through": one}
        | {"CMYK jpeg": file(inks, "JPEG"), "CMYK tiff": file(inks, "TIFF")}
    )


KEPT = kept_kinds()


@pytest.mark.parametrize("kind", KEPT)
def test_what_is_saved_can_be_opened_with_its_numbers(kind: str) -> None:
    """Of every kind in every kind of file: opened again it shows the same, and it is, where nothing was said."""
    photo = open_image(KEPT[kind])
    for format in ("PNG", "JPEG", "WEBP", "TIFF"):
        saved = photo.saved_file(format)
        again = open_image(saved.data)
        lossless = format != "JPEG" or own(photo).format == "JPEG"
        assert again.size == photo.size
        if lossless and not saved.changes:
            numbers, old = own(again).numbers(), own(photo).numbers()
            if format == "WEBP" and own(photo).mode == "RGBA" and old[..., 3].min() == 255:
                # It has no alpha where all of it is opaque.
                old = old[..., :3]
            assert own(again).depth == own(photo).depth
            assert np.array_equal(numbers, old)
            if not own(photo).gamma and not own(photo).cicp:
                assert own(again).profile == own(photo).profile
            assert np.array_equal(
                np.asarray(again.pixels.convert("RGBA")), np.asarray(photo.pixels.convert("RGBA"))
            )
        elif lossless and photo.pixels.mode == again.pixels.mode:
            off = np.abs(np.asarray(again.pixels).astype(int) - np.asarray(photo.pixels))
            assert off.max() <= 2, format


def test_a_palette_from_memory_stays_one(tmp_path: Path) -> None:
    """A PIL image of mode P keeps its indices and colours outside the mask, and is what its file would be."""
    image = KEPT["PIL P, see-through"]
    photo = open_image(image)
    assert photo.digest == open_image(file(image)).digest
    made = photo.pixels.copy()
    made.paste((200, 60, 90, 255), BOX)
    result = edited_picture(photo, made, "x", BOX, np.full((16, 16), 255, np.uint8))
    again = open_image(result.save(tmp_path / "x.png"))
    assert own(again).mode == "P"
    assert np.array_equal(own(again).numbers()[outside()], np.asarray(image)[outside()])
    assert again.digest == result.digest
