// The row under the photo: how close it is seen, how much is masked, and the full screen.

import { make, makeButton } from "../basics.js";
import { makeIcon } from "./icons.js";

function makeIconButton(icon, label, act) {
  return make("button", { type: "button", "aria-label": label, title: label, onclick: act }, makeIcon(icon));
}

// The mask is hidden while this button is held, by a pointer or by its own keys.
function makeHider(hide) {
  const hider = makeIconButton("hide", "Hide the mask while held", null);
  const hold = (hidden) => (event) => {
    if (!event.key || event.key === " " || event.key === "Enter") hide(hidden);
  };
  for (const type of ["pointerdown", "keydown"]) hider.addEventListener(type, hold(true));
  for (const type of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) {
    hider.addEventListener(type, hold(false));
  }
  // The photo keeps the keyboard: losing it would show the mask again.
  hider.addEventListener("mousedown", (event) => event.preventDefault());
  return hider;
}

// All of the editor, or of the drawer where that stands by itself. Some front ends have no full screen.
function makeFull(el, sheet) {
  const label = "Full screen";
  const full = makeIconButton("full", label, () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else {
      const whole = el.closest(".ttapi-editor") ?? el.closest(".ttapi-drawer") ?? el;
      whole.requestFullscreen().then(() => sheet.focus(), () => { full.hidden = true; });
    }
  });
  full.hidden = !document.fullscreenEnabled;
  return full;
}

export function createFoot(el, { sheet, help }, model, view, hide, looks) {
  const keys = makeIconButton("keys", "Show the keys", () => {
    help.hidden = !help.hidden;
    keys.setAttribute("aria-expanded", String(!help.hidden));
  });
  keys.setAttribute("aria-expanded", "false");
  const masked = make("span", { className: "ttapi-masked" });
  const words = make("span", { className: "ttapi-hint" });
  const editing = make("div", { className: "ttapi-view-bar" },
    makeButton("−", "Zoom out", () => view.zoomMiddle(0.8)),
    makeButton("Fit", "Fit: show the whole photo", () => view.zoomMiddle(0)),
    makeButton("+", "Zoom in", () => view.zoomMiddle(1.25)),
    makeHider(hide));
  return {
    row: make("div", { className: "ttapi-foot" }, editing, looks, masked, words, keys, makeFull(el, sheet)),
    show() {
      const share = model.get("share");
      const percent = share > 0 && share < 0.01 ? "under 1" : Math.round(100 * share);
      masked.textContent = model.get("can").includes("clear") ? `Mask ${percent} %` : "";
      words.textContent = model.get("hint");
      editing.hidden = model.get("side") === "result";
    },
  };
}
