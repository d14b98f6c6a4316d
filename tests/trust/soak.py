"""Whether an editor that is used for days stays as large as it is: thousands of offline runs through one, with the log.

    python tests/trust/soak.py [runs]
    python tests/trust/soak.py --sample warm runs

Every tenth of the way it prints how much memory the process holds, and at the end what closing the editor gives back.
Exits with 1 where memory grew by more than `MOST` from the first tenth on, or closing left a widget. A sample is what
the tests run: it prints, as JSON, of what kinds there are more objects after `runs` more, and what closing left.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import tempfile
import threading
import time
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

from ipywidgets.widgets.widget import _instances
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.server import PATIENCE
from ttapi_nb import loop
from ttapi_nb.widgets.tray import session

RUNS = 5000
STEPS = 10
MOST = 20 * 10**6
PAGE = os.sysconf("SC_PAGE_SIZE")
# So many runs the tray has in a sample, instead of sixty: from then on it lets one go for each.
TRAY = 10


def unchanged(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
    """The least that an engine can do."""
    return image


def editor() -> tt.ImageEditor:
    """An editor on a picture of 64 pixels, with an engine that does nothing."""
    made = tt.ImageEditor(
        Image.effect_noise((64, 64), 40).convert("RGB"),
        client=tt.Client.offline(fill=unchanged),
        model="dall-e-2",
        size="256x256",
    )
    made.mask = made.mask.rectangle((8, 8, 40, 40))
    return made


def use(editor: tt.ImageEditor, runs: int) -> None:
    """Work as people do: write, paint, run, look closer, think better of the paint."""
    for number in range(runs):
        editor.prompt = f"colour number {number}"
        editor.mask = editor.mask.rectangle((number % 60, 4, number % 60 + 4, 60))
        editor.run().wait(PATIENCE)
        editor.viewer.mode, editor.viewer.raw = ("side", "heat", "slider")[number % 3], number % 2 == 0
        editor.drawer.undo()
    wait_behind()
    gc.collect()


def wait_behind() -> None:
    """Wait for what still goes on behind the last run, and for what is put off for a moment (a draft of the mask)."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()

    async def others_end() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)

    assert loop.quiet(PATIENCE)
    loop.call(others_end())
    assert loop.quiet(PATIENCE)


def resident() -> int:
    """How many bytes of memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def counted() -> Counter[str]:
    """How many objects of each kind there are, without those that only wait to be collected."""
    gc.collect()
    objects = gc.get_objects()
    kinds = Counter(type(one).__qualname__ for one in objects)
    # asyncio keeps timers that were cancelled, and the context of each, until there are a hundred. No isinstance: some
    # packages leave objects that stand for a module, and load it when they are asked for their class.
    cancelled = sum(type(one) is asyncio.TimerHandle and one.cancelled() for one in objects)
    kinds.subtract({"TimerHandle": cancelled, "Context": cancelled})
    return kinds


def sample(warm: int, runs: int) -> dict[str, Any]:
    """What `runs` more leave behind in an editor after `warm`, and what does when it is closed."""
    session.MOST_RUNS = TRAY
    editor().close()
    gc.collect()
    before = set(_instances)
    soaked = editor()
    soaked.viewer.show_in_cell(soaked)
    use(soaked, warm)
    # The first count makes some of its own.
    counted()
    widgets, kinds = len(_instances), counted()
    use(soaked, runs)
    objects = {kind: count - kinds[kind] for kind, count in counted().items() if count != kinds[kind]}
    found = {"objects": objects, "widgets": len(_instances) - widgets, "logged": tt.RunLog().totals().offline}
    gone = weakref.ref(soaked)
    soaked.close()
    del soaked
    # A draft that is just being written holds its editor until it is.
    wait_behind()
    gc.collect()
    return found | {"left": sorted(set(_instances) - before), "gone": gone() is None}


def display_nowhere() -> None:
    """Make this process like a kernel, which displays; what it displays goes nowhere."""
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    class Nowhere(DisplayPublisher):
        """Takes everything and keeps nothing."""

        def publish(self, *args: Any, **more: Any) -> None:
            """Drop it."""

    InteractiveShell.instance(display_pub_class=Nowhere)


def main() -> int:
    """Print what was found; returns 1 where a claim fails."""
    display_nowhere()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TTAPI_DATA"] = folder
        if sys.argv[1:2] == ["--sample"]:
            print(json.dumps(sample(*map(int, sys.argv[2:]))))
            return 0
        runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
        # What is made once for a kernel, and stays.
        editor().close()
        gc.collect()
        before = set(_instances)
        soaked, sizes = editor(), []
        soaked.viewer.show_in_cell(soaked)
        begun = time.perf_counter()
        print(f"{'runs':>6}{'MB':>8}{'widgets':>9}{'seconds':>9}")
        for step in range(STEPS):
            use(soaked, runs // STEPS)
            sizes.append(resident())
            seconds = time.perf_counter() - begun
            print(
                f"{(step + 1) * runs // STEPS:6}{sizes[-1] / 1e6:8.1f}{len(_instances):9}{seconds:9.0f}",
                flush=True,
            )
        widgets, logged = len(set(_instances) - before), tt.RunLog().totals().offline
        soaked.close()
        del soaked
        gc.collect()
        left = len(set(_instances) - before)
    grown = sizes[-1] - sizes[0]
    print(
        f"{logged} runs in the log. From run {runs // STEPS} to run {runs} memory grew by {grown / 1e6:.1f} MB "
        f"(at most {MOST / 1e6:.0f}). Of {widgets} widgets closing left {left}."
    )
    good = grown <= MOST and left == 0 and logged == runs // STEPS * STEPS
    if not good:
        print("FAILED")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
