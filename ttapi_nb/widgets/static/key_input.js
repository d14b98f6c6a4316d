// Takes a key and sends it once. It is no trait, so no state that a browser or a notebook saves has it; and it goes as
// bytes beside the message, for a kernel told to log what it does writes down every message.
function render({ model, el }) {
  el.classList.add("ttapi-key-input");
  const make = (tag, rest) => Object.assign(document.createElement(tag), rest);
  const field = make("input", { type: "password", autocomplete: "off", spellcheck: false, placeholder: "paste it here" });
  const named = make("label", { className: "ttapi-key-field" });
  named.append("TTAPI key", field);
  const remember = make("input", { type: "checkbox" });
  const kept = make("label", { className: "ttapi-key-remember" });
  kept.append(remember, "Remember on this computer");
  const use = make("button", { type: "button", textContent: "Use key" });
  // No form around it: browsers offer to keep what is typed into one.
  el.append(named, kept, use);

  const send = () => {
    const key = field.value.trim();
    field.value = "";
    if (key) model.send({ type: "key", remember: remember.checked }, undefined, [new TextEncoder().encode(key)]);
    else field.focus();
  };
  use.onclick = send;
  field.onkeydown = (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    send();
  };
  return () => { field.value = ""; };
}

export default { render };
