// The prompt of the editor around a part, as it stands in its field: what is typed faster than the kernel listens is on
// its way to it still, and a run takes it along.

export const TAKEN_ALONG = "ttapi-taken-along";

export function promptAround(part) {
  const area = part.closest(".ttapi-editor")?.querySelector(".ttapi-prompt textarea");
  if (!area) return {};
  // So that its field knows it when it comes back.
  area.dispatchEvent(new Event(TAKEN_ALONG));
  return { prompt: area.value };
}
