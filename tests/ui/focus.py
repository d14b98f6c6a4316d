"""How well a control's focus stands out, measured in a page."""

from __future__ import annotations

# By what changes when it gets the focus, and its contrast to what that lies on or beside: the controls of an editor of
# which nothing has 3 to 1.
WEAK_FOCUS = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parsed = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const laid = ([r, g, b, a], under) => [r, g, b].map((one, at) => (one * a + under[at] * (255 - a)) / 255);
  const ground = (one) => {
    if (!one) return [255, 255, 255];
    const own = parsed(getComputedStyle(one).backgroundColor);
    return own[3] === 255 ? own : laid(own, ground(one.parentElement));
  };
  const light = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, share, at) => {
    const level = colour[at] / 255;
    return sum + share * (level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4);
  }, 0);
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const marks = (one) => {
    const { outlineStyle, outlineWidth, outlineColor, boxShadow } = getComputedStyle(one);
    const found = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 ? [outlineColor] : [];
    const ring = /^(rgba?\\([^)]*\\)|color\\([^)]*\\)) 0px 0px 0px ([\\d.]+)px/.exec(boxShadow);
    return ring && Number(ring[2]) >= 2 ? [...found, ring[1]] : found;
  };
  const looks = (one) => [one, one.parentElement, ...one.children].flatMap((part) => marks(part).map((colour) => {
    const [under, own] = [ground(part.parentElement), ground(part)];
    const beside = [under, own].map((one) => contrast(laid(parsed(colour), one), one));
    return { part, colour, best: Math.max(...beside) };
  }));
  const editor = document.querySelector(".ttapi-editor");
  const weak = [];
  for (const one of editor.querySelectorAll("button, input, select, textarea, [tabindex]")) {
    if (one.disabled || !one.checkVisibility({ visibilityProperty: true })) continue;
    document.activeElement.blur();
    const before = looks(one);
    const isNew = (look) => !before.some(({ part, colour }) => part === look.part && colour === look.colour);
    one.focus({ focusVisible: true, preventScroll: true });
    if (document.activeElement !== one) continue;
    const best = Math.max(0, ...looks(one).filter(isNew).map((look) => look.best));
    if (best < 3) weak.push([best.toFixed(1), one.outerHTML.slice(0, 120)]);
  }
  return weak;
}"""
