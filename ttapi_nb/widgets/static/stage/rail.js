// The rail: all tools and what is done to the whole mask, as one toolbar with one place in the order of Tab.

import { choose, make } from "../basics.js";
import { makeIcon } from "./icons.js";
import { TOOLS } from "./tools.js";

// What the kernel does at once, and what it says in `can` where that would change something.
const ACTS = {
  undo: ["Undo", "Take the last change back", "Ctrl+Z"],
  redo: ["Redo", "Take an undo back", "Ctrl+Shift+Z"],
  invert: ["Invert", "Mask what was not masked, and the other way round", ""],
  clear: ["Clear", "Take the whole mask away", ""],
};
const STEPS = { ArrowLeft: -1, ArrowUp: -2, ArrowRight: 1, ArrowDown: 2 };

function makeRailButton(icon, label, hint, key) {
  const spoken = key ? { "aria-keyshortcuts": key.replace("Ctrl", "Control") } : {};
  return make("button", {
    type: "button", tabIndex: -1, "aria-label": label, "data-tip": `${label}${key ? ` (${key})` : ""} · ${hint}`, ...spoken,
  }, makeIcon(icon));
}

// Only where something would change. Not disabled in HTML: the keyboard would lose its place.
function setAble(button, able) {
  button.setAttribute("aria-disabled", String(!able));
}

// A tool for which something is missing says what, and how to get it.
function tellMissing(button, { label, hint, key }, missing) {
  button.setAttribute("data-tip", `${label} (${key.toUpperCase()}) · ${missing || hint}`);
  button.classList.toggle("ttapi-missing", Boolean(missing));
}

function unlessDisabled(button, act) {
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") !== "true") act();
  });
}

// `openers` are {name, label, hint, open}: pop-overs, which say themselves whether they are open.
export function createRail(model, openers, turnToEdit) {
  const rail = make("div", { className: "ttapi-rail", role: "toolbar", "aria-label": "Tools" });
  const group = (label, buttons) => {
    rail.append(make("div", { role: "group", "aria-label": label }, ...Object.values(buttons)));
    return buttons;
  };
  const tools = group("Marks", Object.fromEntries(Object.entries(TOOLS).map(([name, { label, hint, key }]) => {
    const button = makeRailButton(name, label, hint, key.toUpperCase());
    button.addEventListener("click", () => {
      choose(model, "tool", name);
      turnToEdit();
    });
    return [name, button];
  })));
  const acts = group("Mask", Object.fromEntries(Object.entries(ACTS).map(([name, [label, hint, key]]) => {
    const button = makeRailButton(name, label, hint, key);
    unlessDisabled(button, () => model.send({ type: "key", action: name }));
    return [name, button];
  })));
  const opened = group("More", Object.fromEntries(openers.map(({ name, label, hint, open }) => {
    const button = makeRailButton(name, label, hint, "");
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-haspopup", "dialog");
    unlessDisabled(button, open);
    return [name, button];
  })));
  const all = [...rail.querySelectorAll("button")];
  // One of them is in the order of Tab: the one that had the focus last.
  const stopAt = (button) => {
    for (const one of all) one.tabIndex = one === button ? 0 : -1;
  };
  stopAt(all[0]);
  rail.addEventListener("focusin", (event) => stopAt(event.target.closest("button")));

  return {
    rail,
    opened,
    show() {
      for (const [name, button] of Object.entries(tools)) {
        button.setAttribute("aria-pressed", String(model.get("tool") === name));
        if (TOOLS[name].selects) tellMissing(button, TOOLS[name], model.get("selecting").missing);
      }
      const can = model.get("can");
      for (const [name, button] of Object.entries(acts)) setAble(button, can.includes(name));
      for (const [name, button] of Object.entries(opened)) setAble(button, can.includes(name) || name === "view");
    },
    // What a key does on the rail: arrows go from button to button, rows being two wide.
    move(key) {
      const at = all.indexOf(document.activeElement);
      const last = all.length - 1;
      const wanted = { Home: 0, End: last }[key] ?? (at + STEPS[key] + all.length) % all.length;
      all[wanted].focus();
    },
    moves: (event) => rail.contains(event.target) && (event.key in STEPS || ["Home", "End"].includes(event.key)),
  };
}
