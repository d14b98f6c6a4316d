// Ctrl/Cmd+Enter inside an editor runs the edit, and not the cell around it.
function render({ model, el }) {
  const listener = (event) => {
    const root = el.closest(".ttapi-editor");
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !root?.contains(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.repeat) model.send({ type: "run" });
  };
  // JupyterLab listens further in, so only the capture phase on window comes first.
  window.addEventListener("keydown", listener, true);
  return () => window.removeEventListener("keydown", listener, true);
}

export default { render };
