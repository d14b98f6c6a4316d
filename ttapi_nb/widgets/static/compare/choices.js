// A row of radio buttons: the browser brings their keys and tells screen readers what they are.

import { make } from "../basics.js";

export function createChoices(className, label, pick) {
  const row = make("div", { className, role: "radiogroup", "aria-label": label });
  const name = `ttapi-${Math.random()}`;
  const inputOf = (value) => row.querySelector(`[value="${value}"]`);
  return {
    row,
    add(value, ...content) {
      const input = make("input", { type: "radio", name, value: String(value) });
      input.addEventListener("change", () => pick(value));
      const choice = make("label", {}, input, ...content);
      row.append(choice);
      return choice;
    },
    check(value) {
      for (const input of row.querySelectorAll("input")) input.checked = input.value === String(value);
    },
    disable(value, disabled) {
      inputOf(value).disabled = disabled;
    },
    // `why` it can't be chosen, or nothing.
    refuse(value, why) {
      const input = inputOf(value);
      input.disabled = Boolean(why);
      input.parentElement.title = why;
    },
  };
}
