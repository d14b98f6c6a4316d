// The pictures of a run, of which the kernel sends each once and when it is first looked at. Until then, and without a
// kernel, their thumbnails stand in.

function toURL(buffers, type) {
  return URL.createObjectURL(new Blob(buffers, { type }));
}

export function createPictures(model) {
  const urls = new Map(); // by the name of the picture; null while the kernel has been asked
  let run = null;
  let thumbs = [];

  const forget = () => {
    for (const url of [...urls.values(), ...thumbs]) if (url) URL.revokeObjectURL(url);
    urls.clear();
  };
  return {
    forget,
    begin(shown) {
      forget();
      run = shown.run;
      thumbs = shown.thumbs.map((bytes) => toURL([bytes], "image/webp"));
    },
    thumb: (at) => thumbs[at],
    // What there is of a picture by now.
    url(name, thumb) {
      if (!urls.has(name)) {
        urls.set(name, null);
        model.send({ type: "want", run, name });
      }
      return urls.get(name) ?? thumbs[thumb];
    },
    // Whether the message brought one.
    receive(message, buffers) {
      if (message.type !== "picture" || message.run !== run) return false;
      if (urls.get(message.name)) URL.revokeObjectURL(urls.get(message.name));
      urls.set(message.name, toURL(buffers, message.mime));
      return true;
    },
  };
}
