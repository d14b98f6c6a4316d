// The row under the photo.

import { makeButton } from "../basics.js";

// The mask is hidden while this button is held, by a pointer or by its own keys.
function makeHider(hide) {
  const hider = makeButton("Hide mask", "Hide the mask while held");
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

export function fillBar(el, { sheet, bar, help }, view, hide) {
  const keys = makeButton("Keys", "Show the keys", () => {
    help.hidden = !help.hidden;
    keys.setAttribute("aria-expanded", String(!help.hidden));
  });
  bar.append(
    makeButton("−", "Zoom out", () => view.zoomMiddle(0.8)),
    makeButton("Fit", "Show the whole photo", () => view.zoomMiddle(0)),
    makeButton("+", "Zoom in", () => view.zoomMiddle(1.25)),
    makeHider(hide),
    makeButton("Full screen", "Paint on the full screen", () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else (el.closest(".ttapi-drawer") ?? el).requestFullscreen().then(() => sheet.focus());
    }),
    keys,
  );
}
