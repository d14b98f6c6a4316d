// Reads a chosen, dropped or pasted photo in the browser and sends it in pieces: one message of 10 MiB closes the socket.
const PIECE = 4 * 1024 * 1024;

function render({ model, el }) {
  el.classList.add("ttapi-photo-input");
  const several = model.get("several");
  const input = Object.assign(document.createElement("input"), { type: "file", accept: "image/*", hidden: true, multiple: several });
  const choose = Object.assign(document.createElement("button"), { type: "button", textContent: model.get("label") });
  const sample = Object.assign(document.createElement("button"), { type: "button", textContent: "Use the sample" });
  const hint = Object.assign(document.createElement("span"), { className: "ttapi-drop-hint", textContent: several ? "or drop some here" : "or drop or paste one here" });
  const file = Object.assign(document.createElement("span"), { className: "ttapi-file" });
  const problem = Object.assign(document.createElement("span"), { className: "ttapi-photo-problem" });
  problem.setAttribute("role", "alert");
  el.append(choose, ...(several ? [] : [sample]), hint, input, file, problem);

  // Several pictures are dropped on their tray, and one anywhere else in the editor.
  const tray = () => el.closest(".ttapi-tray");
  const area = () => tray() ?? el.closest(".ttapi-editor") ?? el;
  const inside = (event) => area().contains(event.target) && event.target.closest(".ttapi-tray") === tray();
  const pictures = (transfer) => [...(transfer?.files ?? [])].slice(0, several ? undefined : 1);

  async function send(photo) {
    const id = `${Date.now()}-${Math.random()}`;
    for (let start = 0; start === 0 || start < photo.size; start += PIECE) {
      const piece = await photo.slice(start, start + PIECE).arrayBuffer();
      const last = start + PIECE >= photo.size;
      model.send({ type: "piece", id, name: photo.name, size: photo.size, start, last }, undefined, [piece]);
    }
  }
  async function sendAll(photos) {
    for (const photo of photos) await send(photo);
  }
  const name = () => {
    file.textContent = model.get("photo_name");
    problem.textContent = model.get("problem");
  };
  name();
  model.on("change:photo_name change:problem", name);
  choose.onclick = () => input.click();
  sample.onclick = () => model.send({ type: "sample" });
  input.onchange = () => { sendAll([...input.files]); input.value = ""; };

  const over = (event) => {
    if (!inside(event) || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    el.classList.toggle("ttapi-over", event.type === "dragover");
    if (event.type === "drop") sendAll(pictures(event.dataTransfer));
  };
  const left = () => el.classList.remove("ttapi-over");
  const paste = (event) => {
    const photos = pictures(event.clipboardData);
    if (!photos.length || !inside(event)) return;
    event.preventDefault();
    event.stopPropagation();
    sendAll(photos);
  };
  // In the capture phase on window: the notebook has drop and paste of its own.
  const listeners = [["dragover", over], ["drop", over], ["dragleave", left], ["paste", paste]];
  for (const [type, listener] of listeners) window.addEventListener(type, listener, true);
  return () => {
    model.off("change:photo_name change:problem", name);
    for (const [type, listener] of listeners) window.removeEventListener(type, listener, true);
  };
}

export default { render };
