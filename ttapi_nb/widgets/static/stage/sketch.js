// The mark that is being drawn, from the press that begins it to the outbox.

import { TOOLS } from "./tools.js";

const LEAST_PRESSURE = 0.1; // the finest line of a pen, as a part of the brush
const CLOSE = 10; // pixels of the screen around a polygon's first corner that close it
const PEN_ERASER = 5; // the button that the other end of a pen is

export const PAINTING_BUTTONS = [0, 2, PEN_ERASER];

export function brushRadius(model) {
  return Math.max(0.5, (model.get("brush_size") / 2) * model.get("scale"));
}

// Where an event is on the photo, and how wide the brush is there. The brush is looked at once and when it changes: a
// scribble makes a thousand points a second.
function pointMaker(model, view) {
  let radius = 1;
  let presses = false;
  return {
    renew() {
      radius = brushRadius(model);
      presses = model.get("pressure");
    },
    pointOf(event) {
      const [x, y] = view.place(event);
      const pressed = presses && event.pointerType === "pen" ? Math.max(LEAST_PRESSURE, event.pressure) : 1;
      return [x, y, radius * pressed];
    },
  };
}

// What a tool asks of a move.
function stepOf(event, pointOf) {
  const events = event.getCoalescedEvents?.() ?? [];
  return {
    end: () => pointOf(event),
    way: () => (events.length ? events.flatMap(pointOf) : pointOf(event)),
    straight: event.shiftKey,
  };
}

// Long, because one mark goes through all of it.
export function createSketch(model, view, ink, outbox, corners) {
  const { pointOf, renew } = pointMaker(model, view);
  let mark = null;

  const hand = () => {
    const done = mark;
    mark = null;
    done.hover = null;
    corners.hide();
    outbox.hand(done);
  };
  const abandon = () => {
    ink.drop(mark);
    mark = null;
    corners.hide();
    ink.show();
  };
  const closeCorners = () => {
    if (mark.points.length >= 9) {
      hand();
      ink.show();
    } else abandon();
  };
  const addCorner = (event) => {
    const [x, y] = view.place(event);
    const near = Math.hypot(x - mark.points[0], y - mark.points[1]) * view.lens().scale < CLOSE;
    if (near && mark.points.length >= 9) return closeCorners();
    mark.points.push(...pointOf(event));
    return corners.show(mark.points, mark.hover);
  };
  const begin = (event) => {
    const name = model.get("tool");
    const tool = TOOLS[name];
    const erase = Boolean(tool.erases) || event.button !== 0 || event.altKey;
    renew();
    mark = { tool: tool.mark ?? name, points: pointOf(event), erase, hover: tool.corners ? [] : null };
    ink.add(mark);
    if (tool.corners) corners.show(mark.points, []);
    else if (!tool.atOnce) ink.paint(mark);
  };
  const follow = (event) => {
    const from = TOOLS[mark.tool].follow(mark.points, stepOf(event, pointOf));
    if (from === undefined) ink.show();
    else ink.paint(mark, from);
  };
  const cornerKeys = {
    close() {
      if (mark?.hover) closeCorners();
    },
    letGo() {
      if (mark?.hover) abandon();
    },
    takeCornerBack() {
      if (!mark?.hover) return;
      mark.points.splice(-3);
      if (mark.points.length) corners.show(mark.points, mark.hover);
      else abandon();
    },
  };
  return {
    ...cornerKeys,
    abandon,
    renew,
    drawing: () => mark !== null,
    // Whether it is made corner by corner, and goes on after the button is released.
    open: () => Boolean(mark?.hover),
    atOnce: () => Boolean(mark && TOOLS[mark.tool].atOnce),
    press(event) {
      if (!mark) begin(event);
      else if (mark.hover) addCorner(event);
    },
    move(event) {
      if (mark?.hover) {
        mark.hover = pointOf(event);
        corners.show(mark.points, mark.hover);
      } else if (mark && event.isPrimary) follow(event);
    },
    // The button is released; whether that made a mark.
    release(event) {
      if (!mark || !event.isPrimary || mark.hover) return false;
      hand();
      return true;
    },
    forget() {
      mark = null;
      corners.hide();
    },
  };
}
