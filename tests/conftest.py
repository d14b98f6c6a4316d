"""What holds for every test: a data folder, no key, no callback that fails in silence, and only network on the loop."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets.widgets.interaction
import ipywidgets.widgets.widget
import numpy as np
import pytest
from PIL import Image

from tests.guard import Guard
from tests.server import Server
from tests.support import coarse, properties
from tests.support.mobilesam import LEFT_OUT
from ttapi_nb.client import again

# They log an exception that nobody waits for, and go on.
TELLTALES = ("asyncio", "traitlets", "ttapi_nb")
# Where Linux keeps files in memory, and how much of it the tests' files may need, of which those of a test that passed
# go at its end.
MEMORY = Path("/dev/shm")
ROOM = 2 * 1024**3


def pytest_configure() -> None:
    """Let SIGINT interrupt, as some tests do: where they run in the background, it is ignored from the start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    properties.load_profile()
    # What tests wait for most is the disk, since a run is written down before it leaves. Memory answers at once.
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Side by side, tests with a browser get no more processes than there are cores."""
    if config.getoption("dist") != "loadfile":
        return None
    # With xdist alone.
    from tests.support.scheduling import BrowsersOnCores

    return BrowsersOnCores(config, log)


# Last, so that what was left out by its name or its mark is not counted.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """While somebody works, a long table of cases is sampled, as properties are. What was asked for by name is not."""
    if properties.QUICK and not any("::" in argument for argument in config.args):
        kept = properties.sample(items)
        left = {id(test) for test in items} - {id(test) for test in kept}
        config.hook.pytest_deselected(items=[test for test in items if id(test) in left])
        items[:] = kept


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in the closing lines what was left out for want of the model: a pass that tried half is none."""
    reasons = {str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())}
    left_out = sorted(reason[reason.index(LEFT_OUT) :] for reason in reasons if LEFT_OUT in reason)
    if left_out:
        terminalreporter.section("not everything was tried", yellow=True)
        terminalreporter.line(left_out[0].rstrip(")'"))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Runs are logged in a folder of the test's own, and there is no key whoever runs the tests."""
    folder = tmp_path / "ttapi-data"
    monkeypatch.setenv("TTAPI_DATA", str(folder))
    monkeypatch.delenv("TT_API_KEY", raising=False)
    monkeypatch.setenv("TT_API_KEY_FILE", str(tmp_path / "config" / "key"))
    # For the keyring package: whoever runs the tests may have a key there.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.delenv("TTAPI_OFFLINE", raising=False)
    monkeypatch.delenv("TTAPI_BASE_URL", raising=False)
    return folder


@pytest.fixture(autouse=True)
def no_silent_errors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test when a callback raised: ipywidgets, asyncio and our own runs only log that."""
    raised: list[BaseException | str] = []

    # ipywidgets asks for IPython's shell in each of its except blocks, and nowhere else in these modules: it shows
    # the error there, or logs it where there is none. So this sees both, whatever the log's level and handlers.
    for module in (ipywidgets.widgets.widget, ipywidgets.widgets.interaction):

        def watched(ask: Any = module.get_ipython) -> Any:
            error = sys.exception()
            if error is not None:
                raised.append(error)
            return ask()

        monkeypatch.setattr(module, "get_ipython", watched)

    # A factory sees a record before any logger's handlers, filters or missing propagation could hide it.
    make = logging.getLogRecordFactory()

    def make_watched(*args: Any, **more: Any) -> logging.LogRecord:
        record = make(*args, **more)
        if record.exc_info and record.name.split(".", 1)[0] in TELLTALES:
            raised.append(record.exc_info[1] or record.getMessage())
        return record

    logging.setLogRecordFactory(make_watched)
    try:
        yield
    finally:
        logging.setLogRecordFactory(make)
    assert not raised, f"a callback raised: {raised!r}"


@pytest.fixture(autouse=True)
def nothing_rebuilt(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test when a box got a child before others that stay: the page makes all behind it anew.

    What somebody drags, types or has unfolded there would be lost. Words may be made anew.
    """
    rebuilt: list[str] = []
    notify = ipywidgets.Box.notify_change

    def watched(box: ipywidgets.Box, change: Any) -> None:
        if change["name"] == "children" and isinstance(change["old"], tuple):
            old, new = change["old"], change["new"]
            alike = [one is other for one, other in zip(old, new, strict=False)]
            first = alike.index(False) if False in alike else len(alike)
            again = [one for one in old[first:] if one in new and not isinstance(one, ipywidgets.HTML)]
            if again:
                came = [one for one in new if one not in old]
                rebuilt.append(f"in {type(box).__name__}, {again} when {came} came")
        notify(box, change)

    monkeypatch.setattr(ipywidgets.Box, "notify_change", watched)
    yield
    assert not rebuilt, "made anew in the page: " + "; ".join(rebuilt)


@pytest.fixture(autouse=True)
def nobody_has_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    """No address has said yet that it is a gateway: one of another test's may have had the port of this one's."""
    monkeypatch.setattr(again, "_honouring", set())


_guard = Guard()


@pytest.fixture(autouse=True)
def only_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Guard]:
    """Fail the test when the loop's thread did anything but network: see `tests.guard`."""
    _guard.watch(monkeypatch)
    _guard.found.clear()
    yield _guard
    found = [*_guard.found]
    _guard.found.clear()
    assert not found, "on the loop's thread:\n" + "\n".join(map(str, found))


@pytest.fixture(autouse=True)
def coarsely(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded service fills, and a leak is looked at, as ever, but coarsely: most of an edit's time went there."""
    if not request.node.get_closest_marker("fine"):
        coarse.make_coarse(monkeypatch)


@pytest.fixture
def photo() -> Image.Image:
    """A small picture, 64x64, no two rows of which are alike.

    Grain of single pixels would cost: what most models are sent is this at 1024x1024, and packing it took 0.3 s.
    """
    stripes = np.random.default_rng(7).integers(0, 60, (64, 1, 3))
    slope = np.linspace(20, 170, 64)[:, None, None]
    steps = (np.arange(64) // 4)[None, :, None]
    return Image.fromarray((stripes + slope + steps).astype(np.uint8))


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that answers every request with one teal picture, until told otherwise."""
    with Server() as server:
        yield server
