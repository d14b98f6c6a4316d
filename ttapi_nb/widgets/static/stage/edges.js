// The mask as an outline: its edge at the screen's own resolution, in stripes that march along it.

import { make } from "../basics.js";

const STEP_MS = 80;

function makeStripes() {
  const stripes = make("canvas", { width: 8, height: 8 });
  const context = stripes.getContext("2d");
  for (let y = 0; y < 8; y += 1) {
    for (let x = 0; x < 8; x += 1) {
      context.fillStyle = (x + 2 * y) % 8 < 4 ? "white" : "black";
      context.fillRect(x, y, 1, 1);
    }
  }
  return context.createPattern(stripes, "repeat");
}

export function createEdges({ sheet, edges, over }, model, view) {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const outline = document.createElement("canvas");
  const stripes = makeStripes();
  let stale = true; // whether they show an earlier mask
  let marching = 0;
  let marched = 0;

  const trace = () => {
    const { x, y, scale } = view.lens();
    const ratio = window.devicePixelRatio;
    edges.width = outline.width = Math.round(edges.clientWidth * ratio);
    edges.height = outline.height = Math.round(edges.clientHeight * ratio);
    const context = outline.getContext("2d");
    const draw = (right, down) => context.drawImage(
      over, (x + right) * ratio, (y + down) * ratio, over.width * scale * ratio, over.height * scale * ratio,
    );
    for (const right of [-1, 0, 1]) for (const down of [-1, 0, 1]) draw(right, down);
    context.globalCompositeOperation = "destination-out";
    draw(0, 0);
  };
  const show = (shift) => {
    const context = edges.getContext("2d");
    context.globalCompositeOperation = "copy";
    context.drawImage(outline, 0, 0);
    context.globalCompositeOperation = "source-in";
    stripes.setTransform(new DOMMatrix().translate(shift, 0));
    context.fillStyle = stripes;
    context.fillRect(0, 0, edges.width, edges.height);
  };
  const march = (time) => {
    marching = model.get("show") === "edges" && sheet.isConnected ? requestAnimationFrame(march) : 0;
    if (!stale && (time - marched < STEP_MS || still.matches)) return;
    if (stale) trace();
    stale = false;
    marched = time;
    show(still.matches ? 0 : Math.floor(time / STEP_MS) % 8);
  };
  const renew = () => { stale = true; };
  view.whenSeen(renew);
  return {
    renew,
    start() {
      if (!marching && model.get("show") === "edges") march(0);
    },
    stop() {
      cancelAnimationFrame(marching);
    },
  };
}
