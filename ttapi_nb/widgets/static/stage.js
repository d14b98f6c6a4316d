// Shows two ipycanvas canvases, the photo and the ink over it, and paints a mark at once, without a round trip to the
// kernel. Both canvases are copied, not embedded: of ipycanvas's inside only `canvas` and `new-frame` are leaned on.
// Coordinates are pixels of the copies; the points of a mark are x, y, radius, x, y, radius …

const INK = "#00beff"; // what the kernel's ink is drawn in; another tint is laid over it here
const LEAST_PRESSURE = 0.1; // the finest line of a pen, as a part of the brush
const STEP = 0.15; // of its size, which a brush gains with ]
const CLOSE = 10; // pixels of the screen around a polygon's first corner that close it
const CLOSEST = 40; // pixels of the screen that a pixel of the photo may fill
const AGAIN = [2_000, 60_000]; // milliseconds until a mark without an answer is sent again: at first, and at most

const TOOL_KEYS = {
  b: "brush", e: "eraser", l: "line", r: "rectangle", o: "ellipse", p: "polygon", f: "lasso", g: "bucket",
};
const SIZED = ["brush", "eraser", "line"]; // the tools that have a size, which the ring shows
const NOT_OURS = ["Tab", "Shift", "Control", "Alt", "Meta"];
const HELP = "B brush · E eraser · X swaps them · [ ] size · L line · R rectangle · O ellipse · P polygon · F lasso · "
  + "G bucket · Shift straight · Alt or right button erases · Ctrl+Z, Ctrl+Shift+Z · Ctrl+wheel, + and − zoom · "
  + "Space or middle button drags · 0 fits · H hides the mask while held · Esc lets go";

async function canvasModel(model, name) {
  const found = await model.widget_manager.get_model(model.get(name).slice("IPY_MODEL_".length));
  if (typeof found?.canvas?.getContext !== "function") throw new Error(`ipycanvas shows no canvas for ${name}`);
  return found;
}

function element(kind, className, rest = {}) {
  return Object.assign(document.createElement(kind), { className, ...rest });
}

// A segment whose round ends may differ, as a pen draws it that is pressed harder on the way.
function addSegment(context, x0, y0, r0, x1, y1, r1) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length <= Math.abs(r0 - r1)) {
    const [x, y, radius] = r0 > r1 ? [x0, y0, r0] : [x1, y1, r1];
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  const along = Math.atan2(y1 - y0, x1 - x0);
  const open = Math.acos((r0 - r1) / length);
  context.moveTo(x0 + r0 * Math.cos(along + open), y0 + r0 * Math.sin(along + open));
  context.arc(x0, y0, r0, along + open, along - open + 2 * Math.PI);
  context.arc(x1, y1, r1, along - open, along + open);
  context.closePath();
}

// A brush from one of its points on: while it is drawn, only what is new.
function drawStroke(context, { points, erase }, tint, from = 0) {
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.strokeStyle = context.fillStyle = tint;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  let even = true;
  for (let at = from + 5; at < points.length; at += 3) even &&= points[at] === points[from + 2];
  if (even) {
    context.lineWidth = 2 * points[from + 2];
    context.moveTo(points[from], points[from + 1]);
    for (let at = from; at < points.length; at += 3) context.lineTo(points[at], points[at + 1]);
    context.stroke();
  } else {
    for (let at = from + 3; at < points.length; at += 3) addSegment(context, ...points.slice(at - 3, at + 3));
    context.fill();
  }
  context.globalCompositeOperation = "source-over";
}

function drawShape(context, { tool, points, erase, hair }, tint) {
  const [x0, y0] = points;
  const [x1, y1] = points.slice(-3);
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.strokeStyle = context.fillStyle = tint;
  context.beginPath();
  if (tool === "rectangle") {
    context.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
  } else if (tool === "ellipse") {
    context.ellipse((x0 + x1) / 2, (y0 + y1) / 2, Math.abs(x1 - x0) / 2, Math.abs(y1 - y0) / 2, 0, 0, 2 * Math.PI);
  } else {
    for (let at = 0; at < points.length; at += 3) context.lineTo(points[at], points[at + 1]);
  }
  context.fill();
  if (hair) {
    // Two corners of a polygon are a line at first.
    context.lineWidth = hair;
    context.stroke();
  }
  context.globalCompositeOperation = "source-over";
}

function drawMark(context, mark, tint) {
  if (mark.tool === "brush" || mark.tool === "line") drawStroke(context, mark, tint);
  else if (mark.tool !== "bucket") drawShape(context, mark, tint);
}

// The mask's edge at the screen's own resolution, in stripes that march along it.
function marchingEdges(canvas, ink) {
  const outline = document.createElement("canvas");
  const stripes = element("canvas", "", { width: 8, height: 8 });
  const ground = stripes.getContext("2d");
  for (let y = 0; y < 8; y += 1) {
    for (let x = 0; x < 8; x += 1) {
      ground.fillStyle = (x + 2 * y) % 8 < 4 ? "white" : "black";
      ground.fillRect(x, y, 1, 1);
    }
  }
  const pattern = ground.createPattern(stripes, "repeat");
  return {
    trace(x, y, scale) {
      const ratio = window.devicePixelRatio;
      canvas.width = outline.width = Math.round(canvas.clientWidth * ratio);
      canvas.height = outline.height = Math.round(canvas.clientHeight * ratio);
      const context = outline.getContext("2d");
      const draw = (right, down) => context.drawImage(
        ink, (x + right) * ratio, (y + down) * ratio, ink.width * scale * ratio, ink.height * scale * ratio,
      );
      for (const right of [-1, 0, 1]) for (const down of [-1, 0, 1]) draw(right, down);
      context.globalCompositeOperation = "destination-out";
      draw(0, 0);
    },
    show(shift) {
      const context = canvas.getContext("2d");
      context.globalCompositeOperation = "copy";
      context.drawImage(outline, 0, 0);
      context.globalCompositeOperation = "source-in";
      pattern.setTransform(new DOMMatrix().translate(shift, 0));
      context.fillStyle = pattern;
      context.fillRect(0, 0, canvas.width, canvas.height);
    },
  };
}

async function render({ model, el }) {
  let photo, ink;
  try {
    [photo, ink] = [await canvasModel(model, "photo"), await canvasModel(model, "ink")];
  } catch (error) {
    model.send({ type: "no_ink", reason: String(error) });
    return undefined;
  }
  el.classList.add("ttapi-stage-view");
  const sheet = element("div", "ttapi-sheet", { tabIndex: 0 });
  const paper = element("div", "ttapi-paper");
  const [under, over] = ["photo", "ink"].map((name) => element("canvas", `ttapi-${name}`));
  const edges = element("canvas", "ttapi-edges");
  const ring = element("div", "ttapi-ring", { hidden: true });
  const frame = element("div", "ttapi-frame", { hidden: true, title: "This part is sent to the model" });
  const room = element("div", "ttapi-room", { hidden: true });
  const gone = element("div", "ttapi-gone", {
    hidden: true, textContent: "The kernel is gone. Run this cell again to go on painting.",
  });
  const bar = element("div", "ttapi-view-bar");
  const help = element("div", "ttapi-keys", { hidden: true, textContent: HELP });
  sheet.setAttribute("role", "application");
  sheet.setAttribute("aria-label", "Photo to paint a mask on");
  gone.setAttribute("role", "alert");
  paper.append(under, over);
  sheet.append(room, paper, frame, edges, ring, gone);
  const handles = [-1, 0, 1].flatMap((across) => [-1, 0, 1].map((down) => ({ across, down })))
    .filter(({ across, down }) => across || down);
  for (const handle of handles) {
    handle.element = element("div", "ttapi-margin", { hidden: true });
    handle.element.style.cursor = handle.across && handle.down ? (handle.across === handle.down ? "nwse" : "nesw") + "-resize"
      : handle.across ? "ew-resize" : "ns-resize";
    sheet.append(handle.element);
  }
  el.append(sheet, bar, help);
  const [photoContext, context] = [under, over].map((canvas) => canvas.getContext("2d"));
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");

  const view = `${Date.now()}-${Math.random()}`;
  let sent = 0; // marks of this view so far
  let current = null; // the mark that is being drawn
  let hover = null; // where the pointer is while a polygon is open
  let pending = []; // marks that the kernel's own ink may not show yet; painting them twice changes nothing
  let wait = AGAIN[0];
  let again = 0;

  // What is seen of the photo

  const look = { zoom: 1, x: 0, y: 0, scale: 1 };
  const layout = () => {
    const [width, height] = [sheet.clientWidth, sheet.clientHeight];
    if (!width || !height) return;
    const [spareWidth, spareHeight] = spare ?? [0, 0];
    look.scale = Math.min(width / (over.width + spareWidth), height / (over.height + spareHeight)) * look.zoom;
    const inSight = (offset, room, size) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, offset)));
    look.x = inSight(look.x, width, over.width * look.scale);
    look.y = inSight(look.y, height, over.height * look.scale);
    paper.style.transform = `translate(${look.x}px, ${look.y}px) scale(${look.scale})`;
    paper.classList.toggle("ttapi-close", look.scale > 3);
    showAround();
    stale = true;
  };
  // A rectangle of the photo, drawn over the sheet.
  const put = (box, [left, top, right, bottom]) => Object.assign(box.style, {
    left: `${look.x + left * look.scale}px`, top: `${look.y + top * look.scale}px`,
    width: `${(right - left) * look.scale}px`, height: `${(bottom - top) * look.scale}px`,
  });
  const margins = () => model.get("margins").map((margin) => margin * model.get("scale"));
  let spare = null; // pixels of the photo kept free around it, while it is extended
  const showAround = () => {
    const sent = model.get("frame");
    frame.hidden = !sent.length || Boolean(spare);
    if (!frame.hidden) put(frame, sent);
    for (const one of [room, ...handles.map((handle) => handle.element)]) one.hidden = !spare;
    if (!spare) return;
    const [left, top, right, bottom] = margins();
    const box = [-left, -top, over.width + right, over.height + bottom];
    put(room, box);
    for (const { element: handle, across, down } of handles) {
      const [x, y] = [box[across < 0 ? 0 : 2], box[down < 0 ? 1 : 3]];
      put(handle, [across ? x : (box[0] + box[2]) / 2, down ? y : (box[1] + box[3]) / 2, 0, 0]);
      handle.style.width = handle.style.height = "";
    }
  };
  const makeRoom = () => {
    if (model.get("extending")) {
      const [left, top, right, bottom] = margins();
      const least = 0.6 * Math.max(over.width, over.height);
      spare = [Math.max(least, 2.4 * Math.max(left, right)), Math.max(least, 2.4 * Math.max(top, bottom))];
      look.zoom = 1;
    } else spare = null;
    layout();
  };
  let from = null; // where a margin was when it was taken hold of
  const pullMargin = ({ element: handle, across, down }) => {
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      from = { at: onSheet(event), margins: model.get("margins") };
    });
    handle.addEventListener("pointermove", (event) => {
      if (!from) return;
      const pixel = look.scale * model.get("scale");
      const [x, y] = onSheet(event);
      const [right, downward] = [(x - from.at[0]) / pixel, (y - from.at[1]) / pixel];
      const pull = [across < 0 ? -right : 0, down < 0 ? -downward : 0, across > 0 ? right : 0, down > 0 ? downward : 0];
      choose("margins", from.margins.map((margin, side) => Math.max(0, Math.round(margin + pull[side]))));
    });
    handle.addEventListener("lostpointercapture", () => { from = null; makeRoom(); });
  };
  const zoomAt = (x, y, factor) => {
    const closest = (CLOSEST * look.zoom) / look.scale;
    const zoom = Math.min(Math.max(1, closest), Math.max(1, look.zoom * factor));
    look.x = x - ((x - look.x) * zoom) / look.zoom;
    look.y = y - ((y - look.y) * zoom) / look.zoom;
    look.zoom = zoom;
    layout();
  };
  const zoomMiddle = (factor) => zoomAt(sheet.clientWidth / 2, sheet.clientHeight / 2, factor);
  const pan = (right, down) => {
    look.x += right;
    look.y += down;
    layout();
  };
  let box = null; // where the sheet is: asked once a frame, since asking makes the browser lay out the page
  const onSheet = (event) => {
    if (!box) {
      box = sheet.getBoundingClientRect();
      requestAnimationFrame(() => { box = null; });
    }
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const place = (event) => {
    const [x, y] = onSheet(event);
    return [(x - look.x) / look.scale, (y - look.y) / look.scale];
  };

  // Ink

  let stale = true; // whether the marching edges show an earlier mask
  let marching = 0;
  let marched = 0;
  const march = (time) => {
    marching = model.get("show") === "edges" && sheet.isConnected ? requestAnimationFrame(march) : 0;
    if (!stale && (time - marched < 80 || still.matches)) return;
    if (stale) border.trace(look.x, look.y, look.scale);
    stale = false;
    marched = time;
    border.show(still.matches ? 0 : Math.floor(time / 80) % 8);
  };
  const border = marchingEdges(edges, over);
  const tint = () => model.get("tint");
  const live = (mark) => (mark !== current || mark.tool !== "polygon" ? mark
    : { ...mark, points: [...mark.points, ...(hover ?? [])], hair: 2 / look.scale });
  const showPhoto = () => {
    photoContext.clearRect(0, 0, under.width, under.height);
    photoContext.drawImage(photo.canvas, 0, 0);
  };
  const showInk = () => {
    context.clearRect(0, 0, over.width, over.height);
    context.drawImage(ink.canvas, 0, 0);
    if (tint() !== INK) {
      context.globalCompositeOperation = "source-in";
      context.fillStyle = tint();
      context.fillRect(0, 0, over.width, over.height);
      context.globalCompositeOperation = "source-over";
    }
    for (const mark of pending) drawMark(context, live(mark), tint());
    stale = true;
  };
  const inkDrawn = () => {
    pending = pending.filter((mark) => !mark.taken);
    showInk();
  };
  const resize = () => {
    for (const canvas of [under, over]) [canvas.width, canvas.height] = [photo.get("width"), photo.get("height")];
    // As wide as its cell, but never so high that the tools are out of sight.
    sheet.style.aspectRatio = `${over.width} / ${over.height}`;
    sheet.style.width = `min(100%, ${(70 * over.width) / over.height}vh)`;
    [pending, current, hover] = [[], null, null];
    Object.assign(look, { zoom: 1, x: 0, y: 0 });
    makeRoom();
    showPhoto();
    showInk();
  };
  const restyle = () => {
    sheet.classList.toggle("ttapi-outlined", model.get("show") === "edges");
    over.style.opacity = model.get("opacity");
    showInk();
    if (!marching) march(0);
  };

  // Marks on their way to the kernel. A dropped connection may lose one: what is not answered is sent again, in order,
  // and the kernel takes each number once.

  const post = ({ number, tool, points, erase }) =>
    model.send({ type: "mark", view, number, tool, erase }, undefined, [Float32Array.from(points).buffer]);
  const waiting = () => pending.filter((mark) => mark.number && !mark.taken);
  const postAgain = () => {
    waiting().forEach(post);
    wait = Math.min(2 * wait, AGAIN[1]);
    again = waiting().length ? setTimeout(postAgain, wait) : 0;
  };
  const hand = (mark) => {
    mark.number = sent += 1;
    post(mark);
    if (!again) again = setTimeout(postAgain, wait);
  };
  const taken = (message) => {
    if (message.type !== "taken" || message.view !== view) return;
    for (const mark of pending) if (mark.number === message.number) mark.taken = true;
    wait = AGAIN[0];
    clearTimeout(again);
    again = waiting().length ? setTimeout(postAgain, wait) : 0;
  };
  const alive = () => {
    gone.hidden = photo.comm_live !== false;
    return gone.hidden;
  };

  // The pointer

  const fingers = new Map();
  let grabbed = null; // where the photo is held to be dragged
  let pinched = null; // where two fingers were, and how far apart
  let space = false;
  let pointer = null; // the last place of a mouse or pen
  const spread = () => {
    const [[x0, y0], [x1, y1]] = fingers.values();
    return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, size: Math.max(1, Math.hypot(x1 - x0, y1 - y0)) };
  };
  const radius = () => Math.max(0.5, (model.get("brush_size") / 2) * model.get("scale"));
  const reach = (event) => radius() * (model.get("pressure") && event.pointerType === "pen" ? Math.max(LEAST_PRESSURE, event.pressure) : 1);
  const point = (event) => [...place(event), reach(event)];
  let ringSize = 0;
  let ringFrame = 0;
  const moveRing = () => {
    ringFrame = 0;
    // Not while a stroke shows its width itself: moving the ring holds up the ink.
    ring.hidden = !pointer || current || !model.get("ready") || !SIZED.includes(model.get("tool"));
    if (ring.hidden) return;
    const size = 2 * radius() * look.scale;
    if (size !== ringSize) ring.style.width = ring.style.height = `${size}px`;
    ringSize = size;
    ring.style.transform = `translate(${pointer[0] - size / 2}px, ${pointer[1] - size / 2}px)`;
  };
  const showRing = () => {
    if (!ring.hidden || !current) ringFrame ||= requestAnimationFrame(moveRing);
  };
  const abandon = () => {
    pending = pending.filter((mark) => mark !== current);
    current = hover = null;
    showInk();
  };
  const closePolygon = () => {
    const mark = current;
    current = hover = null;
    if (mark.points.length >= 9) hand(mark);
    else pending = pending.filter((other) => other !== mark);
    showInk();
  };
  const addCorner = (event) => {
    const [x, y] = place(event);
    const near = Math.hypot(x - current.points[0], y - current.points[1]) * look.scale < CLOSE;
    if (near && current.points.length >= 9) closePolygon();
    else current.points.push(...point(event));
  };
  const press = (event) => {
    sheet.focus({ preventScroll: true });
    if (!model.get("ready") || spare || !alive()) return;
    over.setPointerCapture(event.pointerId);
    if (event.pointerType === "touch") fingers.set(event.pointerId, onSheet(event));
    if (fingers.size === 2) {
      if (current) abandon();
      pinched = spread();
    }
    if (event.button === 1 || space) {
      event.preventDefault();
      grabbed = onSheet(event);
    }
    if (grabbed || pinched || !event.isPrimary || ![0, 2, 5].includes(event.button)) return;
    if (current) {
      if (current.tool === "polygon") addCorner(event);
      return;
    }
    const tool = model.get("tool");
    // 5 is the other end of a pen.
    const erase = tool === "eraser" || event.button !== 0 || event.altKey;
    current = { tool: tool === "eraser" ? "brush" : tool, points: point(event), erase };
    pending.push(current);
    if (tool === "bucket") finish(event);
    else drawMark(context, live(current), tint());
    stale = true;
  };
  const draw = (event) => {
    const events = event.getCoalescedEvents?.() ?? [];
    const { tool, points } = current;
    const from = points.length - 3;
    if (tool === "lasso" || (tool === "brush" && !event.shiftKey)) {
      for (const one of events.length ? events : [event]) points.push(...point(one));
    } else {
      points.splice(3, points.length, ...point(event));
    }
    if (tool === "brush" && !event.shiftKey) drawStroke(context, current, tint(), from);
    else showInk();
    stale = true;
  };
  const move = (event) => {
    if (event.pointerType === "touch") fingers.set(event.pointerId, onSheet(event));
    else pointer = onSheet(event);
    showRing();
    if (pinched && fingers.size === 2) {
      const now = spread();
      zoomAt(now.x, now.y, now.size / pinched.size);
      pan(now.x - pinched.x, now.y - pinched.y);
      pinched = now;
    } else if (grabbed) {
      const [x, y] = onSheet(event);
      pan(x - grabbed[0], y - grabbed[1]);
      grabbed = [x, y];
    } else if (current?.tool === "polygon") {
      hover = point(event);
      showInk();
    } else if (current && event.isPrimary) {
      draw(event);
    }
  };
  const finish = (event) => {
    fingers.delete(event.pointerId);
    if (fingers.size < 2) pinched = null;
    grabbed = null;
    if (!current || !event.isPrimary || current.tool === "polygon") return;
    const mark = current;
    current = null;
    hand(mark);
    showRing();
  };
  const leave = () => {
    pointer = null;
    showRing();
  };
  const wheel = (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoomAt(...onSheet(event), Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)));
  };

  // Keys

  const choose = (name, value) => {
    // Here first, so that a busy kernel doesn't hold up the hand.
    model.set(name, value);
    model.save_changes();
  };
  const brushStep = (sign) => {
    const size = model.get("brush_size");
    const step = Math.max(1, Math.round(size * STEP));
    choose("brush_size", Math.min(model.get("largest"), Math.max(1, size + sign * step)));
  };
  const hide = (hidden) => sheet.classList.toggle("ttapi-hidden-mask", hidden);
  const holdSpace = (held) => {
    space = held;
    sheet.classList.toggle("ttapi-grab", held);
  };
  const plainKeys = {
    "[": () => brushStep(-1), "]": () => brushStep(1), "0": () => zoomMiddle(0), "+": () => zoomMiddle(1.25),
    "=": () => zoomMiddle(1.25), "-": () => zoomMiddle(0.8), h: () => hide(true), " ": () => holdSpace(true),
    x: () => choose("tool", model.get("tool") === "eraser" ? "brush" : "eraser"),
    enter: () => { if (current?.tool === "polygon") closePolygon(); },
    backspace: () => {
      if (current?.tool !== "polygon") return;
      current.points.splice(-3);
      if (current.points.length) showInk();
      else abandon();
    },
  };
  const focused = (event) => sheet.contains(document.activeElement) && sheet.contains(event.target);
  const keyDown = (event) => {
    if (!focused(event) || NOT_OURS.includes(event.key)) return;
    const name = event.key.toLowerCase();
    const control = event.ctrlKey || event.metaKey;
    const undo = control && (name === "z" ? (event.shiftKey ? "redo" : "undo") : name === "y" && "redo");
    // Ctrl+S still saves; but no bare letter reaches the notebook, where "d d" deletes the cell with the drawing.
    if (!undo && (control || /^f\d+$/.test(name))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (name === "escape") current?.tool === "polygon" ? abandon() : sheet.blur();
    else if (undo) model.send({ type: "key", action: undo });
    else if (!event.altKey && TOOL_KEYS[name]) choose("tool", TOOL_KEYS[name]);
    else if (!event.altKey) plainKeys[name]?.();
  };
  const keyUp = (event) => {
    if (event.key.toLowerCase() === "h") hide(false);
    if (event.key === " ") holdSpace(false);
  };
  const letGo = () => {
    hide(false);
    holdSpace(false);
  };

  // The row under the photo

  const button = (text, label, act) => {
    const made = element("button", "", { type: "button", textContent: text, title: label, onclick: act });
    made.setAttribute("aria-label", label);
    bar.append(made);
    return made;
  };
  button("−", "Zoom out", () => zoomMiddle(0.8));
  button("Fit", "Show the whole photo", () => zoomMiddle(0));
  button("+", "Zoom in", () => zoomMiddle(1.25));
  const hider = button("Hide mask", "Hide the mask while held");
  const hold = (hidden) => (event) => {
    if (!event.key || event.key === " " || event.key === "Enter") hide(hidden);
  };
  for (const type of ["pointerdown", "keydown"]) hider.addEventListener(type, hold(true));
  for (const type of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) hider.addEventListener(type, hold(false));
  // The photo keeps the keyboard: losing it would show the mask again.
  hider.addEventListener("mousedown", (event) => event.preventDefault());
  button("Full screen", "Paint on the full screen", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else (el.closest(".ttapi-drawer") ?? el).requestFullscreen().then(() => sheet.focus());
  });
  const keys = button("Keys", "Show the keys", () => {
    help.hidden = !help.hidden;
    keys.setAttribute("aria-expanded", String(!help.hidden));
  });

  // Neither the browser's menu nor the notebook's: the right button erases.
  const noMenu = (event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  const onPointer = {
    pointerdown: press, pointermove: move, pointerup: finish, lostpointercapture: finish, pointerleave: leave,
    contextmenu: noMenu, dblclick: () => { if (current?.tool === "polygon") closePolygon(); },
  };
  handles.forEach(pullMargin);
  for (const [type, listener] of Object.entries(onPointer)) over.addEventListener(type, listener);
  sheet.addEventListener("wheel", wheel, { passive: false });
  sheet.addEventListener("blur", letGo);
  // In the capture phase on window: the notebook listens further in.
  window.addEventListener("keydown", keyDown, true);
  window.addEventListener("keyup", keyUp, true);
  const onTool = () => { if (current?.tool === "polygon") abandon(); };
  const onModel = [
    [photo, "new-frame", showPhoto], [ink, "new-frame", inkDrawn], [photo, "change:width change:height", resize],
    [photo, "comm_live_update", alive], [model, "change:opacity change:tint change:show", restyle],
    [model, "change:tool", onTool], [model, "change:extending", makeRoom], [model, "change:frame", showAround],
    [model, "change:margins", () => { if (from) showAround(); else makeRoom(); }], [model, "change:brush_size change:ready change:scale change:tool", showRing],
    [model, "msg:custom", taken],
  ];
  for (const [source, event, listener] of onModel) source.on(event, listener);
  const watch = new ResizeObserver(layout);
  watch.observe(sheet);
  resize();
  restyle();
  return () => {
    watch.disconnect();
    clearTimeout(again);
    cancelAnimationFrame(marching);
    cancelAnimationFrame(ringFrame);
    window.removeEventListener("keydown", keyDown, true);
    window.removeEventListener("keyup", keyUp, true);
    for (const [source, event, listener] of onModel) source.off(event, listener);
  };
}

export default { render };
