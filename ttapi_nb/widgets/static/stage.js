// Shows two ipycanvas canvases, the photo and the ink over it, and paints a mark at once, without a round trip to the
// kernel. Both canvases are copied, not embedded: of ipycanvas's inside only `canvas` and `new-frame` are leaned on.
// Coordinates are pixels of the copies. This file only puts the parts together, each of which has one job.

import { fillBar } from "./stage/bar.js";
import { listen, make } from "./basics.js";
import { createEdges } from "./stage/edges.js";
import { createInk } from "./stage/ink.js";
import { createMargins } from "./stage/margins.js";
import { createOutbox } from "./stage/outbox.js";
import { createPointer } from "./stage/pointer.js";
import { createRing } from "./stage/ring.js";
import { HELP, listenToShortcuts } from "./stage/shortcuts.js";
import { createSketch } from "./stage/sketch.js";
import { createView } from "./stage/view.js";

const GONE = "The kernel is gone. Run this cell again to go on painting.";

async function canvasModel(model, name) {
  const found = await model.widget_manager.get_model(model.get(name).slice("IPY_MODEL_".length));
  if (typeof found?.canvas?.getContext !== "function") throw new Error(`ipycanvas shows no canvas for ${name}`);
  return found;
}

function makeParts() {
  const box = (className, rest) => make("div", { className, ...rest });
  const canvas = (className) => make("canvas", { className });
  const parts = {
    sheet: box("ttapi-sheet", { tabIndex: 0, role: "application", "aria-label": "Photo to paint a mask on" }),
    paper: box("ttapi-paper"),
    under: canvas("ttapi-photo"),
    over: canvas("ttapi-ink"),
    edges: canvas("ttapi-edges"),
    ring: box("ttapi-ring", { hidden: true }),
    frame: box("ttapi-frame", { hidden: true, title: "This part is sent to the model" }),
    room: box("ttapi-room", { hidden: true }),
    gone: box("ttapi-gone", { hidden: true, textContent: GONE, role: "alert" }),
    bar: box("ttapi-view-bar"),
    help: box("ttapi-keys", { hidden: true, textContent: HELP }),
  };
  parts.paper.append(parts.under, parts.over);
  parts.sheet.append(parts.room, parts.paper, parts.frame, parts.edges, parts.ring, parts.gone);
  return parts;
}

function build(model, el, { photo, ink: kernelInk }) {
  const parts = makeParts();
  const { sheet, over, gone } = parts;
  const view = createView(parts);
  const edges = createEdges(parts, model, view);
  const ink = createInk(parts, { photo, ink: kernelInk }, model, view, edges);
  const margins = createMargins(parts, model, view);
  const outbox = createOutbox(model);
  const sketch = createSketch(model, view, ink, outbox);
  const ring = createRing(parts, model, view, sketch);
  const alive = () => {
    gone.hidden = photo.comm_live !== false;
    return gone.hidden;
  };
  const mayPaint = () => model.get("ready") && !margins.extending() && alive();
  const pointer = createPointer(parts, view, sketch, ring, mayPaint);
  const hide = (hidden) => sheet.classList.toggle("ttapi-hidden-mask", hidden);
  const dropKeys = listenToShortcuts(parts, model, view, sketch, { hide, holdSpace: pointer.holdSpace });
  fillBar(el, parts, view, hide);
  el.append(sheet, parts.bar, parts.help);

  const resize = () => {
    ink.resize(photo.get("width"), photo.get("height"));
    // As wide as its cell, but never so high that the tools are out of sight.
    sheet.style.aspectRatio = `${over.width} / ${over.height}`;
    sheet.style.width = `min(100%, ${(70 * over.width) / over.height}vh)`;
    outbox.forget();
    sketch.forget();
    view.reset();
    margins.makeRoom();
    ink.showPhoto();
    ink.show();
  };
  const restyle = () => {
    sheet.classList.toggle("ttapi-outlined", model.get("show") === "edges");
    over.style.opacity = model.get("opacity");
    ink.show();
    edges.start();
  };
  const dropEvents = listen([
    [photo, "new-frame", ink.showPhoto], [kernelInk, "new-frame", ink.kernelDrew],
    [photo, "change:width change:height", resize], [photo, "comm_live_update", alive],
    [model, "change:opacity change:tint change:show", restyle], [model, "change:tool", sketch.letGo],
    [model, "change:extending", margins.makeRoom], [model, "change:frame", margins.show],
    [model, "change:margins", margins.changed],
    [model, "change:brush_size change:ready change:scale change:tool", ring.show],
    [model, "msg:custom", outbox.receive],
  ]);
  const watch = new ResizeObserver(view.layout);
  watch.observe(sheet);
  resize();
  restyle();
  return () => {
    watch.disconnect();
    dropKeys();
    dropEvents();
    for (const part of [outbox, edges, ring]) part.stop();
  };
}

async function render({ model, el }) {
  let canvases;
  try {
    canvases = { photo: await canvasModel(model, "photo"), ink: await canvasModel(model, "ink") };
  } catch (error) {
    model.send({ type: "no_ink", reason: String(error) });
    return undefined;
  }
  el.classList.add("ttapi-stage-view");
  return build(model, el, canvases);
}

export default { render };
