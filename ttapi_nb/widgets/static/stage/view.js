// The photo as it lies in its sheet: the lens's numbers carried to the page, and pointers carried back to pixels.

import { WHOLE, boxOver, fitted, moved, pointUnder, zoomed } from "../lens.js";

const CLOSEST = 40; // pixels of the screen that a pixel of the photo may fill

export function createView({ sheet, paper, over }) {
  const watchers = [];
  let lens = WHOLE;
  let spare = null; // pixels of the photo kept free around it, while it is extended
  let box = null; // where the sheet is: asked once a frame, since asking makes the browser lay out the page

  const layout = () => {
    const room = [sheet.clientWidth, sheet.clientHeight];
    if (!room[0] || !room[1]) return;
    lens = fitted(lens, room, [over.width, over.height], spare ?? undefined);
    // Wide and high, not scaled: two canvases that are scaled together are drawn anew for each frame, 3 ms without a GPU.
    Object.assign(paper.style, {
      transform: `translate(${lens.x}px, ${lens.y}px)`,
      width: `${over.width * lens.scale}px`, height: `${over.height * lens.scale}px`,
    });
    paper.style.setProperty("--ttapi-scale", lens.scale);
    paper.classList.toggle("ttapi-close", lens.scale > 3);
    for (const watcher of watchers) watcher();
  };
  const onSheet = (event) => {
    if (!box) {
      box = sheet.getBoundingClientRect();
      requestAnimationFrame(() => { box = null; });
    }
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const zoomAt = (point, factor) => {
    lens = zoomed(lens, point, factor, CLOSEST);
    layout();
  };
  return {
    layout,
    onSheet,
    zoomAt,
    lens: () => lens,
    whenSeen: (watcher) => watchers.push(watcher),
    place: (event) => pointUnder(lens, onSheet(event)),
    // 0 shows all of it.
    zoomMiddle: (factor) => zoomAt([sheet.clientWidth / 2, sheet.clientHeight / 2], factor),
    pan(right, down) {
      lens = moved(lens, right, down);
      layout();
    },
    reset() {
      lens = WHOLE;
    },
    keepFree(wanted) {
      spare = wanted;
      if (spare) lens = { ...lens, zoom: 1 };
      layout();
    },
    // Lays an element of the sheet over a box of the photo, or its corner on a point.
    putOver(element, photoBox) {
      const { left, top, width, height } = boxOver(lens, photoBox);
      Object.assign(element.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    },
    putAt(element, [x, y]) {
      const { left, top } = boxOver(lens, [x, y, x, y]);
      Object.assign(element.style, { left: `${left}px`, top: `${top}px` });
    },
  };
}
