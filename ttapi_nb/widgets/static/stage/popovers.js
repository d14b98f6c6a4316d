// Pop-overs over the photo: they open beside the rail, push nothing down, and close by Escape, their cross or their
// button. One is open at a time.

import { make } from "../basics.js";
import { makeIcon } from "./icons.js";

// `forms` are {name, label, content, opened(), closed()}.
export function createPopovers(forms) {
  const parts = new Map();
  let shown = null; // the name of the one that is open
  let buttons = {}; // those that open them, which say whether they are
  const watchers = [];

  const close = () => {
    if (!shown) return;
    const { box, form } = parts.get(shown);
    const inside = box.contains(document.activeElement);
    const button = buttons[shown];
    box.hidden = true;
    shown = null;
    button?.setAttribute("aria-expanded", "false");
    if (inside) button?.focus();
    form.closed?.();
  };
  const open = (name) => {
    close();
    const { box, form } = parts.get(name);
    form.opened?.();
    box.hidden = false;
    shown = name;
    buttons[name]?.setAttribute("aria-expanded", "true");
    box.querySelector("input, select, button")?.focus({ preventScroll: true });
    for (const watcher of watchers) watcher();
  };
  for (const form of forms) {
    const cross = make("button", { type: "button", className: "ttapi-cross", "aria-label": `Close ${form.label}`, onclick: close }, makeIcon("close"));
    const box = make("div", { className: "ttapi-popover", hidden: true, role: "dialog", "aria-label": form.label }, ...form.content, cross);
    parts.set(form.name, { box, form });
  }
  return {
    boxes: [...parts.values()].map(({ box }) => box),
    close,
    open,
    toggle: (name) => (shown === name ? close() : open(name)),
    shown: () => shown,
    openBy: (given) => { buttons = given; },
    whenOpened: (watcher) => watchers.push(watcher),
  };
}
