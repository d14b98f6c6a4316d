// The photo and the ink over it, copied from ipycanvas's canvases, and the marks that the kernel's own ink may not show
// yet, painted over it at once. Painting one twice changes nothing: paint is opaque, and see-through comes from CSS.

import { make } from "../basics.js";
import { unpacked } from "../keeping.js";
import { drawMark } from "./tools.js";

const REST = 300; // milliseconds without another photo
const INK = "#00beff"; // what the kernel's ink is drawn in; another tint is laid over it here

async function bitmapOf(model, name) {
  const file = await model.widget_manager.get_model(unpacked(name));
  return createImageBitmap(new Blob([file.get("value")], { type: `image/${file.get("format")}` }));
}

let decoded = { name: null, bitmap: null };

// The photo from the file that it is sent in, begun to be decoded before anything is shown; null where there is none.
export function previewOf(model) {
  const name = model.get("preview");
  if (decoded.name !== name) decoded = { name, bitmap: name ? bitmapOf(model, name).catch(() => null) : null };
  return decoded.bitmap;
}

// Shows a canvas that seldom changes by a copy that is handed over once: without a GPU, the browser hands over anew, with
// each frame, all of a canvas that can be drawn on, half a millisecond while something else is painted.
function makeHolder(drawn, still) {
  const copied = make("canvas", { style: "display: block; width: 100%; height: 100%" });
  const context = copied.getContext("bitmaprenderer");
  // It can't be read, so whoever looks through the page's canvases shall not meet it.
  still.attachShadow({ mode: "closed" }).append(copied);
  let waiting = 0;
  const letGo = () => {
    clearTimeout(waiting);
    waiting = 0;
    still.hidden = true;
    drawn.style.opacity = "";
  };
  const hold = async () => {
    const mine = waiting;
    const copy = await createImageBitmap(drawn).catch(() => null);
    if (mine !== waiting || !copy) return;
    context.transferFromImageBitmap(copy);
    still.hidden = false;
    drawn.style.opacity = 0;
  };
  return {
    letGo,
    // Once it has come to rest: a copy takes time from the photo's first sight.
    holdSoon() {
      letGo();
      waiting = setTimeout(hold, REST);
    },
  };
}

export function createInk({ under, still, over }, canvases, model, edges) {
  const [photoContext, context] = [under, over].map((canvas) => canvas.getContext("2d"));
  const holder = makeHolder(under, still);
  let pending = [];
  let isToShow = false;
  let picture = null; // the photo as the page has it, which is there before the kernel has drawn it

  const draw = (mark, from) => drawMark(context, mark, model.get("tint"), from);
  const show = () => {
    const tint = model.get("tint");
    context.clearRect(0, 0, over.width, over.height);
    context.drawImage(canvases.ink.canvas, 0, 0);
    if (tint !== INK) {
      context.globalCompositeOperation = "source-in";
      context.fillStyle = tint;
      context.fillRect(0, 0, over.width, over.height);
      context.globalCompositeOperation = "source-over";
    }
    for (const mark of pending) draw(mark);
    edges.renew();
  };
  const fits = () => picture?.width === under.width && picture?.height === under.height;
  const showPhoto = () => {
    photoContext.clearRect(0, 0, under.width, under.height);
    photoContext.drawImage(fits() ? picture : canvases.photo.canvas, 0, 0);
    holder.holdSoon();
  };
  return {
    show,
    showPhoto,
    // What it draws is the same picture.
    kernelDrewPhoto() {
      if (!fits()) showPhoto();
    },
    // The file that the photo is sent in. Where the page can't have it, the kernel's drawing is all there is.
    async takePreview() {
      const name = model.get("preview");
      const shown = await previewOf(model);
      if (model.get("preview") !== name) return;
      picture = shown;
      showPhoto();
    },
    // The kernel's ink has a new frame, which has the marks that it answered. ipycanvas says so twice for a drawing that
    // names its canvas, and all of it is copied once.
    kernelDrew() {
      if (isToShow) return;
      isToShow = true;
      queueMicrotask(() => {
        isToShow = false;
        pending = pending.filter((mark) => !mark.taken);
        show();
      });
    },
    add(mark) {
      pending.push(mark);
    },
    drop(mark) {
      pending = pending.filter((other) => other !== mark);
    },
    // One mark on top, or what is new of it from one of its points on.
    paint(mark, from = 0) {
      draw(mark, from);
      edges.renew();
    },
    // For another photo, which has no ink yet: ipycanvas's canvas is emptied after this, and may still have the old.
    resize(width, height) {
      for (const canvas of [under, over]) [canvas.width, canvas.height] = [width, height];
      holder.letGo();
      pending = [];
      edges.renew();
    },
    stop: holder.letGo,
  };
}
