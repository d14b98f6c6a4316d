// What a screen reader speaks: ipywidgets gives a slider's handle no name, and reads a button's icon as a letter.
function name(root) {
  for (const slider of root.querySelectorAll(".widget-slider")) {
    const label = slider.querySelector(".widget-label")?.textContent;
    if (label) slider.querySelector(".noUi-handle")?.setAttribute("aria-label", label);
  }
  for (const icon of root.querySelectorAll("button > i")) icon.setAttribute("aria-hidden", "true");
}

function render({ el }) {
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
  return () => {
    cancelAnimationFrame(frame);
    watch?.disconnect();
  };
}

export default { render };
