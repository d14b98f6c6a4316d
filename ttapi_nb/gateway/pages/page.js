// What has changed since, without losing what somebody is about to press; and texts to copy.

const live = document.querySelector("[data-live]");

async function look() {
  if (!document.hidden && !live.matches(":focus-within, :has(:active)")) {
    try {
      const answer = await fetch(live.dataset.live);
      // All of it is rendered, and escaped, where it comes from.
      if (answer.ok) live.innerHTML = await answer.text();
    } catch {
      // The next look may reach it.
    }
  }
  setTimeout(look, 3000);
}

if (live) setTimeout(look, 3000);

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      // Plain http has no clipboard: what is selected can be copied by its key.
      getSelection().selectAllChildren(text);
    }
  });
}
