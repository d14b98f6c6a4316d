// Shows two ipycanvas canvases, the photo and the ink over it, and paints a stroke at once, without a round trip to the
// kernel. Both canvases are copied, not embedded: of ipycanvas's inside only `canvas` and `new-frame` are leaned on.
async function canvasModel(model, name) {
  const found = await model.widget_manager.get_model(model.get(name).slice("IPY_MODEL_".length));
  if (typeof found?.canvas?.getContext !== "function") throw new Error(`ipycanvas shows no canvas for ${name}`);
  return found;
}

function drawStroke(context, { points, radius, erase }, tint) {
  context.save();
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.strokeStyle = tint;
  context.lineWidth = 2 * radius;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(points[0], points[1]);
  for (let at = 0; at < points.length; at += 2) context.lineTo(points[at], points[at + 1]);
  context.stroke();
  context.restore();
}

async function render({ model, el }) {
  let photo, ink;
  try {
    [photo, ink] = [await canvasModel(model, "photo"), await canvasModel(model, "ink")];
  } catch (error) {
    model.send({ type: "no_ink", reason: String(error) });
    return undefined;
  }
  el.classList.add("ttapi-sheet");
  const [under, over] = ["photo", "ink"].map((name) => Object.assign(document.createElement("canvas"), { className: `ttapi-${name}` }));
  const ring = Object.assign(document.createElement("div"), { className: "ttapi-ring", hidden: true });
  el.append(under, over, ring);
  const contexts = [under.getContext("2d"), over.getContext("2d")];
  const view = `${Date.now()}-${Math.random()}`;
  let strokes = 0;
  let current = null;
  // Strokes that the kernel's own ink may not show yet; painting them twice changes nothing.
  let pending = [];

  const showPhoto = () => contexts[0].drawImage(photo.canvas, 0, 0);
  const showInk = () => {
    contexts[1].clearRect(0, 0, over.width, over.height);
    contexts[1].drawImage(ink.canvas, 0, 0);
    for (const stroke of pending) drawStroke(contexts[1], stroke, model.get("tint"));
  };
  const inkDrawn = () => {
    pending = pending.filter((stroke) => !stroke.taken);
    showInk();
  };
  const resize = () => {
    for (const canvas of [under, over]) [canvas.width, canvas.height] = [photo.get("width"), photo.get("height")];
    pending = [];
    current = null;
    showPhoto();
    showInk();
  };
  const tinted = () => { over.style.opacity = model.get("opacity"); showInk(); };
  const taken = ({ type, id }) => {
    const stroke = type === "taken" && pending.find((one) => one.id === id);
    if (stroke) stroke.taken = true;
  };

  const place = (event) => {
    const box = over.getBoundingClientRect();
    return [((event.clientX - box.left) * over.width) / box.width, ((event.clientY - box.top) * over.height) / box.height];
  };
  const showRing = (event) => {
    const box = over.getBoundingClientRect();
    const size = (2 * model.get("radius") * box.width) / over.width;
    ring.hidden = event.pointerType === "touch";
    Object.assign(ring.style, {
      width: `${size}px`, height: `${size}px`,
      left: `${event.clientX - box.left - size / 2}px`, top: `${event.clientY - box.top - size / 2}px`,
    });
  };
  const press = (event) => {
    if (!event.isPrimary || current || ![0, 2].includes(event.button) || !model.get("ready")) return;
    over.setPointerCapture(event.pointerId);
    const erase = model.get("erase") || event.button === 2 || event.altKey;
    current = { id: `${view}:${(strokes += 1)}`, points: place(event), radius: model.get("radius"), erase };
    pending.push(current);
    drawStroke(contexts[1], current, model.get("tint"));
  };
  const move = (event) => {
    showRing(event);
    if (!current || !event.isPrimary) return;
    const events = event.getCoalescedEvents?.() ?? [];
    const added = (events.length ? events : [event]).flatMap(place);
    if (event.shiftKey) {
      current.points = [...current.points.slice(0, 2), ...added.slice(-2)];
      showInk();
      return;
    }
    const last = current.points.slice(-2);
    current.points.push(...added);
    drawStroke(contexts[1], { ...current, points: [...last, ...added] }, model.get("tint"));
  };
  const finish = (event) => {
    if (!current || !event.isPrimary) return;
    const { id, points, radius, erase } = current;
    current = null;
    model.send({ type: "stroke", id, radius, erase }, undefined, [Float32Array.from(points).buffer]);
  };
  const hideRing = () => { ring.hidden = true; };
  const noMenu = (event) => event.preventDefault();

  const onPointer = { pointerdown: press, pointermove: move, pointerup: finish, lostpointercapture: finish, pointerleave: hideRing, contextmenu: noMenu };
  for (const [type, listener] of Object.entries(onPointer)) over.addEventListener(type, listener);
  const onModel = [[photo, "new-frame", showPhoto], [ink, "new-frame", inkDrawn], [photo, "change:width change:height", resize],
    [model, "change:opacity", tinted], [model, "msg:custom", taken]];
  for (const [source, event, listener] of onModel) source.on(event, listener);
  resize();
  tinted();
  return () => { for (const [source, event, listener] of onModel) source.off(event, listener); };
}

export default { render };
