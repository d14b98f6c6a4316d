// What stands in for ipycanvas where the page can't have its script: two canvases of the stage's own, for which the
// kernel sends it photo and ink. They look like ipycanvas's models to the rest of the stage.

import { make } from "../basics.js";

function makeModel() {
  const canvas = make("canvas", { width: 320, height: 240 });
  const listeners = [];
  return {
    canvas,
    get: (side) => canvas[side],
    on: (events, listener) => { for (const event of events.split(" ")) listeners.push([event, listener]); },
    off: () => { listeners.length = 0; },
    emit(event) {
      for (const [wanted, listener] of listeners) if (wanted === event) listener();
    },
  };
}

// A front end hands a message's bytes over as a DataView, or as an array.
function bytesOf(data) {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

export function ownCanvases(model) {
  const [photo, ink] = [makeModel(), makeModel()];
  const receive = {
    async photo({ width, height, mime }, data) {
      const picture = mime ? await createImageBitmap(new Blob([bytesOf(data)], { type: mime })) : null;
      for (const { canvas } of [photo, ink]) [canvas.width, canvas.height] = [width, height];
      if (picture) photo.canvas.getContext("2d").drawImage(picture, 0, 0);
      photo.emit("change:width");
    },
    // One byte a pixel: how opaque it is.
    ink({ left, top, width, height, colour }, data) {
      const part = new ImageData(width, height);
      const pixels = new Uint32Array(part.data.buffer);
      const alpha = bytesOf(data);
      for (let at = 0; at < pixels.length; at += 1) pixels[at] = (alpha[at] << 24) | colour;
      ink.canvas.getContext("2d").putImageData(part, left, top);
      ink.emit("new-frame");
    },
  };
  // In turn: a photo takes a while to be decoded, and the ink that follows is for it.
  let last = Promise.resolve();
  const hear = (message, buffers) => {
    if (receive[message.type]) last = last.then(() => receive[message.type](message, buffers[0])).catch(console.error);
  };
  model.on("msg:custom", hear);
  model.send({ type: "own" });
  return { photo, ink, stop: () => model.off("msg:custom", hear) };
}
