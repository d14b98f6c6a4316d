// A button that copies the edit as Python, which the kernel writes. Where a page may not use the clipboard, the code is
// shown, to be copied by hand.

import { make, makeButton } from "./basics.js";

function render({ model, el }) {
  const said = make("span", { role: "status" });
  const code = make("textarea", { readOnly: true, rows: 8, hidden: true, "aria-label": "The edit as Python" });
  const button = makeButton("Copy as code", "Copy as code: Python that does this edit without a widget",
    () => model.send({ type: "copy" }));
  const receive = async (message) => {
    if (message.type === "problem") said.textContent = message.text;
    if (message.type !== "code") return;
    try {
      await navigator.clipboard.writeText(message.text);
      [said.textContent, code.hidden] = ["Copied. It holds no key.", true];
    } catch {
      [said.textContent, code.value, code.hidden] = ["Copy it from here. It holds no key.", message.text, false];
      code.select();
    }
  };
  el.classList.add("ttapi-copier");
  el.append(button, said, code);
  model.on("msg:custom", receive);
  return () => model.off("msg:custom", receive);
}

export default { render };
