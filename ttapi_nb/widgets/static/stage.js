// The stage: a photo with ink over it, the rail of tools beside it, and on its other side the results. A mark is painted
// at once, without a round trip to the kernel. Photo and ink are copied from two ipycanvas canvases, not embedded: of
// ipycanvas's inside only `canvas` and `new-frame` are leaned on, and where its script can't be had the stage has
// canvases of its own. Coordinates are pixels of the copies. This file only puts the parts together, each of which has
// one job.

import { listen, make } from "./basics.js";
import { keepAll, unpacked } from "./keeping.js";
import { createFoot } from "./stage/foot.js";
import { createCorners } from "./stage/corners.js";
import { createEdges } from "./stage/edges.js";
import { makeForms } from "./stage/forms.js";
import { createInk, previewOf } from "./stage/ink.js";
import { createMargins } from "./stage/margins.js";
import { createOptions } from "./stage/options.js";
import { createOutbox } from "./stage/outbox.js";
import { ownCanvases } from "./stage/own.js";
import { createPointer } from "./stage/pointer.js";
import { createPopovers } from "./stage/popovers.js";
import { createProgress } from "./stage/progress.js";
import { createRail } from "./stage/rail.js";
import { createResultSide } from "./stage/result.js";
import { createRing } from "./stage/ring.js";
import { HELP, listenToShortcuts } from "./stage/shortcuts.js";
import { createSelecting } from "./stage/selecting.js";
import { createSketch } from "./stage/sketch.js";
import { watchSurroundings } from "./stage/surroundings.js";
import { createView } from "./stage/view.js";

const GONE = "The kernel is gone. Run this cell again to go on painting.";
const PATIENCE = 3_000; // milliseconds to wait for ipycanvas, where the page may not have it

async function canvasModel(model, name) {
  const late = new Promise((_, fail) => { setTimeout(fail, PATIENCE, new Error("ipycanvas does not come")); });
  const found = await Promise.race([model.widget_manager.get_model(unpacked(model.get(name))), late]);
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
    still: box("ttapi-still", { hidden: true }),
    over: canvas("ttapi-ink"),
    edges: canvas("ttapi-edges"),
    ring: box("ttapi-ring", { hidden: true }),
    frame: box("ttapi-frame", { hidden: true, title: "This part is sent to the model" }),
    room: box("ttapi-room", { hidden: true }),
    gone: box("ttapi-gone", { hidden: true, textContent: GONE, role: "alert" }),
    problem: box("ttapi-problem", { role: "alert" }),
    help: box("ttapi-keys", { hidden: true, textContent: HELP }),
  };
  parts.paper.append(parts.under, parts.still, parts.over);
  parts.sheet.append(parts.room, parts.paper, parts.frame, parts.edges, parts.ring);
  return parts;
}

// Where the parts stand: the rail, and beside it a head, the photo or the results, and a foot.
function putTogether(el, { sheet, gone, problem, help }, { rail, options, result, popovers, progress, bar }) {
  const head = make("div", { className: "ttapi-head" }, result.sides, options.row, result.ways);
  const middle = make("div", { className: "ttapi-middle" },
    sheet, result.place, progress.line, ...popovers.boxes, problem, help, gone);
  el.append(rail.rail, head, middle, bar.row);
}

// What follows the model: which parts show which of its values.
function follow(model, el, { sheet, over, problem }, { rail, options, result, bar, progress, ink, edges, popovers }) {
  const restyle = () => {
    sheet.classList.toggle("ttapi-outlined", model.get("show") === "edges");
    over.style.opacity = model.get("opacity");
    ink.show();
    edges.start();
  };
  const turn = () => {
    result.show();
    bar.show();
    options.row.hidden = result.shown();
    el.classList.toggle("ttapi-turned", result.shown());
    if (result.shown()) popovers.close();
  };
  const complain = () => { problem.textContent = model.get("problem"); };
  const extending = () => {
    if (!model.get("extending") && popovers.shown() === "extend") popovers.close();
  };
  for (const show of [restyle, turn, complain, rail.show, options.show, progress.show, progress.showDraft]) show();
  return listen([
    [model, "change:opacity change:tint change:show", restyle], [model, "change:side", turn],
    [model, "change:problem", complain], [model, "change:extending", extending],
    [model, "change:tool change:can change:selecting", rail.show], [model, "change:can change:share change:hint", bar.show],
    [model, "change:tool change:brush_size change:largest change:tolerance change:pressure change:selecting", options.show],
    [model, "change:progress", progress.show], [model, "change:partial", progress.showDraft], [model, "change:results", result.build],
  ]);
}

// Brings the editor into sight when the kernel asks for that.
function comer(el, sheet) {
  return ({ type }) => {
    if (type !== "come") return;
    (el.closest(".ttapi-editor") ?? el).scrollIntoView({ block: "start" });
    sheet.focus({ preventScroll: true });
  };
}

function build(model, el, canvases) {
  const parts = makeParts();
  const { sheet, over, gone } = parts;
  const view = createView(parts);
  const edges = createEdges(parts, model, view);
  const ink = createInk(parts, canvases, model, edges);
  const margins = createMargins(parts, model, view);
  const outbox = createOutbox(model);
  const corners = createCorners(sheet, view);
  const sketch = createSketch(model, view, ink, outbox, corners);
  const ring = createRing(parts, model, view, sketch);
  const result = createResultSide(model);
  const forms = makeForms(model);
  const popovers = createPopovers(forms);
  const openers = forms.map(({ name, label, hint }) => ({ name, label, hint, open: () => popovers.toggle(name) }));
  const rail = createRail(model, openers, result.turnToEdit);
  popovers.openBy(rail.opened);
  popovers.whenOpened(result.turnToEdit);
  const options = createOptions(model);
  const progress = createProgress(parts, model);
  // The stage's own layout tells whether there is a kernel, whatever draws photo and ink.
  const layout = model.get("layout");
  const alive = () => {
    gone.hidden = layout?.comm_live !== false;
    return gone.hidden;
  };
  const mayPaint = () => model.get("ready") && !margins.extending() && alive();
  const pointer = createPointer(parts, view, sketch, ring, mayPaint);
  const selecting = createSelecting(parts, model, view, outbox, mayPaint);
  // A stroke over a map of what changed is a stroke on the photo under it.
  result.whenPressed(pointer.press);
  const hide = (hidden) => sheet.classList.toggle("ttapi-hidden-mask", hidden);
  const bar = createFoot(el, parts, model, view, hide, result.looks);
  const dropKeys = listenToShortcuts(
    el, { sheet, rail, popovers, result, selecting }, model, view, sketch, { hide, holdSpace: pointer.holdSpace });
  const shownParts = { rail, options, result, popovers, progress, bar, ink, edges };
  putTogether(el, parts, shownParts);
  const dropSurroundings = watchSurroundings(el, outbox);

  const fit = () => {
    ink.resize(canvases.photo.get("width"), canvases.photo.get("height"));
    sheet.style.setProperty("--ttapi-aspect", over.width / over.height);
    outbox.forget();
    sketch.forget();
    selecting.letGo();
    view.reset();
    margins.makeRoom();
  };
  const resize = () => {
    fit();
    ink.showPhoto();
  };
  const dropEvents = listen([
    [canvases.photo, "new-frame", ink.kernelDrewPhoto], [canvases.ink, "new-frame", ink.kernelDrew],
    [canvases.photo, "change:width change:height", resize],
    [model, "change:preview", ink.takePreview], [model, "change:tool", sketch.letGo], [model, "change:brush_size change:scale change:pressure", sketch.renew],
    [model, "change:extending", margins.makeRoom], [model, "change:frame", margins.show],
    [model, "change:margins", margins.changed],
    [model, "change:brush_size change:ready change:scale change:tool", ring.show],
    [model, "msg:custom", outbox.receive], [model, "msg:custom", selecting.receive], [model, "msg:custom", comer(el, sheet)],
    [model, "change:tool change:selecting", selecting.show],
  ]);
  layout?.on?.("comm_live_update", alive);
  const watch = new ResizeObserver(view.layout);
  watch.observe(sheet);
  fit();
  ink.takePreview();
  const dropFollowers = follow(model, el, parts, shownParts);
  return () => {
    watch.disconnect();
    layout?.off?.("comm_live_update", alive);
    for (const drop of [dropKeys, dropEvents, dropFollowers, dropSurroundings]) drop();
    for (const part of [outbox, ink, edges, ring, progress, result, ...forms]) part.stop?.();
    canvases.stop?.();
  };
}

async function render({ model, el }) {
  keepAll(model.widget_manager, model.get("around")).catch(console.warn);
  let canvases;
  try {
    canvases = { photo: await canvasModel(model, "photo"), ink: await canvasModel(model, "ink") };
  } catch (error) {
    console.warn(`The stage paints on canvases of its own: ${error}`);
    canvases = ownCanvases(model);
  }
  el.classList.add("ttapi-stage-view");
  return build(model, el, canvases);
}

function initialize({ model }) {
  const look = () => { previewOf(model); };
  model.on("change:preview", look);
  look();
  return () => model.off("change:preview", look);
}

export default { initialize, render };
