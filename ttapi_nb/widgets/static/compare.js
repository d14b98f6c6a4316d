// Lays a result over the photo it was made from. Comparing, zooming and panning never wait for the kernel: it only sends
// the pictures, each once and when it is first looked at. Until then, and without a kernel, their thumbnails stand in.
const MODES = [["slider", "Slider"], ["side", "Side by side"], ["blink", "Blink"], ["heat", "Heat map"]];
const MOST_ZOOM = 16;
const BLINK_MS = 800;
const NOT_OURS = ["Tab", "Escape", "Shift", "Control", "Alt", "Meta"];
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// A row of radio buttons: the browser brings their keys and tells screen readers what they are.
function choices(className, label, pick) {
  const row = make("div", { className });
  row.setAttribute("role", "radiogroup");
  row.setAttribute("aria-label", label);
  const name = `ttapi-${Math.random()}`;
  const add = (value, ...content) => {
    const input = make("input", { type: "radio", name, value: String(value) });
    input.addEventListener("change", () => pick(value));
    const choice = make("label", {}, input, ...content);
    row.append(choice);
    return choice;
  };
  const check = (value) => {
    for (const input of row.querySelectorAll("input")) input.checked = input.value === String(value);
  };
  const refuse = (value, why) => {
    const input = row.querySelector(`[value="${value}"]`);
    input.disabled = Boolean(why);
    input.parentElement.title = why;
  };
  return { row, add, check, refuse };
}

function render({ model, el }) {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const pick = (trait) => (value) => { model.set(trait, value); model.save_changes(); };
  let [position, zoom, centre] = [0.5, 1, [0.5, 0.5]];
  let [drag, space, held, timer] = [null, false, false, 0];
  let thumbs = [];
  let run = null;
  // Blob URLs by the name of the picture; null while the kernel has been asked.
  const pictures = new Map();

  const modes = choices("ttapi-choice", "How to compare", pick("mode"));
  for (const [value, text] of MODES) modes.add(value, make("span", { textContent: text }));
  const sides = choices("ttapi-choice", "What to show", (value) => pick("raw")(value === "raw"));
  sides.add("result", make("span", { textContent: "Result" })).title = "What is kept: outside the mask, the photo as it was";
  sides.add("raw", make("span", { textContent: "Raw answer" })).title = "What the model sent";
  const button = (text, title, act) => {
    const made = make("button", { type: "button", textContent: text, title });
    made.setAttribute("aria-label", title);
    made.addEventListener("click", act);
    return made;
  };
  const play = button("", "", () => blink(!timer));
  const scale = button("100%", "The whole picture (key 0)", () => zoomTo(1));
  const zooming = make("div", { className: "ttapi-zoom" },
    button("−", "Zoom out (key −)", () => zoomTo(zoom / 1.5)), scale, button("+", "Zoom in (key +, or Ctrl and the wheel)", () => zoomTo(zoom * 1.5)));
  const bar = make("div", { className: "ttapi-bar" }, modes.row, sides.row, play, zooming);

  const pane = (className) => {
    const [image, label] = [make("img", { draggable: false }), make("span", { className: "ttapi-label" })];
    return { image, label, box: make("div", { className: `ttapi-pane ${className}` }, image, label) };
  };
  const [before, after] = [pane("ttapi-before"), pane("ttapi-after")];
  before.label.textContent = "Before";
  const handle = make("div", { className: "ttapi-handle", tabIndex: 0 }, make("span"));
  for (const [name, value] of Object.entries({ role: "slider", "aria-label": "Before and after", "aria-valuemin": 0, "aria-valuemax": 100 })) {
    handle.setAttribute(name, value);
  }
  const view = make("div", { className: "ttapi-view" }, before.box, after.box, handle);
  view.setAttribute("role", "group");
  const strip = choices("ttapi-strip", "Results", pick("index"));
  el.classList.add("ttapi-compare");
  el.append(bar, view, strip.row);

  const show = ({ image }, name, thumb, alt) => {
    if (!pictures.has(name)) {
      pictures.set(name, null);
      model.send({ type: "want", run, name });
    }
    const url = pictures.get(name) ?? thumb;
    if (image.src !== url) image.src = url;
    image.alt = alt;
  };
  const drawPictures = () => {
    const [index, mode] = [model.get("index"), model.get("mode")];
    const item = model.get("shown").items[index];
    if (!item) return;
    const kind = mode === "heat" ? "heat" : model.get("raw") ? "raw" : "result";
    show(before, "before", thumbs[0], "Before the edit");
    show(after, `${kind} ${index}`, thumbs[index + 1], item.alt);
    after.label.textContent = { heat: "Heat map", raw: "Raw answer", result: "After" }[kind];
  };
  const drawView = () => {
    const mode = model.get("mode");
    const half = 0.5 / zoom;
    centre = centre.map((value) => clamp(value, half, 1 - half));
    const [x, y] = centre.map((value) => `${100 * (0.5 - value)}%`);
    for (const { image } of [before, after]) image.style.transform = `scale(${zoom}) translate(${x}, ${y})`;
    scale.textContent = `${Math.round(100 * zoom)}%`;
    const percent = Math.round(100 * position);
    handle.style.left = `${100 * position}%`;
    handle.setAttribute("aria-valuenow", percent);
    handle.setAttribute("aria-valuetext", `${percent}% before, ${100 - percent}% after`);
    after.box.style.clipPath = mode === "slider" ? `inset(0 0 0 ${100 * position}%)` : "";
    after.box.style.visibility = mode === "blink" && held ? "hidden" : "";
    view.classList.toggle("ttapi-zoomed", zoom > 1);
  };
  const blink = (on) => {
    clearInterval(timer);
    timer = on ? setInterval(() => { held = !held; drawView(); }, BLINK_MS) : 0;
    play.textContent = on ? "Pause" : "Play";
    play.title = on ? "Stop blinking" : "Blink by itself";
    play.setAttribute("aria-label", play.title);
  };
  const drawMode = () => {
    const mode = model.get("mode");
    const item = model.get("shown").items[model.get("index")];
    view.dataset.mode = mode;
    modes.check(mode);
    sides.check(model.get("raw") ? "raw" : "result");
    strip.check(model.get("index"));
    modes.refuse("heat", item?.no_heat ?? "");
    sides.row.hidden = !item?.has_raw;
    for (const side of ["result", "raw"]) sides.row.querySelector(`[value=${side}]`).disabled = mode === "heat";
    play.hidden = mode !== "blink";
    held = false;
    blink(mode === "blink" && !still.matches);
    view.tabIndex = mode === "slider" ? -1 : 0;
    view.setAttribute("aria-label", `${mode === "blink" ? "Hold Space to see the photo before. " : ""}Keys + and − zoom, 0 shows all, arrows move`);
    drawPictures();
    drawView();
  };
  const drawStars = () => {
    strip.row.querySelectorAll("label").forEach((label, at) => label.classList.toggle("ttapi-starred", model.get("starred").includes(at)));
  };
  const forget = () => {
    for (const url of [...pictures.values(), ...thumbs]) if (url) URL.revokeObjectURL(url);
    pictures.clear();
  };
  const drawRun = () => {
    const shown = model.get("shown");
    forget();
    run = shown.run;
    thumbs = shown.thumbs.map((bytes) => URL.createObjectURL(new Blob([bytes], { type: "image/webp" })));
    strip.row.replaceChildren();
    strip.row.hidden = shown.items.length < 2;
    if (shown.items.length > 1) {
      shown.items.forEach((item, at) => strip.add(at, make("img", { src: thumbs[at + 1], alt: item.alt, draggable: false }), make("span", { textContent: at + 1 })));
    }
    el.style.setProperty("--ttapi-aspect", shown.size[0] / shown.size[1]);
    [position, zoom, centre] = [0.5, 1, [0.5, 0.5]];
    drawMode();
    drawStars();
  };
  const arrive = (message, buffers) => {
    if (message.type !== "picture" || message.run !== run) return;
    if (pictures.get(message.name)) URL.revokeObjectURL(pictures.get(message.name));
    pictures.set(message.name, URL.createObjectURL(new Blob(buffers, { type: message.mime })));
    drawPictures();
  };

  // Zooms about a point of the view, given as shares of its width and height, which stays where it is.
  const zoomTo = (wanted, [x, y] = [0.5, 0.5]) => {
    const next = clamp(wanted, 1, MOST_ZOOM);
    centre = [centre[0] + (x - 0.5) * (1 / zoom - 1 / next), centre[1] + (y - 0.5) * (1 / zoom - 1 / next)];
    zoom = next;
    drawView();
  };
  const boxOf = (event) => ((event.target.closest?.(".ttapi-pane") ?? before.box).getBoundingClientRect());
  const wheel = (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const box = boxOf(event);
    zoomTo(zoom * Math.exp(-clamp(event.deltaY, -100, 100) / 300), [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
  };
  const slideTo = (value) => { position = clamp(value, 0, 1); drawView(); };
  const pan = (x, y) => { centre = [centre[0] + x / zoom, centre[1] + y / zoom]; drawView(); };
  const hold = (on) => { held = on; drawView(); };

  const press = (event) => {
    if (!event.isPrimary || ![0, 1].includes(event.button)) return;
    event.preventDefault();
    const mode = model.get("mode");
    (mode === "slider" ? handle : view).focus({ preventScroll: true });
    view.setPointerCapture(event.pointerId);
    drag = { slides: mode === "slider" && !space && event.button === 0, x: event.clientX, y: event.clientY, box: boxOf(event) };
    if (mode === "blink") { blink(false); hold(true); }
    move(event);
  };
  const move = (event) => {
    if (!drag || !event.isPrimary) return;
    const { box, slides, x, y } = drag;
    if (slides) slideTo((event.clientX - box.left) / box.width);
    else pan((x - event.clientX) / box.width, (y - event.clientY) / box.height);
    [drag.x, drag.y] = [event.clientX, event.clientY];
  };
  const release = () => {
    if (drag && model.get("mode") === "blink") hold(false);
    drag = null;
  };

  const SLIDES = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
  const PANS = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
  const ZOOMS = { "+": () => zoomTo(zoom * 1.5), "=": () => zoomTo(zoom * 1.5), "-": () => zoomTo(zoom / 1.5), 0: () => zoomTo(1) };
  // What a key does here; null leaves it to the button or list that has the focus.
  const actionOf = (event) => {
    if (ZOOMS[event.key]) return ZOOMS[event.key];
    if (!view.contains(event.target)) return null;
    const mode = model.get("mode");
    if (event.key === " ") return () => { space = true; if (mode === "blink" && !event.repeat) { blink(false); hold(true); } };
    if (mode === "slider") return event.key in SLIDES ? () => slideTo(position + SLIDES[event.key] * (event.shiftKey ? 10 : 1)) : null;
    return PANS[event.key] ? () => pan(...PANS[event.key]) : null;
  };
  const key = (event) => {
    if (!el.contains(event.target) || NOT_OURS.includes(event.key)) return;
    if (event.ctrlKey || event.metaKey || event.altKey || /^F\d+$/.test(event.key)) return;
    // No bare key goes on to the notebook, where "d d" deletes the cell; its own part of the page still gets it.
    event.stopImmediatePropagation();
    const act = actionOf(event);
    if (!act) return;
    event.preventDefault();
    act();
  };
  const keyUp = (event) => {
    if (event.key !== " " || !space) return;
    space = false;
    if (model.get("mode") === "blink") hold(false);
  };

  // A key that is released elsewhere is never seen to be.
  const onView = { pointerdown: press, pointermove: move, pointerup: release, lostpointercapture: release, focusout: () => keyUp({ key: " " }) };
  for (const [type, listener] of Object.entries(onView)) view.addEventListener(type, listener);
  view.addEventListener("wheel", wheel, { passive: false });
  // In the capture phase on window: the notebook listens further in.
  window.addEventListener("keydown", key, true);
  window.addEventListener("keyup", keyUp, true);
  const onModel = { "change:shown": drawRun, "change:mode": drawMode, "change:raw": drawMode, "change:index": drawMode, "change:starred": drawStars, "msg:custom": arrive };
  for (const [event, listener] of Object.entries(onModel)) model.on(event, listener);
  drawRun();
  return () => {
    blink(false);
    forget();
    window.removeEventListener("keydown", key, true);
    window.removeEventListener("keyup", keyUp, true);
    for (const [event, listener] of Object.entries(onModel)) model.off(event, listener);
  };
}

export default { render };
