// The painter's keys.

import { choose } from "../basics.js";
import { takeKeys } from "../keys.js";
import { TOOLS } from "./tools.js";

const STEP = 0.15; // of its size, which a brush gains with ]

const TOOL_KEYS = Object.fromEntries(Object.entries(TOOLS).map(([name, { key }]) => [key, name]));
const TOOL_HELP = Object.values(TOOLS).map(({ key, label, aside }) =>
  `${key.toUpperCase()} ${label.toLowerCase()}${aside ? ` · ${aside}` : ""}`);

export const HELP = [
  ...TOOL_HELP, "Shift straight", "Alt or right button erases", "Ctrl+Z, Ctrl+Shift+Z", "Ctrl+wheel, + and − zoom",
  "Space or middle button drags", "0 fits", "H hides the mask while held", "Esc lets go",
].join(" · ");

// What Ctrl or Cmd and a key ask of the drawer; the others, like Ctrl+S, are the notebook's.
function commandOf(event) {
  const name = event.key.toLowerCase();
  if (name === "y") return "redo";
  return name === "z" ? (event.shiftKey ? "redo" : "undo") : undefined;
}

function nextSize(model, sign) {
  const size = model.get("brush_size");
  const step = Math.max(1, Math.round(size * STEP));
  return Math.min(model.get("largest"), Math.max(1, size + sign * step));
}

// Where letters are typed, or keys choose.
function typesIn({ tagName, type }) {
  return tagName === "SELECT" || tagName === "TEXTAREA"
    || (tagName === "INPUT" && !["checkbox", "range", "radio", "color", "button"].includes(type));
}

// `parts` are the sheet, the rail, the pop-overs and the side of the results, which all have keys of their own.
export function listenToShortcuts(el, { sheet, rail, popovers, result, selecting }, model, view, sketch, { hide, holdSpace }) {
  const zoom = (factor) => () => view.zoomMiddle(factor);
  const resize = (sign) => () => choose(model, "brush_size", nextSize(model, sign));
  const choosing = (name) => () => {
    choose(model, "tool", name);
    // Turned first: what is hidden takes no focus.
    result.turnToEdit();
    if (!sheet.contains(document.activeElement)) sheet.focus({ preventScroll: true });
  };
  const swap = () => choosing(model.get("tool") === "eraser" ? "brush" : "eraser")();
  const anywhere = { x: swap, ...Object.fromEntries(Object.entries(TOOL_KEYS).map(([key, name]) => [key, choosing(name)])) };
  const onSheet = {
    "[": resize(-1), "]": resize(1), "0": zoom(0), "+": zoom(1.25), "=": zoom(1.25), "-": zoom(0.8),
    h: () => hide(true), " ": () => holdSpace(true), enter: sketch.close, backspace: sketch.takeCornerBack,
  };
  const letGo = () => {
    if (popovers.shown()) popovers.close();
    else if (sketch.open()) sketch.letGo();
    else document.activeElement.blur();
  };
  const actionOf = (event) => {
    const name = event.key.toLowerCase();
    if (!event.ctrlKey && !event.metaKey && selecting.actionOf(event)) return selecting.actionOf(event);
    if (event.ctrlKey || event.metaKey) {
      const action = !typesIn(event.target) && commandOf(event);
      return action ? () => model.send({ type: "key", action }) : undefined;
    }
    if (name === "escape") return letGo;
    if (event.altKey || typesIn(event.target)) return null;
    if (rail.moves(event)) return () => rail.move(event.key);
    if (anywhere[name]) return anywhere[name];
    if (result.place.contains(event.target)) return undefined;
    return sheet.contains(event.target) ? onSheet[name] ?? (() => {}) : null;
  };
  const released = (event) => {
    if (event.key?.toLowerCase() === "h") hide(false);
    if (event.key === " ") holdSpace(false);
  };
  sheet.addEventListener("blur", () => {
    hide(false);
    holdSpace(false);
  });
  const inside = (event) => el.contains(document.activeElement) && el.contains(event.target);
  return takeKeys({ inside, actionOf, released });
}
