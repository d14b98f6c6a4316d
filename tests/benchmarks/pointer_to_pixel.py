"""How long ink takes to follow the pointer: our drawer beside a bare canvas page without Jupyter, and, with
`--before COMMIT`, beside the drawer of an earlier commit, which may be slower but not quicker.

They take turns, round by round, in one browser: with the kernel idle, while a cell runs, and with JupyterLab behind a
proxy that delays every byte by 100 ms each way once the notebooks are open.

* Pixels are read with `getImageData` from the canvas that is shown: right after the page has handled an event, in every
  animation frame, and between all other tasks. What the compositor and the monitor add afterwards is not measured.
* A scribble is made twice. "Mouse": moves go into Chromium's own input queue at their time, one by one, with the button
  held, and each is timed from the timestamp it got there. Chromium hands them to the page once a frame, as it does a
  real mouse's. "Page": events dispatched by a script, for each of which the handlers run; each is timed from the moment
  when it was due, so that a page which is too busy to dispatch it in time pays for that.
* "late" counts moves whose pixel shows no ink 1 s after the end of a scribble.
* No move may be lost: the points of a mark in the kernel are counted against the moves that the page was handed.

The page's clock has steps of 0.1 ms: a ratio of times that short says little. In the way "page" a move that falls into
a frame waits for it: 1.0 ms of the main thread on the bare page, 1.1 to 1.3 ms for the same canvas in a cell, 1.3 to
1.5 ms for the drawer, and 2 ms and more in both while JupyterLab styles its own parts anew, after a cell has begun.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import websocket  # comes with JupyterLab
from playwright.sync_api import Browser, BrowserContext, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks._bench import Table
from tests.ui.lab import Lab, running_browser, running_lab
from tests.ui.notebook import PATIENCE, Notebook
from tests.ui.proxy import running_proxy

ROOT = Path(__file__).parents[2]
SCRIBBLES = (("mouse", 125, 375), ("page", 125, 375), ("mouse", 1000, 1500))
"""How a scribble is made, its moves per second, and how many. In the page 1000 a second are more than can be read."""
MOST, MOST_BEFORE = 1.5, 1.05
ONE_WAY = 0.1
DEBUG_PORT = 9223
VIEWPORT = {"width": 1400, "height": 1300}

BRUSH = 8
DRAWER = f"import ttapi_nb as tt\ndrawer = tt.MaskDrawer(tt.sample())\ndrawer.brush_size = {BRUSH}\ndrawer"
COUNT = "print(len(drawer.mask.marks[-1].points))"
BUSY = """import pathlib, time
end = time.monotonic() + 60
while time.monotonic() < end and pathlib.Path("busy").exists():
    sum(range(300_000))"""

BARE = """<style>canvas.bare { display: block; touch-action: none; width: WIDTHpx; height: HEIGHTpx }</style>
<canvas class="bare" width="1024" height="1024"></canvas>
<script>{
  const canvas = document.querySelector("canvas.bare"), context = canvas.getContext("2d");
  let last = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  const line = (points) => {
    context.strokeStyle = "rgb(0, 190, 255)";
    context.lineWidth = BRUSH;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...last);
    for (const point of points) context.lineTo(...point);
    context.stroke();
    last = points.at(-1);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    line([last]);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const events = event.getCoalescedEvents();
    line((events.length ? events : [event]).map(place));
  });
  canvas.addEventListener("lostpointercapture", () => { last = null; });
}</script>"""

# Points lie on lines to and fro, a brush apart, so that each move inks a pixel that had no ink.
HARNESS = """([selector, brush]) => {
  const canvas = document.querySelector(selector), context = canvas.getContext("2d");
  let box, before, start, found, ended;
  const offset = (at) => {
    const scale = box.width / canvas.width;
    const step = Math.ceil(scale * (brush / 2 + 3)), row = Math.ceil(scale * brush * 1.2);
    const perRow = Math.floor((box.width - 2 * row) / step), line = Math.floor(at / perRow), along = at % perRow;
    return [row + step * (line % 2 ? perRow - 1 - along : along), row * (1 + line)];
  };
  const place = (at) => {
    const [x, y] = offset(at);
    return [Math.round(box.left) + x, Math.round(box.top) + y];
  };
  const pixel = (at) => {
    const [x, y] = place(at), scale = canvas.width / box.width;
    return [Math.floor((x - box.left) * scale), Math.floor((y - box.top) * scale)];
  };
  const inked = (at) => {
    const [x, y] = pixel(at), now = context.getImageData(x, y, 1, 1).data, was = 4 * (y * canvas.width + x);
    return [0, 1, 2, 3].reduce((sum, part) => sum + Math.abs(now[part] - before[was + part]), 0) >= 8;
  };
  // Looks for pixels in the order of their moves, from every kind of task, until told that it is over.
  let look = () => false;
  const channel = new MessageChannel();
  const again = () => { if (look()) channel.port2.postMessage(0); };
  channel.port1.onmessage = again;
  const frame = () => { if (look()) requestAnimationFrame(frame); };
  const watch = (looking) => { look = looking; again(); requestAnimationFrame(frame); };
  let arrived = null;
  addEventListener("pointermove", (event) => { arrived?.(event); }, true);
  addEventListener("pointermove", () => { look(); });
  addEventListener("mousemove", () => { look(); });
  let handed = 0;
  addEventListener("pointerdown", () => { handed = 0; }, true);
  addEventListener("pointermove", (event) => {
    if (event.buttons) handed += event.getCoalescedEvents().length || 1;
  }, true);
  window.bench = {
    handed: () => handed,
    begin() {
      box = canvas.getBoundingClientRect();
      before = context.getImageData(0, 0, canvas.width, canvas.height).data;
    },
    place,
    clear(at) {
      return document.elementFromPoint(...place(at)) === canvas && !inked(at);
    },
    // Dispatches moves at their time and returns when all are dispatched.
    scribble(first, count, perSecond, kind) {
      return new Promise((done) => {
        start = performance.now() + 50;
        found = [];
      ended = 0;
        let next = 0;
        const due = (at) => start + at * 1000 / perSecond;
        const find = () => {
          while (found.length < next && inked(first + found.length)) found.push(performance.now() - due(found.length));
        };
        watch(() => {
          while (next < count && due(next) <= performance.now()) {
            const [clientX, clientY] = place(first + next);
            next += 1;
            const options = { clientX, clientY, bubbles: true, cancelable: true, composed: true, buttons: 1 };
            canvas.dispatchEvent(kind === "mouse" ? new MouseEvent("mousemove", options) : new PointerEvent(
              "pointermove", { ...options, button: -1, pointerId: 1, pointerType: "mouse", isPrimary: true }));
            find();
            if (next === count) { ended = performance.now(); done(); }
          }
          find();
          return found.length < count && !(ended && performance.now() - ended > 5000);
        });
      });
    },
    // Watches the moves of a mouse, and knows each by its place: the browser hands over several at a time.
    follow(first, count) {
      found = [];
      ended = 0;
      const stamps = [];
      arrived = (event) => {
        for (const one of event.getCoalescedEvents()) {
          const [x, y] = place(first + stamps.length);
          if (Math.abs(one.clientX - x) + Math.abs(one.clientY - y) < 1) stamps.push(one.timeStamp);
        }
        if (stamps.length === count) [ended, arrived] = [performance.now(), null];
      };
      watch(() => {
        while (found.length < stamps.length && inked(first + found.length)) {
          found.push(performance.now() - stamps[found.length]);
        }
        return found.length < count && !(ended && performance.now() - ended > 5000);
      });
    },
    places: (first, count) => Array.from({ length: count }, (_, at) => place(first + at)),
    followed: () => ended > 0,
    // How many pixels have no ink 1 s after the last move, and the times of those found within 5 s.
    async outcome(first, count) {
      ended ||= performance.now();
      const until = (time) => new Promise((done) => setTimeout(done, Math.max(0, time - performance.now())));
      await until(ended + 1000);
      let late = 0;
      for (let at = 0; at < count; at += 1) late += !inked(first + at);
      while (found.length < count && performance.now() < ended + 5000) await until(performance.now() + 50);
      look = () => false;
      return [late, found];
    },
  };
}"""


def move_mouse(page: Page, places: list[tuple[float, float]], rate: int) -> None:
    """Put the mouse at these places, so many a second, without waiting for what comes of a move."""
    debug = f"http://127.0.0.1:{DEBUG_PORT}/json"
    with urllib.request.urlopen(debug, timeout=10) as answer:
        (target,) = [one for one in json.load(answer) if one["url"] == page.url and one["type"] == "page"]
    line = websocket.create_connection(target["webSocketDebuggerUrl"], timeout=30, suppress_origin=True)
    start = time.monotonic()
    for at, (x, y) in enumerate(places):
        # No event says that it is time for the next move.
        time.sleep(max(0.0, start + at / rate - time.monotonic()))
        what = {"type": "mouseMoved", "x": x, "y": y, "button": "left", "buttons": 1}
        line.send(json.dumps({"id": at, "method": "Input.dispatchMouseEvent", "params": what}))
    answered = 0
    while answered < len(places):
        answered += "id" in json.loads(line.recv())
    line.close()


@dataclass
class Scribble:
    """What one came to: the p95 in seconds, how many moves were late, and how many were lost on the way."""

    p95: float
    late: int
    lost: int


class Contender:
    """One canvas in one page; `book` is where there is a drawer around it."""

    def __init__(self, page: Page, selector: str, book: Notebook | None = None) -> None:
        self.page, self.book = page, book
        self._canvas = page.locator(selector).first
        expect(self._canvas).to_have_attribute("width", "1024", timeout=PATIENCE)
        page.wait_for_timeout(1500)  # The photo comes in messages of its own.
        page.evaluate(HARNESS, [selector, BRUSH])

    def size(self) -> tuple[float, float]:
        """How large the canvas is shown."""
        box = self._canvas.bounding_box()
        assert box is not None
        return box["width"], box["height"]

    def megabytes(self) -> float:
        """What the page's scripts hold."""
        held: float = self.page.evaluate("performance.memory.usedJSHeapSize / 1e6")
        return held

    def scribble(self, rate: int, moves: int, way: str, *, count: bool) -> Scribble:
        """Scribble so many moves, so many a second, by the mouse or in the page, on a canvas without ink; and, where
        they are to be counted, see how many the kernel has.
        """
        self.page.bring_to_front()
        self._clear()
        self._canvas.scroll_into_view_if_needed()
        self.page.evaluate("bench.begin()")
        assert self.page.evaluate("at => bench.clear(at)", moves), "Something hides the canvas."
        self._move(0)
        self.page.mouse.down()
        if way == "page":
            self.page.evaluate("options => bench.scribble(...options)", [1, moves, rate, "pointer"])
        else:
            self.page.evaluate("options => bench.follow(...options)", [1, moves])
            move_mouse(self.page, self.page.evaluate("options => bench.places(...options)", [1, moves]), rate)
            # Where moves were lost on the way, the others still count.
            with contextlib.suppress(PlaywrightTimeout):
                self.page.wait_for_function("bench.followed()", timeout=5_000)
        handed: int = self.page.evaluate("bench.handed()")
        self.page.mouse.up()
        late, found = self.page.evaluate("options => bench.outcome(...options)", [1, moves])
        times = sorted([*found, *[5_000.0] * (moves - len(found))])
        lost = 1 + handed - int(self.book.run(2)) if count and self.book is not None else 0
        return Scribble(max(0.1, times[int(0.95 * len(times))]) / 1000, late, lost)

    def _move(self, at: int) -> None:
        self.page.mouse.move(*self.page.evaluate("at => bench.place(at)", at))

    def _clear(self) -> None:
        if self.book is None:
            self._canvas.evaluate(
                "canvas => canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height)"
            )
            return
        button = self.page.get_by_role("button", name=re.compile(r"Clear$")).first
        if button.is_enabled():
            button.click()
        self.page.wait_for_function(
            "canvas => !canvas.getContext('2d').getImageData(0, 0, 1024, 1024).data.some(Boolean)",
            arg=self._canvas.element_handle(),
            timeout=PATIENCE,
        )


def drawer_in(context: BrowserContext, lab: Lab, name: str) -> Contender:
    """A drawer in a notebook of that name."""
    book = Notebook.opened(context.new_page(), lab, f"{name}.ipynb", [BUSY, DRAWER, COUNT])
    book.run(1)
    return Contender(book.page, "canvas.ttapi-ink", book)


def bare_page(context: BrowserContext, size: tuple[float, float]) -> Contender:
    """The bare canvas, shown as large as the drawer's."""
    page = context.new_page()
    html = BARE
    for word, value in {"WIDTH": size[0], "HEIGHT": size[1], "BRUSH": BRUSH}.items():
        html = html.replace(word, str(value))
    # Chromium has no coalesced events where a page is not from a safe address, and localhost is one.
    whole = f'<!doctype html><meta charset="utf-8"><title>Bare canvas</title>{html}'
    page.route("**/*", lambda route: route.fulfill(body=whole, content_type="text/html"))
    page.goto("http://bare.localhost/")
    return Contender(page, "canvas.bare")


@contextlib.contextmanager
def busy(lab: Lab, book: Notebook | None) -> Iterator[None]:
    """A cell runs in the notebook's kernel."""
    if book is None:
        yield
        return
    flag = lab.folder / "busy"
    flag.touch()
    book.page.bring_to_front()
    expect(book.start(0).locator(".jp-InputPrompt").first).to_have_text("[*]:")
    try:
        yield
    finally:
        flag.unlink()


def measure(
    table: Table,
    name: str,
    contenders: dict[str, Contender],
    labs: dict[str, Lab],
    rounds: int,
    *,
    works: bool,
) -> None:
    """The rows of one condition: every rate and way, round by round; `works` where the kernel does meanwhile."""
    for way, rate, moves in SCRIBBLES:
        found: dict[str, list[Scribble]] = {who: [] for who in contenders}
        for number in range(rounds + 1):
            for who, contender in contenders.items():
                with (
                    busy(labs[who], contender.book) if works and contender.book else contextlib.nullcontext()
                ):
                    scribble = contender.scribble(rate, moves, way, count=not works)
                # The first round only warms up.
                if number:
                    found[who].append(scribble)
        times = {who: [one.p95 for one in scribbles] for who, scribbles in found.items()}
        late, lost = (sum(getattr(one, what) for one in found["ours"]) for what in ("late", "lost"))
        note = f"{late} of {moves * rounds} moves late, {lost} lost."
        row = f"p95 at {rate} Hz, {way}, {name}"
        peaks = contenders["ours"].megabytes(), contenders["bare"].megabytes()
        table.compare(row, times["ours"], times["bare"], MOST, peak=peaks, note=note)
        if "before" in times:
            table.compare(f"{row}, against before", times["ours"], times["before"], MOST_BEFORE)
        assert not lost, f"{lost} moves of {moves * rounds} are not in the mask."


def _git(*words: str) -> None:
    subprocess.run(["git", "worktree", *words], cwd=ROOT, check=True)


@contextlib.contextmanager
def lab_at(commit: str | None) -> Iterator[Lab]:
    """JupyterLab whose kernels have the package of a commit, or of now."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        where = ROOT
        if commit is not None:
            where = Path(folder) / "before"
            _git("add", "--detach", str(where), commit)
            stack.callback(_git, "remove", "--force", str(where))
        (Path(folder) / "lab").mkdir()
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = str(where)
        try:
            lab = stack.enter_context(running_lab(Path(folder) / "lab"))
        finally:
            os.environ.pop("PYTHONPATH")
            if before is not None:
                os.environ["PYTHONPATH"] = before
        yield lab


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", metavar="COMMIT", help="also time the drawer of this commit")
    parser.add_argument("--rounds", type=int, default=2, help="how often each scribbles")
    wanted = parser.parse_args()
    table = Table("Pointer to pixel, in ms")
    with contextlib.ExitStack() as stack:
        labs = {"ours": stack.enter_context(lab_at(None))}
        if wanted.before:
            labs["before"] = stack.enter_context(lab_at(wanted.before))
        browser: Browser = stack.enter_context(running_browser(f"--remote-debugging-port={DEBUG_PORT}"))
        context = browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type] # a TypedDict to mypy
        context.set_default_timeout(PATIENCE)
        drawers = {who: drawer_in(context, lab, who) for who, lab in labs.items()}
        contenders = {"bare": bare_page(context, drawers["ours"].size()), **drawers}
        measure(table, "kernel idle", contenders, labs, wanted.rounds, works=False)
        measure(table, "cell running", contenders, labs, wanted.rounds, works=True)
        with running_proxy(int(labs["ours"].url.rsplit(":", 1)[1])) as proxy:
            far = dataclasses.replace(labs["ours"], url=f"http://127.0.0.1:{proxy.port}")
            away = {"bare": contenders["bare"], "ours": drawer_in(context, far, "far")}
            proxy.seconds = ONE_WAY
            measure(table, "200 ms away", away, {"ours": far}, wanted.rounds, works=False)
            proxy.seconds = 0
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
