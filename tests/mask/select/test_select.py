"""Selecting: what a click or a box finds, what is refused, and what models of somebody's own may do to it."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.support.mobilesam import link_models
from tests.support.scenes import SCENES, iou
from ttapi_nb.asked import Asked
from ttapi_nb.errors import ImageError, MaskError
from ttapi_nb.mask import Mask, Selection
from ttapi_nb.mask.select import Call, Clicks, Given, GrabCut, MobileSam, engine_of
from ttapi_nb.mask.select.mobilesam import Encoded
from ttapi_nb.picture import SourceImage, open_image
from ttapi_nb.request import EditRequest
from ttapi_nb.run import to_code

SIZE = (96, 64)
THING = (30, 20, 60, 44)


@pytest.fixture
def picture() -> SourceImage:
    """A red thing on grey, 96x64."""
    image = Image.new("RGB", SIZE, (120, 120, 120))
    ImageDraw.Draw(image).rectangle((THING[0], THING[1], THING[2] - 1, THING[3] - 1), fill=(200, 30, 30))
    return SourceImage(image)


@pytest.fixture
def mobilesam(environment: Path) -> MobileSam:
    """MobileSAM of its own; the test is skipped where it can't be had."""
    link_models(environment)
    return MobileSam()


def truth(box: tuple[int, int, int, int] = THING) -> np.ndarray[Any, Any]:
    """The region of a box in the small picture."""
    found = np.zeros(SIZE[::-1], bool)
    found[box[1] : box[3], box[0] : box[2]] = True
    return found


def all_of_it(picture: SourceImage, points: Any, labels: Any, box: Any) -> Any:
    """A model that selects everything."""
    return np.ones(picture.size[::-1])


def is_gone(gone: weakref.ref[SourceImage]) -> bool:
    """Whether a photo is in nobody's hands, as soon as the thread that had it has ended its work."""
    deadline = time.monotonic() + 10
    while gone() is not None and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.02)
    return gone() is None


# What is found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "one", "three", "box"),
    [
        ("a ball, plain ground", 0.95, 0.95, 0.95),
        ("a leaf on wood", 0.95, 0.9, 0.8),
        ("much noise", 0.95, 0.95, 0.95),
        ("low contrast", 0.95, 0.95, 0.95),
        ("thin parts: a mug", 0.9, 0.9, 0.85),
        ("touching things", 0.4, 0.9, 0.95),
        ("at the photo's edge", 0.95, 0.95, 0.95),
        ("small in the photo", 0.9, 0.9, 0.85),
        ("the sample's fig", 0.55, 0.95, 0.75),
    ],
)
def test_grabcut_finds_things(scene: str, one: float, three: float, box: float) -> None:
    """GrabCut takes a thing by a click, by three, and by a box, as well as the table in the docs says."""
    photo, known = SCENES[scene].made
    points, labels = zip(*SCENES[scene].clicks, strict=True)
    picture = open_image(photo)
    by_one = Mask.select(picture, points=points[:1], engine="grabcut")
    by_three = Mask.select(picture, points=points, labels=labels, engine="grabcut")
    by_box = Mask.select(picture, box=SCENES[scene].box(), engine="grabcut")
    found = [iou(mask.to_array(), known) for mask in (by_one, by_three, by_box)]
    assert all(share >= least for share, least in zip(found, (one, three, box), strict=True)), found


@pytest.mark.slow
def test_mobilesam_finds_things(mobilesam: MobileSam) -> None:
    """MobileSAM takes by a single click, and by a box, what colours can't part.

    One photo, as encoding one takes seconds: all of them are in the benchmark.
    """
    scene = SCENES["touching things"]
    photo, known = scene.made
    picture = open_image(photo)
    by_one = Mask.select(picture, points=[scene.clicks[0][0]], engine=mobilesam)
    by_box = Mask.select(picture, box=scene.box(), engine=mobilesam)
    assert iou(by_one.to_array(), known) > 0.95
    assert iou(by_box.to_array(), known) > 0.9


@pytest.mark.slow
def test_a_photo_is_encoded_once_and_forgotten_with_it(mobilesam: MobileSam) -> None:
    """Two editors that ask at the same time share one encoding, later clicks cost little, and nothing outlives the
    photo.
    """

    def encodings() -> int:
        gc.collect()
        return sum(type(one) is Encoded for one in gc.get_objects())

    photo = SourceImage(SCENES["a ball, plain ground"].made[0].copy())
    clicks = Clicks.of(photo.size, [(530, 400)])
    before = encodings()
    begun = time.perf_counter()
    calls = [Call(mobilesam, photo, clicks) for _ in range(3)]
    found = [call.coverage() for call in calls]
    first = time.perf_counter() - begun
    assert all((one == found[0]).all() for one in found)
    assert encodings() == before + 1
    begun = time.perf_counter()
    Call(mobilesam, photo, clicks).coverage()
    assert time.perf_counter() - begun < first / 2
    del photo, calls
    assert encodings() == before


def test_a_transparent_photo_and_tiny_ones() -> None:
    """A photo with a hole, and one of a single pixel, are selected from like any other."""
    image = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((20, 10, 70, 54), fill=(200, 30, 30, 255))
    mask = Mask.select(image, points=[(45, 32)], engine="grabcut")
    assert iou(mask.to_array(), np.asarray(image)[..., 3] > 0) > 0.9
    assert Mask.select(Image.new("RGB", (1, 1)), points=[(0, 0)], engine="grabcut").area == 1
    assert Mask.select(Image.new("RGB", (300, 1)), points=[(7, 0)], engine="grabcut").area > 0


@pytest.mark.slow
def test_the_same_click_finds_the_same_thing(picture: SourceImage) -> None:
    """A selection can be repeated, pixel by pixel, also by another thread."""
    photo = open_image(SCENES["much noise"].made[0])
    masks: list[Mask] = []
    ask = lambda: masks.append(Mask.select(photo, points=[(470, 400)], engine="grabcut"))  # noqa: E731
    ask()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert (masks[0].coverage() == masks[1].coverage()).all()


@pytest.mark.parametrize("labels", [(1, 1, 0), (1, 0, 1)])
def test_the_later_of_two_clicks_at_one_place_counts(labels: tuple[int, ...], picture: SourceImage) -> None:
    """Somebody who clicks where they clicked before has changed their mind."""
    mask = Mask.select(picture, points=[(40, 30), (50, 36), (51, 36)], labels=labels, engine="grabcut")
    assert bool(mask.to_array()[36, 51]) is bool(labels[-1])


@pytest.mark.slow
def test_all_of_the_photo_is_its_subject() -> None:
    """A box of the whole photo finds what stands in it."""
    photo, known = SCENES["a ball, plain ground"].made
    mask = Mask.select(photo, box=(0, 0, *photo.size), engine="grabcut")
    assert iou(mask.to_array(), known) > 0.9
    assert iou(mask.invert().to_array(), ~known) > 0.9


# The mark


def test_a_selection_is_a_mark_like_any_other(picture: SourceImage) -> None:
    """It grows, is painted over, is saved and read again, and scales with the mask; it tells how it was found."""
    mask = Mask.select(picture, points=[(45, 32), (5, 5)], labels=[1, 0], engine="grabcut")
    (mark,) = mask.marks
    assert isinstance(mark, Selection)
    assert (mark.points, mark.labels, mark.engine) == (((45, 32), (5, 5)), (1, 0), "GrabCut")
    assert iou(mask.to_array(), truth()) > 0.9
    assert "GrabCut" in mask.read_as
    grown = mask.grow(4).erase([(45, 32)], radius=3).feather(2)
    again = Mask.from_json(grown.to_json())
    assert again == grown
    assert (again.coverage() == grown.coverage()).all()
    twice = mask.resize((SIZE[0] * 2, SIZE[1] * 2))
    assert isinstance(twice.marks[0], Selection)
    assert twice.marks[0].points == ((90, 64), (10, 10))
    assert twice.bounds is not None
    assert np.allclose(twice.bounds, np.array(mask.bounds) * 2, atol=2)


def test_code_with_a_selection_makes_the_same_mask(picture: SourceImage) -> None:
    """The script of an edit holds what was found, and needs no engine."""
    mask = Mask.select(picture, box=(20, 10, 70, 54), engine="grabcut")
    script = to_code(Asked(EditRequest(image=(picture,), prompt="a cup", mask=mask)))
    made: dict[str, Any] = {}
    lines = script.splitlines()
    end = lines.index(")", lines.index("mask = tt.Mask.from_json("))
    exec(
        "\n".join(["import ttapi_nb as tt", *lines[lines.index("mask = tt.Mask.from_json(") : end + 1]]), made
    )
    assert made["mask"] == mask


@pytest.mark.parametrize(
    "change",
    [
        {"labels": [1]},
        {"labels": ["yes", 1]},
        {"points": [[1, 2, 3], [4, 5]]},
        {"points": 5},
        {"box": [1, 2, 3]},
        {"engine": 7},
        {"packed": "AAAA"},
    ],
)
def test_a_damaged_selection_is_refused(change: dict[str, Any], picture: SourceImage) -> None:
    """JSON that is no selection raises MaskError, and nothing else."""
    mask = Mask.select(picture, points=[(45, 32), (5, 5)], labels=[1, 0], engine="grabcut")
    written = json.loads(mask.to_json())
    written["marks"][0] |= change
    with pytest.raises(MaskError):
        Mask.from_json(json.dumps(written))


# What is refused


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "Say what to select"),
        ({"points": [(96, 3)]}, "is not in the picture of 96x64"),
        ({"points": [(-1, 3)]}, "is not in the picture"),
        ({"points": [(float("nan"), 3)]}, "is not in the picture"),
        ({"points": [(1, 2, 3)]}, "two numbers"),
        ({"points": (4, 5)}, "pairs of numbers"),
        ({"points": [(4, 5)], "labels": [1, 1]}, "one for each point"),
        ({"points": [(4, 5)], "labels": [2]}, "Labels are 1"),
        ({"points": [(4, 5)], "labels": 1}, "Labels are 1"),
        ({"points": [(4, 5)], "labels": [0]}, "Every point takes away"),
        ({"points": [(4, 5)] * 300}, "at most 256 points"),
        ({"box": (10, 10, 10, 40)}, "not one pixel"),
        ({"box": (200, 10, 300, 40)}, "not one pixel"),
        ({"box": (1, 2, 3)}, "all four numbers"),
        ({"box": (0, 0, float("nan"), 9)}, "nan and infinity"),
        ({"points": [(4, 5)], "engine": "sam"}, "engine='sam' is not known"),
        ({"points": [(4, 5)], "engine": 5}, "An engine is no int"),
    ],
)
def test_what_is_no_selection_is_refused_in_words(
    asked: dict[str, Any], words: str, picture: SourceImage
) -> None:
    """Points outside, empty boxes and the like are told before an engine is asked."""
    with pytest.raises(MaskError, match=words):
        Mask.select(picture, **({"engine": all_of_it} | asked))


def test_a_box_may_be_dragged_either_way_and_over_the_edge(picture: SourceImage) -> None:
    """Corners may come in any order, and what lies outside of the photo is cut off."""
    asked: list[Any] = []

    def note(picture: SourceImage, points: Any, labels: Any, box: Any) -> Any:
        asked.append((points, labels, box))
        return all_of_it(picture, points, labels, box)

    Mask.select(picture, box=(200, 50, -9, 10), engine=note)
    Mask.select(picture, points=[(3, 4)], engine=note)
    assert asked == [([], [], (0.0, 10.0, 96.0, 50.0)), ([(3.0, 4.0)], [1], None)]


def test_a_photo_that_can_not_be_opened() -> None:
    """What is wrong with the photo is said as everywhere."""
    with pytest.raises(ImageError):
        Mask.select("no-such-photo.png", points=[(1, 1)])


def test_without_the_extra_the_pip_line_is_said(
    picture: SourceImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without OpenCV and ONNX Runtime each engine says how to install it."""
    for name in ("cv2", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    for engine in ("auto", "grabcut", "mobilesam"):
        with pytest.raises(MaskError, match=r'pip install "ttapi-nb\[select\]"'):
            Mask.select(picture, points=[(4, 5)], engine=engine)


def test_auto_takes_the_best_that_is_here(environment: Path, picture: SourceImage) -> None:
    """Without its files MobileSAM is passed over; where they are damaged, that is said too."""
    assert engine_of("auto").engine.name == "GrabCut"
    assert engine_of("auto").note == ""
    with pytest.raises(MaskError, match="ttapi-nb select --install"):
        engine_of("mobilesam")
    folder = environment / "models" / "mobilesam"
    folder.mkdir(parents=True)
    (folder / "encoder.onnx").write_bytes(b"half")
    assert engine_of("auto").engine.name == "GrabCut"
    assert "not whole" in engine_of("auto").note
    assert "not whole" in Mask.select(picture, points=[(45, 32)]).read_as


def test_loading_the_package_loads_no_engine() -> None:
    """Masks are drawn without OpenCV and ONNX Runtime."""
    code = "import sys, ttapi_nb; ttapi_nb.Mask((4, 4)).coverage(); print({'cv2', 'onnxruntime'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# Models of somebody's own


class Liar:
    """An array that says it is of another size than it is."""

    shape = (64, 96)

    def __array__(self, *_: Any, **__: Any) -> Any:
        return np.ones((3, 3))


class RudeError(Exception):
    """An error that can't even be printed."""

    def __str__(self) -> str:
        raise RuntimeError


def raising(error: BaseException) -> Any:
    """A model that raises this."""

    def model(*_: Any) -> Any:
        raise error

    return model


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (np.ones((3, 3)), "gave a mask of 3x3 for a photo of 96x64"),
        (np.ones((96, 64)), "gave a mask of 64x96 for a photo of 96x64"),
        (Liar(), "gave a mask of 3x3"),
        (np.full((64, 96), np.nan), "nan or infinity"),
        (np.full((64, 96), np.inf), "nan or infinity"),
        (np.full((64, 96), -3.0), "is no mask"),
        (np.full((64, 96), 7.5), "is no mask"),
        (np.full((64, 96), "x"), "is no mask"),
        (np.zeros((0, 0)), "is no mask"),
        (np.zeros((64, 96, 3)), "is no mask"),
        (None, "is no mask"),
        ("mask.png", "is no mask"),
        (np.zeros((64, 96)), "found nothing there"),
        (np.full((64, 96), 0.2), "found nothing there"),
    ],
)
def test_what_a_model_gives_is_looked_at(answer: Any, words: str, picture: SourceImage) -> None:
    """What has another size, holds no numbers or is no mask is refused in a sentence that names the model."""

    def my_model(*_: Any) -> Any:
        return answer

    with pytest.raises(MaskError, match=f"my_model .*{words}|What my_model gave {words}"):
        Mask.select(picture, points=[(4, 5)], engine=my_model)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("no weights\nhere"), r"ValueError: no weights here"),
        (TimeoutError(), r"\(TimeoutError\)"),
        (KeyboardInterrupt(), r"\(KeyboardInterrupt\)"),
        (SystemExit(3), r"SystemExit: 3"),
        (RudeError(), r"\(RudeError\)"),
        (RuntimeError("x" * 9000), r"RuntimeError: x{200}\)"),
    ],
)
def test_whatever_a_model_raises_is_said(error: BaseException, words: str, picture: SourceImage) -> None:
    """A model that raises ends in a sentence, and not in a traceback of its own."""
    with pytest.raises(MaskError, match=words) as caught:
        Mask.select(picture, points=[(4, 5)], engine=raising(error))
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "answer", [np.ones((64, 96), bool), np.ones((1, 64, 96)), np.full((64, 96), 255, np.uint8)]
)
def test_a_model_may_give_a_mask_in_any_usual_form(answer: Any, picture: SourceImage) -> None:
    """Bool, floats, and coverage of 0 to 255 are understood, as everywhere."""
    assert Mask.select(picture, points=[(4, 5)], engine=lambda *_: answer).area == 96 * 64


def test_a_model_that_hangs_is_given_up(picture: SourceImage) -> None:
    """After the time-out the caller goes on; a few that hang are borne, then it is said. What comes late is dropped."""
    free = threading.Event()

    def hanging(picture: SourceImage, *_: Any) -> Any:
        free.wait(60)
        return np.ones(picture.size[::-1])

    try:
        for _ in range(2):
            with pytest.raises(MaskError, match=r"hanging gave no answer in 0.05 s"):
                Mask.select(picture, points=[(4, 5)], engine=hanging, timeout=0.05)
        assert Mask.select(picture, points=[(4, 5)], engine=all_of_it).area
    finally:
        free.set()


def test_too_many_that_hang_are_told(picture: SourceImage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads and photos are not spent for ever on a model that never answers."""
    monkeypatch.setattr("ttapi_nb.mask.select.calling.GRACE", 0.0)
    free = threading.Event()

    def hanging(picture: SourceImage, *_: Any) -> Any:
        free.wait(60)
        return np.ones(picture.size[::-1])

    try:
        for _ in range(4):
            with pytest.raises(MaskError, match="no answer"):
                Mask.select(picture, points=[(4, 5)], engine=hanging, timeout=0.01)
        with pytest.raises(MaskError, match="Restart the kernel"):
            Mask.select(picture, points=[(4, 5)], engine=hanging, timeout=0.01)
    finally:
        free.set()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert Mask.select(picture, points=[(4, 5)], engine=hanging).area
            break
        except MaskError:
            time.sleep(0.01)
    else:
        pytest.fail("those that ended at last are still counted")


@pytest.mark.slow
def test_what_is_stopped_ends_and_leaves_nothing() -> None:
    """A selection that nobody waits for stops soon, and the photo is in nobody's hands."""
    picture = SourceImage(SCENES["much noise"].made[0].copy())
    gone = weakref.ref(picture)
    call = Call(GrabCut(), picture, Clicks.of(picture.size, [(470, 400)]))
    call.stop()
    with pytest.raises(MaskError, match="stopped"):
        call.coverage(30)
    del call, picture
    assert is_gone(gone)


@pytest.mark.parametrize("answer", [ValueError("no"), np.ones((3, 3)), None])
def test_a_model_that_fails_leaves_nothing_in_memory(answer: Any) -> None:
    """The error that is told holds neither the photo nor what the model gave."""
    picture = SourceImage(Image.new("RGB", SIZE))
    gone = weakref.ref(picture)
    model = raising(answer) if isinstance(answer, Exception) else lambda *_: answer
    try:
        Mask.select(picture, points=[(4, 5)], engine=model)
    except MaskError as error:
        told: BaseException = error.with_traceback(None)
    # What the model itself keeps is its own affair.
    if isinstance(answer, Exception):
        answer.__traceback__ = None
    del picture, model
    assert is_gone(gone)
    assert str(told)


def test_a_model_runs_off_the_main_thread_and_off_the_loop(picture: SourceImage) -> None:
    """Nothing of it happens on the thread that asks, nor on the one that does network."""
    threads: list[threading.Thread] = []

    def noting(picture: SourceImage, *_: Any) -> Any:
        threads.append(threading.current_thread())
        return np.ones(picture.size[::-1])

    Mask.select(picture, points=[(4, 5)], engine=noting)
    assert threads[0] not in (threading.main_thread(), threading.current_thread())
    assert threads[0].name != "ttapi_nb"


def test_engines_can_be_called_as_they_are(picture: SourceImage) -> None:
    """An engine is itself a function of the protocol, and gives floats of the picture's size."""
    found = engine_of("grabcut").engine(picture, [(45, 32)], [1], None)
    assert (found.shape, found.dtype) == ((64, 96), np.float32)
    assert (found.min(), found.max()) == (0, 1)
    assert Given(engine_of("grabcut").engine).name == "GrabCut"
