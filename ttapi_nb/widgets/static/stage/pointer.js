// What mouse, pen and fingers do on the photo: paint, drag it, or zoom with two fingers or the wheel.

import { PAINTING_BUTTONS } from "./sketch.js";

function spread(fingers) {
  const [[x0, y0], [x1, y1]] = fingers.values();
  return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, size: Math.max(1, Math.hypot(x1 - x0, y1 - y0)) };
}

// Neither the browser's menu nor the notebook's: the right button erases.
function refuseMenu(event) {
  event.preventDefault();
  event.stopPropagation();
}

export function createPointer({ sheet, over }, view, sketch, ring, mayPaint) {
  const fingers = new Map();
  let grabbed = null; // where the photo is held to be dragged
  let pinched = null; // where two fingers were, and how far apart
  let space = false;

  const finish = (event) => {
    fingers.delete(event.pointerId);
    if (fingers.size < 2) pinched = null;
    grabbed = null;
    if (sketch.release(event)) ring.show();
  };
  const press = (event) => {
    sheet.focus({ preventScroll: true });
    if (!mayPaint()) return;
    over.setPointerCapture(event.pointerId);
    if (event.pointerType === "touch") fingers.set(event.pointerId, view.onSheet(event));
    if (fingers.size === 2) {
      if (sketch.drawing()) sketch.abandon();
      pinched = spread(fingers);
    }
    if (event.button === 1 || space) {
      event.preventDefault();
      grabbed = view.onSheet(event);
    }
    if (grabbed || pinched || !event.isPrimary || !PAINTING_BUTTONS.includes(event.button)) return;
    sketch.press(event);
    if (sketch.atOnce()) finish(event);
  };
  const pinch = () => {
    const now = spread(fingers);
    view.zoomAt([now.x, now.y], now.size / pinched.size);
    view.pan(now.x - pinched.x, now.y - pinched.y);
    pinched = now;
  };
  const move = (event) => {
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, view.onSheet(event));
      ring.show();
    } else ring.moveTo(view.onSheet(event));
    if (pinched && fingers.size === 2) pinch();
    else if (grabbed) {
      const [x, y] = view.onSheet(event);
      view.pan(x - grabbed[0], y - grabbed[1]);
      grabbed = [x, y];
    } else sketch.move(event);
  };
  const wheel = (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    view.zoomAt(view.onSheet(event), Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)));
  };
  const listeners = {
    pointerdown: press, pointermove: move, pointerup: finish, lostpointercapture: finish,
    pointerleave: () => ring.moveTo(null), contextmenu: refuseMenu, dblclick: sketch.close,
  };
  for (const [type, listener] of Object.entries(listeners)) over.addEventListener(type, listener);
  sheet.addEventListener("wheel", wheel, { passive: false });
  return {
    press,
    holdSpace(held) {
      space = held;
      sheet.classList.toggle("ttapi-grab", held);
    },
  };
}
