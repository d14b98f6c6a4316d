"""`MobileSam`: a small Segment Anything on ONNX Runtime. A photo is encoded once; then a click costs little."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ... import loop
from ...errors import MaskError
from ...forking import anew
from ...picture import SourceImage
from .clicks import ADD, TAKE_AWAY, Clicks
from .engine import Engine, Floats, Stop, StoppedError
from .extra import load_onnxruntime
from .models import DECODER, ENCODER, ModelFile, read
from .scaling import at_size, sharp

__all__ = ["MobileSam"]

SIDE = 1024
"""What the model sees: the photo's longer side at so many pixels, the rest is empty."""
# What it was taught with: means and deviations of red, green and blue.
MEAN, DEVIATION = np.array([[123.675, 116.28, 103.53], [58.395, 57.12, 57.375]], np.float32)
# Its labels beside 1 and 0: the two corners of a box, and a point that is none.
CORNERS, NO_POINT = (2, 3), -1
# It draws what it saw at so many pixels a side. How much that changes from one to the next at an edge: four and more on
# the photos of the benchmark.
DRAWN, SLOPE = 256, 2.0
# Where it is as unsure as this, what it draws has a pattern of its own.
UNSURE = 1.0
# Of a photo's side: how far from its corners the ground is looked for.
EDGE = 0.03
# More threads than these make an encoding no quicker that one could tell.
THREADS = min(4, os.cpu_count() or 1)
# How often somebody who waits for an encoding looks whether it still matters, in seconds.
LOOK = 0.05
# How long what runs may take to end when Python does, in seconds.
LEAVING = 5.0

_lock = threading.Lock()
anew(globals(), "_lock")


@dataclass(frozen=True, eq=False)
class Encoded:
    """What the model sees in a photo, and the size, (width, height), at which it saw it."""

    embedding: Floats
    size: tuple[int, int]


class _End:
    """Ends what still runs when Python does: a thread that comes back from C++ then would end the process in C++."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._running: list[Callable[[], None]] = []
        self._over = False
        atexit.register(self._all)

    @contextmanager
    def running(self, end: Callable[[], None]) -> Iterator[None]:
        with self._lock:
            if self._over:
                raise StoppedError
            self._running.append(end)
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(end)
                self._lock.notify_all()

    def _all(self) -> None:
        with self._lock:
            self._over = True
            for end in self._running:
                end()
            self._lock.wait_for(lambda: not self._running, LEAVING)

    def forget(self) -> None:
        """In a forked child nothing runs."""
        self._lock, self._running = threading.Condition(), []


_end = _End()


class MobileSam(Engine):
    """MobileSAM, of the two files that `ttapi-nb select --install` keeps."""

    name = "MobileSAM"
    quick = True

    def __init__(self) -> None:
        self._sessions: dict[str, Any] = {}
        self._encoded: weakref.WeakKeyDictionary[SourceImage, Future[Encoded]] = weakref.WeakKeyDictionary()
        if hasattr(os, "register_at_fork"):
            # A session's threads are not in a forked child.
            forget = weakref.WeakMethod(self._forget)
            os.register_at_fork(after_in_child=lambda: (bound := forget()) and bound())

    def _forget(self) -> None:
        _end.forget()
        self._sessions = {}
        self._encoded = weakref.WeakKeyDictionary()

    def prepare(self, picture: SourceImage, stop: Stop) -> None:
        self._seen(picture, stop)

    def run(self, picture: SourceImage, clicks: Clicks, stop: Stop) -> Floats:
        return self.glimpse(picture, clicks, picture.size, stop)

    def glimpse(self, picture: SourceImage, clicks: Clicks, size: tuple[int, int], stop: Stop) -> Floats:
        scores, part = self._scores(picture, clicks, stop)
        return sharp(scores, size, SLOPE, part)

    def _scores(self, picture: SourceImage, clicks: Clicks, stop: Stop) -> tuple[Floats, tuple[float, float]]:
        """What the model draws, over 0 on the thing, and how much of that, (width, height), is the photo."""
        seen = self._seen(picture, stop)
        stop.check()
        width, height = seen.size
        here = _told(clicks, picture.size).scaled(width / picture.size[0], height / picture.size[1])
        points, labels = [*here.points], [*here.labels]
        if here.box is None:
            points, labels = [*points, (0.0, 0.0)], [*labels, NO_POINT]
        else:
            points, labels = [*points, here.box[:2], here.box[2:]], [*labels, *CORNERS]
        inputs = {
            "image_embeddings": seen.embedding,
            "point_coords": np.asarray([points], np.float32),
            "point_labels": np.asarray([labels], np.float32),
            "mask_input": np.zeros((1, 1, 256, 256), np.float32),
            "has_mask_input": np.zeros(1, np.float32),
            # It also draws at a size one may choose, which shows no more.
            "orig_im_size": np.full(2, DRAWN, np.float32),
        }
        scores: Floats = self._ask(DECODER, inputs, stop)[2][0, 0]
        return _calmed(scores), (width * DRAWN / SIDE, height * DRAWN / SIDE)

    def _ask(self, file: ModelFile, inputs: dict[str, Any], stop: Stop) -> Any:
        session, options = self._session(file), load_onnxruntime().RunOptions()

        def end() -> None:
            options.terminate = True

        with stop.telling(end), _end.running(end):
            try:
                return session.run(None, inputs, options)
            except Exception:
                # It is how a run that was told to end does.
                stop.check()
                raise

    def _session(self, file: ModelFile) -> Any:
        with _lock:
            session = self._sessions.get(file.name)
            if session is None:
                runtime = load_onnxruntime()
                options = runtime.SessionOptions()
                options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
                # Its threads would turn round and round while they wait, and what it took it would keep.
                options.add_session_config_entry("session.intra_op.allow_spinning", "0")
                options.enable_cpu_mem_arena = False
                options.log_severity_level = 4
                with _end.running(lambda: None):
                    session = runtime.InferenceSession(
                        read(file), options, providers=["CPUExecutionProvider"]
                    )
                self._sessions[file.name] = session
        return session

    def _seen(self, picture: SourceImage, stop: Stop) -> Encoded:
        """The photo encoded: by the first who asks, and whoever else asks meanwhile waits for that."""
        with _lock:
            going = self._encoded.get(picture)
            mine = going is None or (going.done() and going.exception() is not None)
            if mine:
                going = self._encoded[picture] = Future()
        assert going is not None  # noqa: S101 - for the type checker
        if mine:
            ended = Stop()
            # A new click on the same photo needs it all the same; only when the photo goes, nobody does.
            weakref.finalize(picture, ended.ask)
            scale = SIDE / max(picture.size)
            size = (max(1, round(picture.size[0] * scale)), max(1, round(picture.size[1] * scale)))
            try:
                pixels = at_size(picture, size)
                loop.start(partial(self._encode, pixels, ended, going))
            except BaseException as error:
                going.set_exception(error)
                raise
        while True:
            stop.check()
            try:
                return going.result(LOOK)
            except TimeoutError:
                continue

    def _encode(self, pixels: Any, ended: Stop, told: Future[Encoded]) -> None:
        try:
            height, width = pixels.shape[:2]
            padded = np.zeros((1, 3, SIDE, SIDE), np.float32)
            padded[0, :, :height, :width] = ((pixels - MEAN) / DEVIATION).transpose(2, 0, 1)
            (embedding,) = self._ask(ENCODER, {"input": padded}, ended)
            told.set_result(Encoded(embedding, (width, height)))
        except StoppedError:
            told.set_exception(MaskError("The photo was closed before it was looked at. Click again."))
        except BaseException as error:  # noqa: BLE001 - whoever waits for it is told
            told.set_exception(error)


def _calmed(scores: Floats) -> Floats:
    """The scores without the pattern that they have where the model is unsure."""
    padded = np.pad(scores, 1, mode="edge")
    across = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    mean = (across[:-2] + 2 * across[1:-1] + across[2:]) / 4
    calmed: Floats = np.where((np.abs(mean) < UNSURE) & (np.abs(scores) < 2 * UNSURE), mean, scores)
    return calmed


def _told(clicks: Clicks, size: tuple[int, int]) -> Clicks:
    """What the model is told. In a box of the whole photo it would find the ground; so it is told of the middle."""
    if clicks.points or not clicks.is_all_of(size):
        return clicks
    width, height = size
    near, far = EDGE, 1 - EDGE
    corners = [(width * x, height * y) for x in (near, far) for y in (near, far)]
    return Clicks(((width / 2, height / 2), *corners), (ADD, *[TAKE_AWAY] * len(corners)))
