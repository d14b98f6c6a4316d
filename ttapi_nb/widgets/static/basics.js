// What more than one widget needs: elements, and a model's values and events.

// An element with its properties and children; `role`, and names with a dash, are attributes.
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "role" || name.includes("-")) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

export function makeButton(text, label, act = null) {
  return make("button", { type: "button", textContent: text, title: label, "aria-label": label, onclick: act });
}

// Here first, so that a busy kernel doesn't hold up the hand.
export function choose(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

// Listens to [model, event, listener] each, until the function that it returns is called.
export function listen(wanted) {
  for (const [source, event, listener] of wanted) source.on(event, listener);
  return () => {
    for (const [source, event, listener] of wanted) source.off(event, listener);
  };
}
