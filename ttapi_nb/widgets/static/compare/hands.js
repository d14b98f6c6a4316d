// What pointer and keys do to the pictures: slide the line, zoom, drag, or hold the photo before in sight.

import { takeKeys } from "../keys.js";

const ZOOMS = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, 0: 0 };
const SLIDES = {
  ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1,
};
const PANS = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };

// Space is held to drag the pictures where a drag would move the line, and to see the photo before while they blink.
export function createSpace(model, look, blink) {
  let space = false;
  const blinking = () => model.get("mode") === "blink";
  return {
    held: () => space,
    press(again) {
      space = true;
      if (!blinking() || again) return;
      blink.run(false);
      look.hold(true);
    },
    release() {
      if (!space) return;
      space = false;
      if (blinking()) look.hold(false);
    },
  };
}

export function listenToPointer({ view, handle, boxOf }, model, look, blink, space) {
  let drag = null;
  const move = (event) => {
    if (!drag || !event.isPrimary) return;
    const { box, slides, x, y } = drag;
    if (slides) look.slideTo((event.clientX - box.left) / box.width);
    else look.pan((event.clientX - x) / box.width, (event.clientY - y) / box.height);
    [drag.x, drag.y] = [event.clientX, event.clientY];
  };
  const press = (event) => {
    if (!event.isPrimary || ![0, 1].includes(event.button)) return;
    event.preventDefault();
    const mode = model.get("mode");
    (mode === "slider" ? handle : view).focus({ preventScroll: true });
    view.setPointerCapture(event.pointerId);
    const slides = mode === "slider" && !space.held() && event.button === 0;
    drag = { slides, x: event.clientX, y: event.clientY, box: boxOf(event) };
    if (mode === "blink") {
      blink.run(false);
      look.hold(true);
    }
    move(event);
  };
  const release = () => {
    if (drag && model.get("mode") === "blink") look.hold(false);
    drag = null;
  };
  const wheel = (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const box = boxOf(event);
    const point = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    look.zoom(Math.exp(-Math.min(100, Math.max(-100, event.deltaY)) / 300), point);
  };
  // A key that is released elsewhere is never seen to be.
  const listeners = {
    pointerdown: press, pointermove: move, pointerup: release, lostpointercapture: release, focusout: space.release,
  };
  for (const [type, listener] of Object.entries(listeners)) view.addEventListener(type, listener);
  view.addEventListener("wheel", wheel, { passive: false });
}

export function listenToKeys(el, { view }, model, look, space) {
  const actionOf = (event) => {
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || key === "Escape") return undefined;
    if (key in ZOOMS) return () => look.zoom(ZOOMS[key]);
    if (!view.contains(event.target)) return null;
    if (key === " ") return () => space.press(event.repeat);
    if (model.get("mode") === "slider") {
      return key in SLIDES ? () => look.slide(SLIDES[key] * (event.shiftKey ? 10 : 1)) : null;
    }
    return key in PANS ? () => look.pan(...PANS[key]) : null;
  };
  const released = (event) => {
    if (event.key === " ") space.release();
  };
  return takeKeys({ inside: (event) => el.contains(event.target), actionOf, released });
}
