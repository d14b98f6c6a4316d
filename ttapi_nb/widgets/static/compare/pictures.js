// Pictures by their names, which the kernel sends when they are first looked at; those that were looked at last are
// kept. Until one is there, and without a kernel, its thumbnail stands in.

const MOST_KEPT = 12;

function toURL(buffers, type) {
  return URL.createObjectURL(new Blob(buffers, { type }));
}

export function createPictures(model) {
  const urls = new Map(); // by the name of the picture, the latest last; null while the kernel has been asked
  let thumbs = [];

  const drop = (some) => some.forEach((url) => { if (url) URL.revokeObjectURL(url); });
  return {
    forget() {
      drop([...urls.values(), ...thumbs]);
      urls.clear();
    },
    begin(given) {
      drop(thumbs);
      thumbs = given.map((bytes) => (bytes ? toURL([bytes], "image/webp") : null));
    },
    // What there is of a picture by now.
    url(name, thumb) {
      const known = urls.get(name);
      if (!urls.has(name)) model.send({ type: "want", name });
      urls.delete(name);
      urls.set(name, known ?? null);
      for (const old of [...urls.keys()].slice(0, Math.max(0, urls.size - MOST_KEPT))) {
        drop([urls.get(old)]);
        urls.delete(old);
      }
      return known ?? thumbs[thumb];
    },
    // Whether the message brought one.
    receive(message, buffers) {
      if (message.type !== "picture" || !urls.has(message.name)) return false;
      drop([urls.get(message.name)]);
      urls.set(message.name, toURL(buffers, message.mime));
      return true;
    },
  };
}
