// The photo and the ink over it, copied from ipycanvas's canvases, and the marks that the kernel's own ink may not show
// yet, painted over it at once. Painting one twice changes nothing: paint is opaque, and see-through comes from CSS.

import { drawMark } from "./tools.js";

const INK = "#00beff"; // what the kernel's ink is drawn in; another tint is laid over it here

export function createInk({ under, over }, canvases, model, edges) {
  const [photoContext, context] = [under, over].map((canvas) => canvas.getContext("2d"));
  let pending = [];

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
  return {
    show,
    showPhoto() {
      photoContext.clearRect(0, 0, under.width, under.height);
      photoContext.drawImage(canvases.photo.canvas, 0, 0);
    },
    // The kernel's ink has a new frame, which has the marks that it answered.
    kernelDrew() {
      pending = pending.filter((mark) => !mark.taken);
      show();
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
    resize(width, height) {
      for (const canvas of [under, over]) [canvas.width, canvas.height] = [width, height];
      pending = [];
    },
  };
}
