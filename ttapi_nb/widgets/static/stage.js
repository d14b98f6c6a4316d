// Shows two ipycanvas canvases, the photo and the ink over it, and paints a stroke at once, without a round trip to the
// kernel. Both canvases are copied, not embedded: of ipycanvas's inside only `canvas` and `new-frame` are leaned on.
async function canvasModel(model, name) {
  const found = await model.widget_manager.get_model(model.get(name).slice("IPY_MODEL_".length));
  if (typeof found?.canvas?.getContext !== "function") throw new Error(`ipycanvas shows no canvas for ${name}`);
  return found;
}

function drawMark(context, { tool, points, radius, erase }, tint) {
  const [x0, y0] = points;
  const [x1, y1] = points.slice(-2);
  context.save();
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.strokeStyle = context.fillStyle = tint;
  context.lineWidth = 2 * radius;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  if (tool === "rectangle") {
    context.rect(x0, y0, x1 - x0, y1 - y0);
  } else if (tool === "ellipse") {
    context.ellipse((x0 + x1) / 2, (y0 + y1) / 2, Math.abs(x1 - x0) / 2, Math.abs(y1 - y0) / 2, 0, 0, 2 * Math.PI);
  } else {
    context.moveTo(x0, y0);
    for (let at = 0; at < points.length; at += 2) context.lineTo(points[at], points[at + 1]);
  }
  if (tool === "brush" || tool === "line") context.stroke();
  else context.fill();
  context.restore();
}

// The keys that people know from painting, by name; the rest stays the notebook's.
function keyAction(event) {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) return key === "z" ? (event.shiftKey ? "redo" : "undo") : key === "y" ? "redo" : null;
  if (event.altKey) return null;
  return KEYS[key] ?? null;
}
const KEYS = {
  "[": "smaller", "]": "larger", b: "brush", e: "eraser", x: "swap", l: "line", r: "rectangle", o: "ellipse", p: "lasso",
};
const NOT_OURS = ["Tab", "Escape", "Shift", "Control", "Alt", "Meta"];

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
    for (const stroke of pending) drawMark(contexts[1], stroke, model.get("tint"));
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
    el.focus({ preventScroll: true });
    current = { id: `${view}:${(strokes += 1)}`, tool: model.get("tool"), points: place(event), radius: model.get("radius"), erase };
    pending.push(current);
    drawMark(contexts[1], current, model.get("tint"));
  };
  const move = (event) => {
    showRing(event);
    if (!current || !event.isPrimary) return;
    const events = event.getCoalescedEvents?.() ?? [];
    const added = (events.length ? events : [event]).flatMap(place);
    const last = current.points.slice(-2);
    const free = current.tool === "lasso" || (current.tool === "brush" && !event.shiftKey);
    current.points = free ? [...current.points, ...added] : [...current.points.slice(0, 2), ...added.slice(-2)];
    if (free && current.tool === "brush") drawMark(contexts[1], { ...current, points: [...last, ...added] }, model.get("tint"));
    else showInk();
  };
  const finish = (event) => {
    if (!current || !event.isPrimary) return;
    const { id, tool, points, radius, erase } = current;
    current = null;
    model.send({ type: "mark", id, tool, radius, erase }, undefined, [Float32Array.from(points).buffer]);
  };
  const hideRing = () => { ring.hidden = true; };
  const noMenu = (event) => event.preventDefault();
  const key = (event) => {
    if (!el.contains(document.activeElement) || !el.contains(event.target)) return;
    if (event.key === "Escape") el.blur();
    if (NOT_OURS.includes(event.key)) return;
    const action = keyAction(event);
    // Ctrl+S still saves; but no bare letter reaches the notebook, where "d d" deletes the cell with the drawing.
    if (!action && (event.ctrlKey || event.metaKey || /^F\d+$/.test(event.key))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (action) model.send({ type: "key", action });
  };

  const onPointer = { pointerdown: press, pointermove: move, pointerup: finish, lostpointercapture: finish, pointerleave: hideRing, contextmenu: noMenu };
  for (const [type, listener] of Object.entries(onPointer)) over.addEventListener(type, listener);
  el.tabIndex = 0;
  el.setAttribute("role", "application");
  el.setAttribute("aria-label", "Photo to paint a mask on");
  // In the capture phase on window: the notebook listens further in.
  window.addEventListener("keydown", key, true);
  const onModel = [[photo, "new-frame", showPhoto], [ink, "new-frame", inkDrawn], [photo, "change:width change:height", resize],
    [model, "change:opacity", tinted], [model, "msg:custom", taken]];
  for (const [source, event, listener] of onModel) source.on(event, listener);
  resize();
  tinted();
  return () => {
    window.removeEventListener("keydown", key, true);
    for (const [source, event, listener] of onModel) source.off(event, listener);
  };
}

export default { render };
