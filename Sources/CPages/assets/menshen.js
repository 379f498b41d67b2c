// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

// Copy buttons, and pages that follow what goes on. Every page can be read and used without this file.
"use strict";
const root = document.documentElement;
root.classList.add("js");

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

// Makes `old` like `fresh`, and touches nothing that is the same already: focus, scrolling and what is typed or opened stay.
// Elements with an id are the same as the one of that id, others as the one in their place.
function renew(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName || old.nodeType !== Node.ELEMENT_NODE) return old.replaceWith(fresh);
  for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  const named = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  const staying = new Set([...fresh.children].map((child) => child.id));
  for (const [id, child] of named) if (!staying.has(id)) child.remove();
  let here = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const same = next.id ? named.get(next.id) : here?.id ? null : here;
    if (!same) { old.insertBefore(next, here); continue; }
    if (same === here) here = here.nextSibling; else old.insertBefore(same, here);
    renew(same, next);
  }
  while (here) { const gone = here; here = here.nextSibling; gone.remove(); }
}

// The server says that something has changed, at most every two seconds; the page is then asked for once more. One renderer:
// nothing but our own markup is put in. A page that nobody sees does not ask.
const source = document.querySelector("main[data-changes]")?.dataset.changes;
if (source) {
  let events, retry, busy = false, again = false, isFirst = true;
  const say = (word) => { root.dataset.following = word; };
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of ["main", ".where"]) renew(document.querySelector(part), fresh.querySelector(part));
    } catch { /* the next event tries again */ } finally {
      busy = false;
      if (again) { again = false; refresh(); }
    }
  };
  const follow = () => {
    events = new EventSource(source);
    events.addEventListener("open", () => {
      say("yes");
      if (!isFirst) refresh(); // what has happened meanwhile
      isFirst = false;
    });
    events.addEventListener("changed", refresh);
    events.addEventListener("stopped", () => { events.close(); say("stopped"); });
    events.addEventListener("error", () => {
      say("no");
      // Refused; what merely broke off connects again by itself.
      if (events.readyState === EventSource.CLOSED) retry = setTimeout(follow, 10000);
    });
  };
  const look = () => {
    clearTimeout(retry);
    events?.close();
    if (!document.hidden) follow();
  };
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", () => events?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) look(); });
  look();
}
