// What has to do with the page around the stage: names for screen readers, and the run key of an editor.

import { RUN_ASKED, runAround } from "../prompt_around.js";

// ipywidgets gives a slider's handle no name, and reads a button's icon as a letter.
function nameParts(root) {
  for (const slider of root.querySelectorAll(".widget-slider")) {
    const label = slider.querySelector(".widget-label")?.textContent;
    if (label) slider.querySelector(".noUi-handle")?.setAttribute("aria-label", label);
  }
  // Nor does it say whether a button that stays pressed is, or a fold open.
  for (const button of root.querySelectorAll(".widget-toggle-button")) {
    const state = button.classList.contains("ttapi-opener") ? "aria-expanded" : "aria-pressed";
    button.setAttribute(state, String(button.classList.contains("mod-active")));
  }
  for (const icon of root.querySelectorAll("button > i")) icon.setAttribute("aria-hidden", "true");
}

// What had the focus may be gone: an offer that was taken, a field that is no more. The next Tab would begin at the
// page's top, and the next letter be the notebook's.
function createFocusKeeper(root) {
  let last = null;
  const note = ({ target }) => { last = target; };
  root.addEventListener("focusin", note);
  return {
    look() {
      if (!last || last.isConnected || document.activeElement !== document.body) return;
      last = null;
      (root.querySelector(".ttapi-primary") ?? root.querySelector(".ttapi-sheet"))?.focus({ preventScroll: true });
    },
    stop: () => root.removeEventListener("focusin", note),
  };
}

export function watchSurroundings(el, outbox) {
  const editor = () => el.closest(".ttapi-editor");
  let watch;
  let frame;
  let keeper;
  const begin = () => {
    const root = editor() ?? el.closest(".ttapi-drawer");
    // A widget is rendered first and put into the page afterwards.
    if (!root) {
      frame = requestAnimationFrame(begin);
      return;
    }
    nameParts(root);
    keeper = createFocusKeeper(root);
    watch = new MutationObserver(() => {
      nameParts(root);
      keeper.look();
    });
    watch.observe(root, { childList: true, subtree: true, attributeFilter: ["class"] });
  };
  begin();

  // Ctrl/Cmd+Enter inside an editor runs the edit, and not the cell around it.
  const key = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !editor()?.contains(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.repeat) runAround(el, () => {});
  };
  const run = (event) => outbox.run(event.detail);
  el.addEventListener(RUN_ASKED, run);
  // JupyterLab listens further in, so only the capture phase on window comes first.
  window.addEventListener("keydown", key, true);
  return () => {
    cancelAnimationFrame(frame);
    watch?.disconnect();
    keeper?.stop();
    window.removeEventListener("keydown", key, true);
    el.removeEventListener(RUN_ASKED, run);
  };
}
