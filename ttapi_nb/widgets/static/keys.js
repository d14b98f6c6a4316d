// Keys that are pressed inside a widget. In the capture phase on window: the notebook listens further in.

const NEVER_OURS = ["Tab", "Shift", "Control", "Alt", "Meta"];

// `actionOf(event)` is what a key does here: a function; null where the part that has the focus knows; undefined where
// it goes on to the notebook. Listens until the function that it returns is called.
export function takeKeys({ inside, actionOf, released }) {
  const pressed = (event) => {
    if (!inside(event) || NEVER_OURS.includes(event.key) || /^F\d+$/.test(event.key)) return;
    const act = actionOf(event);
    if (act === undefined) return;
    // No bare letter reaches the notebook, where "d d" deletes the cell with the drawing.
    event.stopImmediatePropagation();
    if (!act) return;
    event.preventDefault();
    act();
  };
  window.addEventListener("keydown", pressed, true);
  window.addEventListener("keyup", released, true);
  return () => {
    window.removeEventListener("keydown", pressed, true);
    window.removeEventListener("keyup", released, true);
  };
}
