// Hands bytes from the kernel to the browser as a downloaded file. In initialize, so that two views save one file.
function initialize({ model }) {
  const save = (message, buffers) => {
    if (message.type !== "save") return;
    const url = URL.createObjectURL(new Blob(buffers, { type: message.mime }));
    // In the page, where a front end that takes care of downloads itself sees the click.
    const anchor = Object.assign(document.createElement("a"), { href: url, download: message.name, hidden: true });
    document.body.append(anchor);
    anchor.click();
    anchor.remove();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  };
  model.on("msg:custom", save);
  return () => model.off("msg:custom", save);
}

export default { initialize, render() {} };
