// Lays a result over the photo it was made from. Comparing, zooming and panning never wait for the kernel: it only
// sends the pictures. This file puts the parts together, each of which has one job.

import { choose, listen, make, makeButton } from "../basics.js";
import { createBlink } from "./blink.js";
import { createChoices } from "./choices.js";
import { createSpace, listenToKeys, listenToPointer } from "./hands.js";
import { createLook } from "./look.js";
import { createPanes } from "./panes.js";
import { createPictures } from "./pictures.js";

const MODES = { slider: "Slider", side: "Side by side", blink: "Blink", heat: "Heat map" };
const SIDES = {
  result: ["Result", "What is kept: outside the mask, the photo as it was"],
  raw: ["Raw answer", "What the model sent"],
};

// How to compare, and in another row how close, and which of two pictures.
function createBar(model, look, play) {
  const modes = createChoices("ttapi-choice", "How to compare", (mode) => choose(model, "mode", mode));
  for (const [mode, text] of Object.entries(MODES)) modes.add(mode, make("span", { textContent: text }));
  const sides = createChoices("ttapi-choice", "What to show", (side) => choose(model, "raw", side === "raw"));
  for (const [side, [text, title]] of Object.entries(SIDES)) {
    sides.add(side, make("span", { textContent: text })).title = title;
  }
  const scale = makeButton("100%", "The whole picture (key 0)", () => look.zoom(0));
  const zoom = make("div", { className: "ttapi-zoom" },
    makeButton("−", "Zoom out (key −)", () => look.zoom(1 / 1.5)), scale,
    makeButton("+", "Zoom in (key +, or Ctrl and the wheel)", () => look.zoom(1.5)));
  look.whenSeen(() => {
    scale.textContent = `${Math.round(100 * look.now().lens.zoom)}%`;
    // A name begins with what is written.
    scale.setAttribute("aria-label", `${scale.textContent}: the whole picture (key 0)`);
  });
  return {
    ways: make("div", { className: "ttapi-bar" }, modes.row, play),
    looks: make("div", { className: "ttapi-bar" }, zoom, sides.row),
    draw(mode, raw, item) {
      modes.check(mode);
      sides.check(raw ? "raw" : "result");
      modes.refuse("heat", item?.no_heat ?? "");
      sides.row.hidden = !item?.has_raw;
      for (const side of Object.keys(SIDES)) sides.disable(side, mode === "heat");
      play.hidden = mode !== "blink";
    },
  };
}

// The results to choose from, where there are several.
function createStrip(model, pictures) {
  const strip = createChoices("ttapi-strip", "Results", (at) => choose(model, "index", at));
  return {
    row: strip.row,
    check: strip.check,
    fill({ items }) {
      strip.row.replaceChildren();
      strip.row.hidden = items.length < 2;
      if (items.length < 2) return;
      items.forEach(({ alt }, at) => {
        const image = make("img", { src: pictures.thumb(at + 1), alt, draggable: false });
        strip.add(at, image, make("span", { textContent: at + 1 }));
      });
    },
    drawStars() {
      const starred = model.get("starred");
      const labels = strip.row.querySelectorAll("label");
      labels.forEach((label, at) => label.classList.toggle("ttapi-starred", starred.includes(at)));
    },
  };
}

// Builds it into `el`; `stop` lets go of all that it listens to.
export function createCompare(model, el) {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const look = createLook();
  const pictures = createPictures(model);
  const panes = createPanes();
  const blink = createBlink(look);
  const bar = createBar(model, look, blink.play);
  const strip = createStrip(model, pictures);
  const space = createSpace(model, look, blink);
  el.classList.add("ttapi-compare");
  el.append(panes.view, strip.row);

  const itemNow = () => model.get("shown").items[model.get("index")];
  const drawPictures = () => {
    const [index, item] = [model.get("index"), itemNow()];
    if (!item) return;
    const answer = model.get("raw") ? "raw" : "result";
    const kind = model.get("mode") === "heat" ? "heat" : answer;
    const urls = { before: pictures.url("before", 0), after: pictures.url(`${kind} ${index}`, index + 1) };
    panes.show(kind, urls, item.alt);
  };
  const drawMode = () => {
    const mode = model.get("mode");
    panes.setMode(mode);
    bar.draw(mode, model.get("raw"), itemNow());
    strip.check(model.get("index"));
    blink.run(mode === "blink" && !still.matches);
    drawPictures();
    look.hold(false);
  };
  const drawRun = () => {
    const shown = model.get("shown");
    pictures.begin(shown);
    strip.fill(shown);
    el.style.setProperty("--ttapi-aspect", shown.size[0] / shown.size[1]);
    look.reset();
    drawMode();
    strip.drawStars();
  };
  const receive = (message, buffers) => {
    if (pictures.receive(message, buffers)) drawPictures();
  };
  look.whenSeen(() => panes.draw(model.get("mode"), look.now()));
  listenToPointer(panes, model, look, blink, space);
  const dropKeys = listenToKeys(el, panes, model, look, space);
  const dropEvents = listen([
    [model, "change:shown", drawRun], [model, "change:mode change:raw change:index", drawMode],
    [model, "change:starred", strip.drawStars], [model, "msg:custom", receive],
  ]);
  drawRun();
  return {
    ways: bar.ways,
    looks: bar.looks,
    stop() {
      blink.run(false);
      pictures.forget();
      dropKeys();
      dropEvents();
    },
  };
}
