// What has to do with the page around a drawer: names for screen readers, and the run key of an editor.

// ipywidgets gives a slider's handle no name, and reads a button's icon as a letter.
function name(root) {
  for (const slider of root.querySelectorAll(".widget-slider")) {
    const label = slider.querySelector(".widget-label")?.textContent;
    if (label) slider.querySelector(".noUi-handle")?.setAttribute("aria-label", label);
  }
  for (const icon of root.querySelectorAll("button > i")) icon.setAttribute("aria-hidden", "true");
}

function render({ model, el }) {
  let watch;
  let frame;
  const begin = () => {
    const root = el.closest(".ttapi-editor") ?? el.closest(".ttapi-drawer");
    // A widget is rendered first and put into the page afterwards.
    if (!root) { frame = requestAnimationFrame(begin); return; }
    name(root);
    watch = new MutationObserver(() => name(root));
    watch.observe(root, { childList: true, subtree: true });
  };
  begin();

  // Ctrl/Cmd+Enter inside an editor runs the edit, and not the cell around it.
  const key = (event) => {
    const root = el.closest(".ttapi-editor");
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !root?.contains(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.repeat) model.send({ type: "run" });
  };
  // JupyterLab listens further in, so only the capture phase on window comes first.
  window.addEventListener("keydown", key, true);
  return () => {
    cancelAnimationFrame(frame);
    watch?.disconnect();
    window.removeEventListener("keydown", key, true);
  };
}

export default { render };
