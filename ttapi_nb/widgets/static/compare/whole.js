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

// Builds it into `el`; `stop` lets go of all that it listens to.
export function createCompare(model, el) {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const look = createLook();
  const pictures = createPictures(model);
  const panes = createPanes();
  const blink = createBlink(look);
  const bar = createBar(model, look, blink.play);
  const space = createSpace(model, look, blink);
  el.classList.add("ttapi-compare");
  el.append(panes.view);

  const drawPictures = () => {
    const { item, before, thumbs } = model.get("shown");
    if (!item) return;
    const kind = model.get("mode") === "heat" ? "heat" : model.get("raw") ? "raw" : "result";
    panes.show(kind, { ...before, url: pictures.url(before.name, 0) },
      { ...item, url: pictures.url(`${kind} ${item.key}`, thumbs.length - 1) });
  };
  const drawMode = () => {
    const mode = model.get("mode");
    panes.setMode(mode);
    bar.draw(mode, model.get("raw"), model.get("shown").item);
    blink.run(mode === "blink" && !still.matches);
    drawPictures();
    look.hold(false);
  };
  let sized = ""; // while the photo is as large, the same part of it is looked at
  const drawPair = () => {
    const { size, thumbs } = model.get("shown");
    pictures.begin(thumbs);
    el.style.setProperty("--ttapi-aspect", size[0] / size[1]);
    if (sized !== `${size}`) look.reset();
    sized = `${size}`;
    drawMode();
  };
  const receive = (message, buffers) => {
    if (pictures.receive(message, buffers)) drawPictures();
  };
  look.whenSeen(() => panes.draw(model.get("mode"), look.now()));
  listenToPointer(panes, model, look, blink, space);
  const dropKeys = listenToKeys(el, panes, model, look, space);
  const dropEvents = listen([
    [model, "change:shown", drawPair], [model, "change:mode change:raw", drawMode], [model, "msg:custom", receive],
  ]);
  drawPair();
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
