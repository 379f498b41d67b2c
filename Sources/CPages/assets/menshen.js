// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

// Copy buttons and the live view. Every page can be read and used without this file.
"use strict";
document.documentElement.classList.add("js");

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source); // no clipboard here: select it instead
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});

// The server sends `changed` at most every two seconds. The page is then asked for again, and each part marked
// data-live takes the new one's place: one renderer, no templates here, nothing but our own markup is inserted.
const main = document.querySelector("main[data-live-src]");
if (main && "EventSource" in window && location.protocol !== "file:") {
  let busy = false, again = false;
  const refresh = async () => {
    if (document.hidden || busy) { again = true; return; }
    busy = true; again = false;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of document.querySelectorAll("[data-live][id]")) {
        const next = fresh.getElementById(old.id);
        if (!next || next.outerHTML === old.outerHTML) continue;
        if (old.contains(document.activeElement) || old.querySelector("details[open]")) continue; // being read
        old.replaceWith(document.adoptNode(next));
      }
    } catch { /* the next event tries again */ } finally {
      busy = false;
      if (again && !document.hidden) setTimeout(refresh, 2000);
    }
  };
  const events = new EventSource(main.dataset.liveSrc);
  events.addEventListener("changed", refresh);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && again) refresh(); });
}
