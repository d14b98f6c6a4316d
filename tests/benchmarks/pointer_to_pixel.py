"""How long ink takes to follow the pointer: our drawer, plain ipycanvas, and a bare canvas page without Jupyter.

"in cell" is the bare canvas once more, in the output of a cell: what JupyterLab's own page costs. All run in one
browser, one after the other, with the kernel idle, while a cell runs, and with JupyterLab behind a proxy that delays
every byte by 100 ms each way once the notebooks are open. (The bare page has no server; each column times it anew.)

* Pixels are read with `getImageData` from the canvas that is shown: right after the page has handled an event, in every
  animation frame, and between all other tasks. What the compositor and the monitor add afterwards is not measured.
* Single moves are Playwright's real mouse; the next one waits for the pixel of the one before. They are timed twice:
  from the event's own timestamp, when the browser got it ("from the mouse": includes Chromium's wait for the next
  frame), and from its arrival in the page ("in the page": the handlers alone, plus any wait for the kernel).
* Scribbles are made twice. "From the mouse": moves go into Chromium's own input queue at their time, one by one, and
  each is timed from the timestamp it got there. Chromium hands them to the page once a frame, as it does a real
  mouse's. "In the page": events dispatched by a script, for each of which the handlers run; each is timed from the
  moment when it was due, so that a page which is too busy to dispatch it in time pays for that.
* A scribble takes some seconds: JupyterLab works for some 25 ms about a second after a click, whoever draws.
* "late" counts moves whose pixel shows no ink 1 s after the end of a scribble, or a single move's 3 s after it. A time
  is "late" when the pixel was not seen within 5 s of the end of the scribble (3 s for a single move). Moves behind
  three such single moves in a row are not tried.
* The last lines count what enters the page's WebSockets during hover moves.

The page's clock has steps of 0.1 ms: a ratio of times that short says little.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websocket  # comes with JupyterLab
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.ui.lab import Lab, running_browser, running_lab
from tests.ui.notebook import Notebook
from tests.ui.proxy import Proxy, running_proxy

MOVES = 200
SCRIBBLES = {"125 Hz": (125, 625), "1000 Hz": (1000, 3000)}
"""Moves per second, and how many."""
ROWS = (
    "single, from the mouse",
    *(f"{rate}, from the mouse" for rate in SCRIBBLES),
    "single, in the page",
    *(f"{rate}, in the page" for rate in SCRIBBLES),
)
GOAL = 1.5
ONE_WAY = 0.1
DEBUG_PORT = 9223
MISSES = 3
"""After so many single moves in a row without ink, the others are not tried."""
MOST_SECONDS = 560
"""After that long, nothing new is started."""
VIEWPORT = {"width": 1400, "height": 1300}

BRUSH = 8
DRAWER = f"import ttapi_nb as tt\ndrawer = tt.MaskDrawer(tt.sample())\ndrawer.brush_size = {BRUSH}\n"
NO_INK = 'drawer._surface.stage._handle_custom_msg({"type": "no_ink", "reason": "benchmark"}, [])\n'
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
  let single;
  window.bench = {
    begin() {
      box = canvas.getBoundingClientRect();
      before = context.getImageData(0, 0, canvas.width, canvas.height).data;
    },
    place,
    clear(at) {
      return document.elementFromPoint(...place(at)) === canvas && !inked(at);
    },
    arm(at, patience) {
      single = new Promise((done) => {
        let stamp = 0, came = 0;
        const from = performance.now();
        arrived = (event) => { [stamp, came, arrived] = [event.timeStamp, performance.now(), null]; };
        watch(() => {
          const seen = came && inked(at), now = performance.now();
          if (!seen && now - from < patience) return true;
          look = () => false;
          arrived = null;
          done(seen ? [now - stamp, now - came] : null);
          return false;
        });
      });
    },
    result: () => single,
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
    missing: (first, count) => Array.from({ length: count }, (_, at) => at).filter((at) => !inked(first + at)).length,
  };
}"""
COUNT_MESSAGES = """
  window.sentToKernel = 0;
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (...message) { window.sentToKernel += 1; return send.apply(this, message); };
"""
END_KERNELS = """async () => {
  const headers = { "X-XSRFToken": document.cookie.match(/_xsrf=([^;]+)/)?.[1] ?? "" };
  for (const { id } of await (await fetch("/api/sessions")).json()) {
    await fetch(`/api/sessions/${id}`, { method: "DELETE", headers });
  }
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
class Found:
    """Times in ms, infinite where the pixel was not seen; how many moves were made, and how many were late."""

    times: list[float]
    moves: int
    late: int

    def at(self, part: float) -> float:
        """A quantile, by nearest rank."""
        return sorted(self.times)[max(0, math.ceil(part * len(self.times)) - 1)]


@dataclass
class Column:
    """What was found under one condition, by row and who drew."""

    name: str
    found: dict[tuple[str, str], Found] = field(default_factory=dict)


class Canvas:
    """One canvas in one page, and the next point on it that has no ink."""

    def __init__(self, page: Page, selector: str, kind: str) -> None:
        self.page, self.kind = page, kind
        self.canvas = page.locator(selector).first
        expect(self.canvas).to_have_attribute("width", "1024")
        page.evaluate(HARNESS, [selector, BRUSH])
        self._next = 0

    def size(self) -> tuple[float, float]:
        """How large the canvas is shown."""
        box = self.canvas.bounding_box()
        assert box is not None
        return box["width"], box["height"]

    def begin(self, moves: int) -> int:
        """Make sure that the next points can be reached and have no ink; returns the first."""
        self.page.bring_to_front()
        self.canvas.scroll_into_view_if_needed()
        first, self._next = self._next, self._next + moves + 1
        self.page.evaluate("bench.begin()")
        for at in (first, first + moves):
            assert self.page.evaluate("at => bench.clear(at)", at), "Something hides the canvas."
        return first

    def move(self, at: int) -> None:
        """Put the mouse there."""
        x, y = self.page.evaluate("at => bench.place(at)", at)
        self.page.mouse.move(x, y)

    def hover(self) -> int:
        """How many messages are sent while the mouse moves without a button pressed."""
        first = self.begin(MOVES)
        self.move(first)
        self.page.wait_for_timeout(500)
        before: int = self.page.evaluate("sentToKernel")
        for at in range(first + 1, first + 1 + MOVES):
            self.move(at)
        self.page.wait_for_timeout(500)
        after: int = self.page.evaluate("sentToKernel")
        self._next = first
        return after - before

    def singles(self) -> tuple[Found, Found]:
        """Single moves, timed from the mouse and from the page."""
        first = self.begin(MOVES)
        self.move(first)
        self.page.mouse.down()
        times: list[tuple[float, float]] = []
        late = missed = 0
        for at in range(first + 1, first + 1 + MOVES):
            self.page.evaluate("at => bench.arm(at, 3000)", at)
            self.move(at)
            found = self.page.evaluate("bench.result()")
            times.append((found[0], found[1]) if found else (math.inf, math.inf))
            missed = 0 if found else missed + 1
            late += not found
            if missed == MISSES:
                break
        self.page.mouse.up()
        from_mouse, in_page = ([time[part] for time in times] for part in (0, 1))
        return Found(from_mouse, len(times), late), Found(in_page, len(times), late)

    def scribble(self, rate: int, moves: int) -> Found:
        """A scribble; its real press and release are not timed."""
        first = self.begin(moves)
        self.move(first)
        self.page.mouse.down()
        self.page.evaluate("options => bench.scribble(...options)", [first + 1, moves, rate, self.kind])
        self.move(first + moves)
        self.page.mouse.up()
        late, found = self.page.evaluate("options => bench.outcome(...options)", [first + 1, moves])
        return Found([*found, *[math.inf] * (moves - len(found))], moves, late)

    def mouse_scribble(self, rate: int, moves: int) -> Found:
        """A scribble by the mouse."""
        first = self.begin(moves)
        self.move(first)
        self.page.mouse.down()
        self.page.evaluate("options => bench.follow(...options)", [first + 1, moves])
        places = self.page.evaluate("options => bench.places(...options)", [first + 1, moves])
        move_mouse(self.page, places, rate)
        # Where moves were lost on the way, the others still count.
        with contextlib.suppress(PlaywrightTimeout):
            self.page.wait_for_function("bench.followed()", timeout=5_000)
        self.page.mouse.up()
        late, found = self.page.evaluate("options => bench.outcome(...options)", [first + 1, moves])
        return Found([*found, *[math.inf] * (moves - len(found))], moves, late)

    def wait_for_ink(self, moves: int, seconds: float) -> None:
        """Let the kernel catch up with the last series, or give up on it."""
        end = time.monotonic() + seconds
        first = self._next - moves
        while time.monotonic() < end and self.page.evaluate(f"bench.missing({first}, {moves})"):
            self.page.wait_for_timeout(200)


class Benchmark:
    """One run of all of it."""

    def __init__(self, browser: Browser, lab: Lab) -> None:
        self.browser, self.lab = browser, lab
        self.end = time.monotonic() + MOST_SECONDS
        self.messages: dict[str, int] = {}
        self.columns: list[Column] = []

    def column(self, name: str, lab: Lab, *, busy: bool = False, proxy: Proxy | None = None) -> None:
        """Time all three under one condition."""
        column = Column(name)
        self.columns.append(column)
        context = self.browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type] # a TypedDict to mypy
        context.set_default_timeout(60_000)
        context.add_init_script(COUNT_MESSAGES)
        stem = name.replace(" ", "_")
        book, ours = self._drawer(
            context.new_page(), lab, f"{stem}_ours.ipynb", "", "canvas.ttapi-ink", "pointer"
        )
        width, height = ours.size()
        page = context.new_page()
        replaced = {"WIDTH": width, "HEIGHT": height, "BRUSH": BRUSH}
        html = BARE
        for word, value in replaced.items():
            html = html.replace(word, str(value))
        # Chromium has no coalesced events where a page is not from a safe address, and localhost is one.
        whole = f'<!doctype html><meta charset="utf-8"><title>Bare canvas</title>{html}'
        page.route("**/*", lambda route: route.fulfill(body=whole, content_type="text/html"))
        page.goto("http://bare.localhost/")
        bare = Canvas(page, "canvas.bare", "pointer")
        cell_book = Notebook.opened(
            context.new_page(),
            lab,
            f"{stem}_cell.ipynb",
            [BUSY, f"from IPython.display import HTML\nHTML({html!r})"],
        )
        cell_book.run(1)
        in_cell = Canvas(cell_book.page, "canvas.bare", "pointer")
        plain_book, plain = self._drawer(
            context.new_page(), lab, f"{stem}_plain.ipynb", NO_INK, ".ttapi-drawer canvas", "mouse"
        )
        if not busy and lab is self.lab:
            self.messages = {"ours": ours.hover(), "plain": plain.hover()}
            plain.page.wait_for_timeout(1000)
        if proxy is not None:
            proxy.seconds = ONE_WAY
        with self._running(book) if busy else contextlib.nullcontext():
            self._measure(column, "bare", bare)
            self._measure(column, "in cell", in_cell)
            self._measure(column, "ours", ours)
        with self._running(plain_book) if busy else contextlib.nullcontext():
            self._measure(column, "plain", plain)
        if proxy is not None:
            proxy.seconds = 0
        # What is still queued for the plain one's kernel must not slow down the next column.
        ours.page.evaluate(END_KERNELS)
        context.close()

    def _drawer(
        self, page: Page, lab: Lab, name: str, more: str, selector: str, kind: str
    ) -> tuple[Notebook, Canvas]:
        book = Notebook.opened(page, lab, name, [BUSY, f"{DRAWER}{more}drawer"])
        book.run(1)
        page.locator(selector).first.wait_for()
        page.wait_for_timeout(1500)  # The photo comes in messages of its own.
        return book, Canvas(page, selector, kind)

    @contextlib.contextmanager
    def _running(self, book: Notebook) -> Iterator[None]:
        flag = self.lab.folder / "busy"
        flag.touch()
        book.page.bring_to_front()
        cell = book.start(0)
        prompt = cell.locator(".jp-InputPrompt").first
        expect(prompt).to_have_text("[*]:")
        yield
        if prompt.inner_text() != "[*]:":
            print("(A cell ended before the measurement did.)")
        flag.unlink()

    def _measure(self, column: Column, who: str, canvas: Canvas) -> None:
        if time.monotonic() > self.end:
            return
        column.found["single, from the mouse", who], column.found["single, in the page", who] = (
            canvas.singles()
        )
        ways = (("from the mouse", canvas.mouse_scribble), ("in the page", canvas.scribble))
        for name, (rate, moves) in SCRIBBLES.items():
            for way, scribble in ways:
                if time.monotonic() > self.end:
                    return
                row = f"{name}, {way}"
                column.found[row, who] = scribble(rate, moves)
                if row != ROWS[-1] and column.found[row, who].at(0) < math.inf:
                    canvas.wait_for_ink(moves, 8)


def text(value: float) -> str:
    """A time in ms."""
    return "late" if value == math.inf else f"{value:.1f}"


def report(columns: list[Column], messages: dict[str, int]) -> None:
    """Print the tables."""
    print("Pointer to pixel, in ms.\n")
    print(f"{'':32}" + "".join(f"{column.name:>30}" for column in columns))
    print(f"{'':32}" + f"{'median':>10}{'p95':>8}{'late':>12}" * len(columns))
    for row in ROWS:
        for who in ("bare", "in cell", "ours", "plain"):
            line = f"{row:24}{who:8}"
            for column in columns:
                found: Any = column.found.get((row, who))
                if found is None:
                    line += f"{'not measured':>30}"
                    continue
                late = f"{found.late}/{found.moves}"
                line += f"{text(found.at(0.5)):>10}{text(found.at(0.95)):>8}{late:>12}"
            print(line)
    for limit in ("bare", "in cell"):
        print(f"\nours/{limit}" + (f"; the goal is a p95 of at most {GOAL}" if limit == "bare" else ""))
        for row in ROWS:
            line = f"{row:32}"
            for column in columns:
                ours, other = column.found.get((row, "ours")), column.found.get((row, limit))
                if ours is None or other is None:
                    line += f"{'-':>30}"
                    continue
                # What took no step of the clock took less than one.
                median, p95 = (max(0.1, ours.at(part)) / max(0.1, other.at(part)) for part in (0.5, 0.95))
                line += f"{median:10.2f}{p95:8.2f}{'' if p95 <= GOAL else 'missed':>12}"
            print(line)
    print(f"\nMessages to the kernel during {MOVES} hover moves; the goal is 0 for ours")
    for who, count in messages.items():
        print(f"{who:30}{count:10}")


def main() -> None:
    """Print the table."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_lab(Path(folder)) as lab,
        running_browser(f"--remote-debugging-port={DEBUG_PORT}") as browser,
    ):
        benchmark = Benchmark(browser, lab)
        # A column that fails leaves the others standing: what was found is printed all the same.
        try:
            # First what may take longest: the others are left out if time runs short.
            with running_proxy(int(lab.url.rsplit(":", 1)[1])) as proxy:
                far = dataclasses.replace(lab, url=f"http://127.0.0.1:{proxy.port}")
                benchmark.column("200 ms away", far, proxy=proxy)
            benchmark.column("kernel idle", lab)
            benchmark.column("cell running", lab, busy=True)
        finally:
            report(benchmark.columns, benchmark.messages)


if __name__ == "__main__":
    main()
