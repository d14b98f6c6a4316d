// The ring that shows how wide the brush is.

import { brushRadius } from "./sketch.js";
import { TOOLS } from "./tools.js";

export function createRing({ ring }, model, view, sketch) {
  let pointer = null; // the last place of a mouse or pen
  let size = 0;
  let frame = 0;

  const move = () => {
    frame = 0;
    // Not while a stroke shows its width itself: moving the ring holds up the ink.
    ring.hidden = !pointer || sketch.drawing() || !model.get("ready") || !TOOLS[model.get("tool")].sized;
    if (ring.hidden) return;
    const wanted = 2 * brushRadius(model) * view.lens().scale;
    if (wanted !== size) ring.style.width = ring.style.height = `${wanted}px`;
    size = wanted;
    ring.style.transform = `translate(${pointer[0] - size / 2}px, ${pointer[1] - size / 2}px)`;
  };
  const show = () => {
    if (!ring.hidden || !sketch.drawing()) frame ||= requestAnimationFrame(move);
  };
  return {
    show,
    moveTo(place) {
      pointer = place;
      show();
    },
    stop() {
      cancelAnimationFrame(frame);
    },
  };
}
