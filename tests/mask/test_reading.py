"""Masks of other tools: each is read as it was meant, says how, and is refused where that is not clear."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter
from pycocotools import mask as coco

from tests.support.properties import examples
from ttapi_nb.errors import MaskError
from ttapi_nb.mask import Mask
from ttapi_nb.picture import OwnFile, SourceImage
from ttapi_nb.request import EditRequest

FIXTURES = Path(__file__).parent.parent / "fixtures"
SIZE = (40, 30)
PHOTO = SourceImage(Image.new("RGB", SIZE, "teal"), name="room.png")
BOX = (8, 6, 20, 16)
TRUE = np.zeros(SIZE[::-1], bool)
TRUE[6:16, 8:20] = True
OTHER = np.zeros(SIZE[::-1], bool)
OTHER[20:28, 25:38] = True


def layer(colour: Any, *, under: Any = (0, 0, 0, 0)) -> Image.Image:
    """What a drawing program exports: the box painted in one colour on transparency."""
    image = Image.new("RGBA", SIZE, under)
    image.paste(colour, BOX)
    return image


def png(image: Image.Image) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


class Tensor:
    """A tensor as torch has them, as far as a mask needs to know."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def detach(self) -> Tensor:
        """Without its gradient."""
        return Tensor(self.array)

    def cpu(self) -> Tensor:
        """Here."""
        return self

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.array


ARRAYS = {
    "bool": TRUE,
    "0/1": TRUE.astype(np.uint8),
    "0/255": TRUE.astype(np.uint8) * 255,
    "int64": TRUE.astype(np.int64),
    "uint16": TRUE.astype(np.uint16) * 65535,
    "float": TRUE.astype(np.float32) * 0.9,
    "float 255": TRUE.astype(float) * 255,
    "half": TRUE.astype(np.float16),
    "1xHxW": TRUE[None],
    "HxWx1": TRUE[..., None].astype(np.uint8),
    "lists": TRUE.astype(int).tolist(),
    "tensor": Tensor(TRUE[None].astype(np.float32)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_every_usual_kind(name: str) -> None:
    """Whatever shape and range an array has, what is true in it is edited."""
    for mask in (Mask.from_array(ARRAYS[name]), Mask.read(ARRAYS[name], photo=PHOTO)):
        assert np.array_equal(mask.to_array(), TRUE)
        assert np.array_equal(mask.coverage() > 0, TRUE)
    request = EditRequest.make(image=PHOTO, prompt="x", mask=ARRAYS[name])
    assert request.problems() == ()


@pytest.mark.parametrize("mode", ["1", "I", "F", "I;16", "L"])
def test_pictures_of_numbers_are_judged_as_arrays(mode: str) -> None:
    """0 and 1, or 0 to 255, in PIL's modes of numbers mean what they mean in an array."""
    for times in (1, 255) if mode != "1" else (1,):
        array = (
            TRUE
            if mode == "1"
            else (TRUE * times).astype({"F": "f4", "I;16": "u2", "L": "u1"}.get(mode, "i4"))
        )
        image = Image.fromarray(array)
        assert image.mode == mode
        assert np.array_equal(Mask.from_image(image, edit="white").to_array(), TRUE)
        assert np.array_equal(Mask.from_image(image, edit="black").to_array(), ~TRUE)


@pytest.mark.parametrize(
    "array",
    [
        np.where(TRUE, np.nan, 0),
        np.where(TRUE, np.inf, 0),
        TRUE * 3,
        np.where(TRUE, 2.5, -1.5),
        TRUE.astype(complex),
        np.array([["a", "b"]]),
        np.array([[None]]),
        [[1, 2], [3]],
        [],
        np.zeros((3, 4, 5, 6)),
        np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (10**5, 10**5), (0, 0)),
        "mask",
        5,
        None,
    ],
    ids=lambda one: str(one)[:20],
)
def test_what_is_no_mask_is_a_mask_error(array: Any) -> None:
    """Numbers that are nobody's mask, and what holds none, are refused in a sentence."""
    with pytest.raises(MaskError) as caught:
        Mask.from_array(array)
    assert str(caught.value).endswith(".")


def test_logits_are_read_and_not_guessed() -> None:
    """A model's logits edit where they are over 0, for `read`; `from_array` points there."""
    logits = np.where(TRUE, 4.0, -7.0)
    mask = Mask.read(logits)
    assert np.array_equal(mask.to_array(), TRUE)
    assert "logits" in mask.read_as
    assert "logits" in repr(mask)
    with pytest.raises(MaskError, match=r"Mask.read"):
        Mask.from_array(logits)


@pytest.mark.parametrize("name", ["white_on_transparent_white.png", "mask_white_on_transparent.png"])
def test_transparent_white_is_no_white_paint(name: str) -> None:
    """Of white paint on transparency 1,024 pixels are white, whatever hides under the rest."""
    for edit in ("white", "painted"):
        assert Mask.from_image(FIXTURES / name, edit=edit).area == 1024
    assert Mask.from_image(FIXTURES / name, edit="transparent").area == 128 * 128 - 1024
    with pytest.raises(MaskError, match=r'edit="painted" would edit 6.2% of it, and edit="transparent" 94%'):
        Mask.read(FIXTURES / name)
    assert Mask.read(FIXTURES / name, edit="painted").area == 1024
    grey = SourceImage(Image.new("RGB", (128, 128), "grey"))
    (problem,) = EditRequest.make(image=grey, prompt="x", mask=FIXTURES / name).problems()
    assert "two ways" in problem


def test_transparent_is_no_black_paint_either() -> None:
    """Black paint on transparency is what is black, and not what is transparent."""
    assert np.array_equal(Mask.from_image(layer((0, 0, 0, 255)), edit="black").to_array(), TRUE)
    assert np.array_equal(Mask.from_image(layer("red"), edit="painted").to_array(), TRUE)


def test_black_and_white_names_both_readings() -> None:
    """An opaque mask does not tell which of its colours is the edit, so both are named, with their areas."""
    grey = Image.fromarray(TRUE.astype(np.uint8) * 255)
    for given in (grey, png(grey)):
        with pytest.raises(MaskError, match=r'edit="white".*10% of it, or edit="black", 90%'):
            Mask.read(given)
    assert np.array_equal(Mask.read(grey, edit="white").to_array(), TRUE)
    assert np.array_equal(Mask.read(grey, edit="black").to_array(), ~TRUE)


def test_a_photo_with_its_hole_is_read_as_transparent() -> None:
    """What is opaque in it is the photo's, so the hole is the edit."""
    photo = PHOTO.pixels.convert("RGBA")
    photo.paste((0, 0, 0, 0), BOX)
    assert np.array_equal(Mask.read(photo, photo=PHOTO).to_array(), TRUE)
    assert Mask.read(FIXTURES / "hole.png").area == Mask.hole_of(FIXTURES / "hole.png").area


def test_our_own_files_are_read(tmp_path: Path) -> None:
    """A mask, its JSON as text, dict and file, its PNG, and a numpy file are all the mask."""
    mask = Mask(SIZE).rectangle(BOX)
    path = mask.save(tmp_path / "mask.json")
    np.save(tmp_path / "mask.npy", TRUE)
    for given in (mask, mask.to_json(), json.loads(mask.to_json()), path, str(path), path.read_bytes()):
        assert Mask.read(given, photo=PHOTO) == mask
    for given in (mask.to_png(), tmp_path / "mask.npy"):
        assert np.array_equal(Mask.read(given, photo=PHOTO).to_array(), TRUE)


@pytest.mark.parametrize("kind", ["numpy", "pil", "path"])
def test_what_gradio_returns(kind: str, tmp_path: Path) -> None:
    """What is painted on the layers is the edit, and not its inverse; of the older sketch what is white."""
    layers = [layer("white"), layer((255, 0, 0, 255)).transpose(Image.Transpose.ROTATE_180)]
    given: list[Any] = layers
    if kind == "numpy":
        given = [np.asarray(one) for one in layers]
    if kind == "path":
        given = []
        for number, one in enumerate(layers):
            one.save(tmp_path / f"{number}.png")
            given.append(str(tmp_path / f"{number}.png"))
    value = {"background": PHOTO.pixels, "layers": given, "composite": PHOTO.pixels}
    assert np.array_equal(Mask.read(value, photo=PHOTO).to_array(), TRUE | TRUE[::-1, ::-1])
    assert "gradio" in Mask.read(value).read_as
    sketch = {"image": np.asarray(PHOTO.pixels), "mask": np.dstack([TRUE.astype(np.uint8) * 255] * 3)}
    assert np.array_equal(Mask.read(sketch, photo=PHOTO).to_array(), TRUE)
    with pytest.raises(MaskError, match="nothing"):
        Mask.read({"background": PHOTO.pixels, "layers": [Image.new("RGBA", SIZE)], "composite": None})
    request = EditRequest.make(image=PHOTO, prompt="x", mask=value)
    assert request.problems() == ()


def test_what_segment_anything_returns() -> None:
    """One mask, a choice of them, the predictor's three arrays, and the generator's list of dicts."""
    whole = np.ones_like(TRUE)
    assert np.array_equal(Mask.read(TRUE[None, None], photo=PHOTO).to_array(), TRUE)
    stack = np.stack([TRUE, whole])
    with pytest.raises(MaskError, match=r"edit 10%, all of the picture, or together all.*which=0"):
        Mask.read(stack, photo=PHOTO)
    assert np.array_equal(Mask.read(stack, which=0).to_array(), TRUE)
    assert Mask.read(stack, which="all").area == whole.size
    assert np.array_equal(Mask.read(np.stack([TRUE, OTHER])).to_array(), TRUE | OTHER)
    triple = (stack, np.array([0.97, 0.4], np.float32), np.zeros((2, 256, 256), np.float32))
    mask = Mask.read(triple, photo=PHOTO)
    assert np.array_equal(mask.to_array(), TRUE)
    assert "0.97" in mask.read_as
    rle = coco.encode(np.asfortranarray(OTHER.astype(np.uint8)))
    dicts = [{"segmentation": TRUE, "area": 120}, {"segmentation": rle, "area": 104}]
    assert np.array_equal(Mask.read(dicts, photo=PHOTO).to_array(), TRUE | OTHER)
    with pytest.raises(MaskError, match="3 masks"):
        Mask.read([*dicts, {"segmentation": whole}], photo=PHOTO)
    for wrong in (5, "first", True):
        with pytest.raises(MaskError, match="which"):
            Mask.read(stack, which=wrong)  # type: ignore[arg-type]


# Its wheels were made for an older numpy.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@hypothesis.given(st.integers(0, 2**32 - 1))
@examples(40)
def test_coco_counts_the_same_pixels(seed: int) -> None:
    """Polygons and run lengths, compressed or not, mark exactly what COCO's own tools say."""
    random = np.random.default_rng(seed)
    width, height = (int(side) for side in random.integers(2, 50, 2))
    photo = SourceImage(Image.new("RGB", (width, height)))
    corners = random.uniform(-0.2, 1, (int(random.integers(3, 8)), 2)) * (width, height)
    flat = (np.round(corners) if seed % 2 else corners).ravel().tolist()
    expected = coco.decode(coco.merge(coco.frPyObjects([flat], height, width))).astype(bool)
    noise = random.random((height, width)) < 0.5
    compressed = coco.encode(np.asfortranarray(noise.astype(np.uint8)))
    column = noise.T.ravel()
    turns = np.flatnonzero(np.diff(np.concatenate(([False], column, [not column[-1]]))))
    counts = np.diff(np.concatenate(([0], turns, [column.size])))
    counts = counts[: len(counts) - (counts[-1] == 0)]
    cases = [({"segmentation": [flat]}, expected), (compressed, noise)]
    cases += [(compressed | {"counts": compressed["counts"].decode()}, noise)]
    cases += [({"size": [height, width], "counts": counts.tolist()}, noise)]
    for annotation, true in cases:
        if true.any():
            assert np.array_equal(Mask.read(annotation, photo=photo).to_array(), true)


def test_annotations_of_one_image() -> None:
    """Of a file of many images those of the photo count, by its name or as `image_id` says."""
    square = [[8, 6, 20, 6, 20, 16, 8, 16]]
    file = {
        "images": [
            {"id": 1, "file_name": "photos/room.png", "width": 40, "height": 30},
            {"id": 2, "file_name": "other.png", "width": 40, "height": 30},
        ],
        "annotations": [
            {"image_id": 1, "segmentation": square},
            {"image_id": 2, "segmentation": [[0, 0, 30, 0, 30, 20]]},
        ],
    }
    assert np.array_equal(Mask.read(file, photo=PHOTO).to_array(), TRUE)
    assert np.array_equal(Mask.read(json.dumps(file), image_id=1).to_array(), TRUE)
    with pytest.raises(MaskError, match="2 images, 1, 2"):
        Mask.read(file["annotations"], photo=PHOTO.pixels)
    with pytest.raises(MaskError, match="photo=photo"):
        Mask.read({"segmentation": square})
    assert np.array_equal(Mask.read(square, photo=PHOTO).to_array(), TRUE)


def test_what_labelme_saves() -> None:
    """Polygons, boxes, circles, lines, points and masks, drawn as labelme draws them."""
    expected = Image.new("L", SIZE)
    draw = ImageDraw.Draw(expected)
    draw.polygon([(2, 2), (12, 3), (6, 12)], fill=255, outline=255)
    draw.rectangle((20, 4, 30, 10), fill=255)
    draw.ellipse((9, 15, 19, 25), fill=255)
    shapes = [
        {"label": "a", "shape_type": "polygon", "points": [[2, 2], [12, 3], [6, 12]]},
        {"label": "b", "shape_type": "rectangle", "points": [[30, 10], [20, 4]]},
        {"label": "c", "shape_type": "circle", "points": [[14, 20], [19, 20]]},
    ]
    small = Image.new("L", (4, 3), 1)
    inline = base64.b64encode(png(small)).decode()
    shapes.append({"label": "d", "shape_type": "mask", "points": [[33, 25], [36, 27]], "mask": inline})
    expected.paste(255, (33, 25, 37, 28))
    file = {"imageWidth": 40, "imageHeight": 30, "imagePath": "room.png", "shapes": shapes}
    mask = Mask.read(json.dumps(file), photo=PHOTO)
    assert np.array_equal(mask.to_array(), np.asarray(expected) > 0)
    assert "a, b, c, d" in mask.read_as


def test_contours_and_their_holes() -> None:
    """What contours enclose is the edit, themselves among it; a hole stays out, as the hierarchy has it."""
    outer = np.array([[[8, 6]], [[19, 6]], [[19, 15]], [[8, 15]]], np.int32)
    hole = np.array([[[10, 8]], [[16, 8]], [[16, 13]], [[10, 13]]], np.int32)
    assert np.array_equal(Mask.read([outer], photo=PHOTO).to_array(), TRUE)
    assert np.array_equal(Mask.read(outer, photo=PHOTO).to_array(), TRUE)
    nested = np.array([[[-1, -1, 1, -1], [-1, -1, -1, 0]]], np.int32)
    ring = TRUE.copy()
    ring[9:13, 11:16] = False
    assert np.array_equal(Mask.read(([outer, hole], nested), photo=PHOTO).to_array(), ring)
    with pytest.raises(MaskError, match="photo=photo"):
        Mask.read([outer])


def test_a_photo_that_was_turned_and_a_mask_that_was_not() -> None:
    """The photo's rotation is named, and the mask turned as it was, for arrays and polygons alike."""
    unturned = np.zeros((40, 30), bool)
    unturned[4:10, 3:20] = True
    for orientation, steps in ((6, -1), (8, 1)):
        photo = SourceImage(PHOTO.pixels, own=OwnFile("JPEG", orientation=orientation))
        with pytest.raises(MaskError, match=r'30x40 and the picture 40x30.*EXIF.*turn="exif"'):
            Mask.read(unturned, photo=photo)
        with pytest.raises(MaskError, match="EXIF"):
            EditRequest.make(image=photo, prompt="x", mask=unturned)
        (problem,) = EditRequest.make(image=photo, prompt="x", mask=Mask.from_array(unturned)).problems()
        assert 'turn="exif"' in problem
        turned = np.rot90(unturned, steps)
        assert np.array_equal(Mask.read(unturned, photo=photo, turn="exif").to_array(), turned)
        corners = [[3, 4, 20, 4, 20, 10, 3, 10]]
        assert np.array_equal(Mask.read(corners, photo=photo, turn="exif").to_array(), turned)
    with pytest.raises(MaskError, match="turn=90"):
        Mask.read(unturned, photo=PHOTO)
    assert np.array_equal(Mask.read(unturned, photo=PHOTO, turn=90).to_array(), np.rot90(unturned, -1))
    with pytest.raises(MaskError, match="no photo with such a note"):
        Mask.read(unturned, photo=PHOTO, turn="exif")


def test_another_size() -> None:
    """A mask of the same shape is brought to the photo's size on demand, and else refused with both sizes."""
    large = np.kron(TRUE, np.ones((2, 2), bool))
    with pytest.raises(MaskError, match=r"80x60 and the picture 40x30.*resize=True"):
        Mask.read(large, photo=PHOTO)
    assert np.array_equal(Mask.read(large, photo=PHOTO, resize=True).to_array(), TRUE)


HOSTILE: list[Any] = [
    {"size": [10**9, 10**9], "counts": [1]},
    {"size": [30, 40], "counts": [5, 7]},
    {"size": [30, 40], "counts": [-5, 1205]},
    {"size": [30, 40], "counts": [2**70]},
    {"size": [30, 40], "counts": "~~~~"},
    {"size": [30, 40], "counts": "oooooooooooooooo0"},
    {"size": [30, 40], "counts": "é"},
    {"size": "ab", "counts": "0"},
    {"segmentation": [[0, 0, 1, float("nan"), 3, 3]]},
    {"segmentation": [[0, 0, 1, 1]]},
    {"segmentation": [[0, 0, 1e300, 1, 2, 2]]},
    {"segmentation": [[-9e5, -9e5, 10, -9e5] * 3000]},
    {"segmentation": {"a": 1}},
    {"segmentation": []},
    {"annotations": 5},
    {"shapes": [{"points": [["a", 1]]}]},
    {"shapes": [{"points": [[1, 2], [3, 4]], "shape_type": "spline"}], "imageWidth": 9, "imageHeight": 9},
    {"shapes": [], "imageWidth": 9, "imageHeight": 9},
    {"layers": []},
    {"layers": [PHOTO.pixels]},
    {"marks": [], "version": 1},
    {"wibble": 1},
    {},
    [],
    [{}],
    [[]],
    "[" * 100_000,
    '{"marks": ' * 5000,
    b"{}",
    5,
    print,
]


@pytest.mark.parametrize("given", HOSTILE, ids=range(len(HOSTILE)))
def test_damaged_and_hostile_input_is_a_mask_error(given: Any) -> None:
    """Whatever is damaged or meant to hurt ends in a sentence, with little time and memory."""
    with pytest.raises(MaskError) as caught:
        Mask.read(given, photo=PHOTO)
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 600


POLYGON = [8, 6, 20, 6, 20, 16, 8, 16]
TRIPLE = Image.fromarray(TRUE)
ALSO = {
    "list of arrays": ([TRUE, OTHER], TRUE | OTHER),
    "list of one array": ([TRUE[None]], TRUE),
    "logits, one channel each": (np.where(np.stack([TRUE, OTHER]), 3.0, -3.0)[:, None], TRUE | OTHER),
    "flat polygon": (POLYGON, TRUE),
    "polygons of things": ([[POLYGON], [[25, 20, 38, 20, 38, 28, 25, 28]]], TRUE | OTHER),
    "transformers' list": ([{"label": "cat", "score": 0.9, "mask": TRIPLE}], TRUE),
    "transformers' two": ([{"label": "a", "mask": TRIPLE}, {"label": "b", "mask": OTHER}], TRUE | OTHER),
    "JSON of Windows": (b"\xef\xbb\xbf" + json.dumps({"segmentation": [POLYGON]}).encode(), TRUE),
    "JSON text of Windows": ("\ufeff" + json.dumps({"segmentation": [POLYGON]}), TRUE),
    "rectangle of four corners": (
        {
            "shapes": [
                {"label": "a", "shape_type": "rectangle", "points": [[8, 6], [19, 6], [19, 15], [8, 15]]}
            ],
            "imageWidth": 40,
            "imageHeight": 30,
        },
        TRUE,
    ),
}


@pytest.mark.parametrize("kind", ALSO)
def test_further_ways_to_write_a_mask(kind: str) -> None:
    """Each is read as the same box, alone or together with another."""
    given, expected = ALSO[kind]
    assert np.array_equal(Mask.read(given, photo=PHOTO).to_array(), expected)


def test_uploads_are_masks_too() -> None:
    """What ipywidgets' FileUpload holds, of either version, and an answer of httpx are read as the file in them."""
    file = png(layer("red"))
    entry = {"name": "m.png", "type": "image/png", "size": len(file), "content": memoryview(file)}
    old = {"m.png": {"metadata": {"name": "m.png"}, "content": file}}
    for given in ((entry,), [entry], entry, old, httpx.Response(200, content=file)):
        assert np.array_equal(Mask.read(given, photo=PHOTO, edit="painted").to_array(), TRUE)
        with pytest.raises(MaskError, match="two ways"):
            Mask.read(given, photo=PHOTO)


def test_black_paint_with_soft_edges_may_be_either() -> None:
    """A brush of black is as likely paint as what is kept: both readings are named. Hard black with a hole is clear."""
    soft = layer("black").filter(ImageFilter.GaussianBlur(1))
    with pytest.raises(MaskError, match=r'edit="painted" would edit 9\.7% of it, and edit="transparent" 90%'):
        Mask.read(soft, photo=PHOTO)
    feathered = Mask(SIZE).rectangle(BOX).feather(3)
    kept = Image.new("RGBA", SIZE, "black")
    kept.putalpha(Image.fromarray(255 - feathered.coverage()))
    assert np.array_equal(Mask.read(kept, photo=PHOTO).to_array(), feathered.to_array())
    large = Mask(SIZE).invert().rectangle(BOX, erase=True)
    assert np.array_equal(Mask.read(large.to_png(), photo=PHOTO).to_array(), large.to_array())


def test_other_things_are_said_to_be_no_mask() -> None:
    """What is no mask of any kind is refused with the kinds that are known."""
    for given in (None, 3, object(), {}, {"a": 1}, [{}], {"mask": 3, "label": "x"}):
        with pytest.raises(MaskError):
            Mask.read(given, photo=PHOTO)
