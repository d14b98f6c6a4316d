// The painter's keys.

import { choose } from "../basics.js";
import { takeKeys } from "../keys.js";
import { TOOLS } from "./tools.js";

const STEP = 0.15; // of its size, which a brush gains with ]

const TOOL_KEYS = Object.fromEntries(Object.entries(TOOLS).map(([name, { key }]) => [key, name]));
const TOOL_HELP = Object.values(TOOLS).map(({ key, label, aside }) =>
  `${key.toUpperCase()} ${label}${aside ? ` · ${aside}` : ""}`);

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

export function listenToShortcuts({ sheet }, model, view, sketch, { hide, holdSpace }) {
  const zoom = (factor) => () => view.zoomMiddle(factor);
  const resize = (sign) => () => choose(model, "brush_size", nextSize(model, sign));
  const chosen = (name) => () => choose(model, "tool", name);
  const plain = {
    "[": resize(-1), "]": resize(1), "0": zoom(0), "+": zoom(1.25), "=": zoom(1.25), "-": zoom(0.8),
    h: () => hide(true), " ": () => holdSpace(true), enter: sketch.close, backspace: sketch.takeCornerBack,
    x: () => choose(model, "tool", model.get("tool") === "eraser" ? "brush" : "eraser"),
    ...Object.fromEntries(Object.entries(TOOL_KEYS).map(([key, name]) => [key, chosen(name)])),
  };
  const letGo = () => {
    if (sketch.open()) sketch.letGo();
    else sheet.blur();
  };
  const actionOf = (event) => {
    const name = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      const action = commandOf(event);
      return action && (() => model.send({ type: "key", action }));
    }
    if (name === "escape") return letGo;
    return (!event.altKey && plain[name]) || (() => {});
  };
  const released = (event) => {
    if (event.key?.toLowerCase() === "h") hide(false);
    if (event.key === " ") holdSpace(false);
  };
  sheet.addEventListener("blur", () => {
    hide(false);
    holdSpace(false);
  });
  const inside = (event) => sheet.contains(document.activeElement) && sheet.contains(event.target);
  return takeKeys({ inside, actionOf, released });
}
