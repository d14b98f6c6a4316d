// The page of a report: what it shows is in the file itself.
const pictures = JSON.parse(document.getElementById("pictures").textContent);
const report = new Report(document.getElementById("report"), JSON.parse(document.getElementById("told").textContent), (at) => `data:image/webp;base64,${pictures[at]}`);
document.addEventListener("keydown", (event) => report.key(event));
addEventListener("beforeunload", (event) => { if (!report.state.saved) event.preventDefault(); });
report.show();
