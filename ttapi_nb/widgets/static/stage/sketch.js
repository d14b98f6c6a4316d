// The mark that is being drawn, from the press that begins it to the outbox.

import { TOOLS } from "./tools.js";

const LEAST_PRESSURE = 0.1; // the finest line of a pen, as a part of the brush
const CLOSE = 10; // pixels of the screen around a polygon's first corner that close it
const PEN_ERASER = 5; // the button that the other end of a pen is

export const PAINTING_BUTTONS = [0, 2, PEN_ERASER];

export function brushRadius(model) {
  return Math.max(0.5, (model.get("brush_size") / 2) * model.get("scale"));
}

// Where an event is on the photo, and how wide the brush is there.
function pointMaker(model, view) {
  return (event) => {
    const pressed = model.get("pressure") && event.pointerType === "pen" ? Math.max(LEAST_PRESSURE, event.pressure) : 1;
    return [...view.place(event), brushRadius(model) * pressed];
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

export function createSketch(model, view, ink, outbox) {
  const pointOf = pointMaker(model, view);
  let mark = null;

  const hand = () => {
    const done = mark;
    mark = null;
    done.hover = null;
    outbox.hand(done);
  };
  const abandon = () => {
    ink.drop(mark);
    mark = null;
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
    if (near && mark.points.length >= 9) closeCorners();
    else mark.points.push(...pointOf(event));
  };
  const begin = (event) => {
    const name = model.get("tool");
    const tool = TOOLS[name];
    const erase = Boolean(tool.erases) || event.button !== 0 || event.altKey;
    mark = { tool: tool.mark ?? name, points: pointOf(event), erase, hover: tool.corners ? [] : null };
    ink.add(mark);
    if (!tool.atOnce) ink.paint(mark);
  };
  const follow = (event) => {
    const from = TOOLS[mark.tool].follow(mark.points, stepOf(event, pointOf));
    if (from === undefined) ink.show();
    else ink.paint(mark, from);
  };
  return {
    abandon,
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
        ink.show();
      } else if (mark && event.isPrimary) follow(event);
    },
    // The button is released; whether that made a mark.
    release(event) {
      if (!mark || !event.isPrimary || mark.hover) return false;
      hand();
      return true;
    },
    close() {
      if (mark?.hover) closeCorners();
    },
    letGo() {
      if (mark?.hover) abandon();
    },
    takeCornerBack() {
      if (!mark?.hover) return;
      mark.points.splice(-3);
      if (mark.points.length) ink.show();
      else abandon();
    },
    forget() {
      mark = null;
    },
  };
}
