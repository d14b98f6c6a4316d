// A button that copies the edit as Python, which the kernel writes. Where a page may not use the clipboard, the code is
// shown, to be copied by hand.

import { make, makeButton } from "./basics.js";

function render({ model, el }) {
  const said = make("span", { role: "status" });
  const place = make("div");
  const button = makeButton("Copy as code", "Copy as code: Python that does this edit without a widget",
    () => model.send({ type: "copy" }));
  const receive = async (message) => {
    if (message.type === "problem") said.textContent = message.text;
    if (message.type !== "code") return;
    try {
      await navigator.clipboard.writeText(message.text);
      place.replaceChildren();
      said.textContent = "Copied. It holds no key.";
    } catch {
      const code = make("textarea", { readOnly: true, rows: 8, value: message.text, "aria-label": "The edit as Python" });
      place.replaceChildren(code);
      said.textContent = "Copy it from here. It holds no key.";
      code.select();
    }
  };
  el.classList.add("ttapi-copier");
  el.append(button, said, place);
  model.on("msg:custom", receive);
  return () => model.off("msg:custom", receive);
}

export default { render };
