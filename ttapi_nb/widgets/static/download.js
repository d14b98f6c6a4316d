// Hands bytes from the kernel to the browser as a downloaded file. In initialize, so that two views save one file.
function initialize({ model }) {
  const save = (message, buffers) => {
    if (message.type !== "save") return;
    const url = URL.createObjectURL(new Blob(buffers, { type: message.mime }));
    Object.assign(document.createElement("a"), { href: url, download: message.name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  };
  model.on("msg:custom", save);
  return () => model.off("msg:custom", save);
}

export default { initialize, render() {} };
