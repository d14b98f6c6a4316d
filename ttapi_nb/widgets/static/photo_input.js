// Reads a chosen, dropped or pasted photo in the browser and sends it in pieces: one message of 10 MiB closes the socket.
const PIECE = 4 * 1024 * 1024;

function render({ model, el }) {
  el.classList.add("ttapi-photo-input");
  const input = Object.assign(document.createElement("input"), { type: "file", accept: "image/*", hidden: true });
  const choose = Object.assign(document.createElement("button"), { type: "button", textContent: "Choose a photo" });
  const sample = Object.assign(document.createElement("button"), { type: "button", textContent: "Use the sample" });
  const hint = Object.assign(document.createElement("span"), { textContent: "or drop or paste one here" });
  const file = Object.assign(document.createElement("span"), { className: "ttapi-file" });
  el.append(choose, sample, hint, input, file);

  const area = () => el.closest(".ttapi-editor") ?? el;
  const inside = (event) => area().contains(event.target);
  const picture = (transfer) => [...(transfer?.files ?? [])][0];

  async function send(photo) {
    const id = `${Date.now()}-${Math.random()}`;
    for (let start = 0; start === 0 || start < photo.size; start += PIECE) {
      const piece = await photo.slice(start, start + PIECE).arrayBuffer();
      const last = start + PIECE >= photo.size;
      model.send({ type: "piece", id, name: photo.name, size: photo.size, start, last }, undefined, [piece]);
    }
  }
  const name = () => { file.textContent = model.get("photo_name"); };
  name();
  model.on("change:photo_name", name);
  choose.onclick = () => input.click();
  sample.onclick = () => model.send({ type: "sample" });
  input.onchange = () => { if (input.files[0]) send(input.files[0]); input.value = ""; };

  const over = (event) => {
    if (!inside(event) || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    el.classList.toggle("ttapi-over", event.type === "dragover");
    const photo = event.type === "drop" && picture(event.dataTransfer);
    if (photo) send(photo);
  };
  const left = () => el.classList.remove("ttapi-over");
  const paste = (event) => {
    const photo = picture(event.clipboardData);
    if (!photo || !inside(event)) return;
    event.preventDefault();
    event.stopPropagation();
    send(photo);
  };
  // In the capture phase on window: the notebook has drop and paste of its own.
  const listeners = [["dragover", over], ["drop", over], ["dragleave", left], ["paste", paste]];
  for (const [type, listener] of listeners) window.addEventListener(type, listener, true);
  return () => {
    model.off("change:photo_name", name);
    for (const [type, listener] of listeners) window.removeEventListener(type, listener, true);
  };
}

export default { render };
