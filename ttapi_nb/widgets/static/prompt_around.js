// A run of the editor around a part. It takes along the prompt as it stands in its field: what is typed faster than the
// kernel listens is on its way to it still. And it goes the way of the marks, so that none of them comes after it.

export const TAKEN_ALONG = "ttapi-taken-along";
export const RUN_ASKED = "ttapi-run-asked";

// The stage has it sent; `otherwise(asked)` does where there is none.
export function runAround(part, otherwise) {
  const editor = part.closest(".ttapi-editor");
  const stage = editor?.querySelector(".ttapi-stage-view");
  const area = editor?.querySelector(".ttapi-prompt textarea");
  const asked = area ? { prompt: area.value } : {};
  // So that its field knows it when it comes back.
  area?.dispatchEvent(new Event(TAKEN_ALONG));
  if (stage) stage.dispatchEvent(new CustomEvent(RUN_ASKED, { detail: asked }));
  else otherwise(asked);
}
