/* Search as one types, copying, the countdown, and keys. Everything works without it. */
"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector, within = document) => within.querySelector(selector);
  document.documentElement.classList.add("js");

  // A form is sent once: the second click of a double click finds the button asleep.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") {  // what is searched for stands in the address, and in the history
      const typed = all("input", form).find((field) => new RegExp(document.documentElement.dataset.token).test(field.value));
      if (typed) { event.preventDefault(); typed.value = ""; location.href = "/tokens/verify"; }
      return;
    }
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    setTimeout(() => { delete form.dataset.sent; }, 4000);
  });
  window.addEventListener("pageshow", () => all("form").forEach((form) => { delete form.dataset.sent; }));

  // Panes: filter the list, count what is ticked.
  for (const pane of all("[data-pane]")) {
    const search = one("[data-search]", pane), chosen = one("[data-chosen]", pane), every = one("[data-every]", pane);
    const rows = all(".choices li:not(.none), [data-row]", pane);
    const boxes = () => all("[name=read], [name=write]", pane);
    const count = () => {
      if (chosen) chosen.textContent = `${boxes().filter((box) => box.checked).length} of ${chosen.dataset.of} chosen`;
      if (every) pane.classList.toggle("every", every.checked);
    };
    search?.addEventListener("input", () => {
      const word = search.value.trim().toLowerCase();
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(word);
    });
    search?.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
    const set = (value) => (event) => {
      event.preventDefault();
      for (const row of rows) if (!row.hidden || !value) for (const box of all("input", row)) box.checked = value;
      pane.dispatchEvent(new Event("change", { bubbles: true }));
    };
    one("[data-all]", pane)?.addEventListener("click", set(true));
    one("[data-none]", pane)?.addEventListener("click", set(false));
    pane.addEventListener("change", count);
    count();
  }
  // Say in words what the token will be.
  const said = one("[data-words]"), form = one("form.make");
  const told = (name) => { const field = one(`#${name}`, form); return field.selectedOptions ? field.selectedOptions[0]?.textContent : field.value; };
  if (said) form.addEventListener("change", () => {
    const named = (action) => one(`[name=every-${action}]`, form).checked ? "all buckets"
      : all(`[name=${action}]:checked`, form).map((box) => box.nextElementSibling.firstChild.textContent.trim()).join(", ");
    const read = named("read"), write = named("write");
    const parts = read === write ? [read && `read and write ${read}`] : [read && `read ${read}`, write && `write ${write}`];
    const what = parts.filter(Boolean).join("; ");
    said.hidden = !what;
    said.textContent = `May ${what} in ${told("organization")}, for user ${told("user")}.`;
  });
  // Another organization has other buckets: ask for them.
  const organization = one("form.make [name=organization]:not([type=hidden])");
  if (organization && one(".panes")) organization.addEventListener("change", () => {
    const ask = document.createElement("input");
    Object.assign(ask, { type: "hidden", name: "act", value: "organization" });
    organization.form.append(ask);
    organization.form.submit();
  });

  for (const button of all("[data-copy]")) button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy), said = one("[data-copied]");
    try {
      await navigator.clipboard.writeText(source.textContent);
      said.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      said.textContent = "Select and copy it by hand";
    }
  });

  // What is being found out is asked for again.
  if (one("[data-wait]")) setTimeout(() => location.reload(), 1000);

  // The countdown to the end of the daemon.
  const left = one("[data-count]"), warned = one("[data-warned]");
  if (left) {
    const opened = Date.now(), longest = Number(left.dataset.longest || Infinity);
    const endFrom = (now) => Math.min(now + Number(left.dataset.left) * 1000, opened + longest * 1000);
    let end = endFrom(opened);
    const tell = (text) => { warned.hidden = false; warned.textContent = text; };
    one("[data-keep]").addEventListener("click", (event) => {
      event.preventDefault();  // what is typed here stays
      const asked = new Image();
      asked.onload = () => { end = endFrom(Date.now()); tell("Kept open."); };
      asked.onerror = () => tell("The page has stopped, or your session has ended: copy what you have typed, and load the page again.");
      asked.src = `/keep-open?next=${new URL(one("link[rel=icon]").href).pathname}&at=${Date.now()}`;
    });
    setInterval(() => {
      const seconds = Math.max(0, Math.round((end - Date.now()) / 1000));
      left.textContent = seconds > 90 ? `${Math.round(seconds / 60)} min` : `${seconds} s`;
      if (seconds === 60) tell("The page stops within a minute, unless you keep it open.");
    }, 1000);
  }

  // Keys, unless somebody does not want them.
  const stored = { get: () => { try { return localStorage.getItem("keys"); } catch { return null; } }, set: (value) => { try { localStorage.setItem("keys", value); } catch { /* then it holds for this page */ } } };
  const toggle = one("[data-keys]");
  let on = stored.get() !== "off", wentAt = 0;
  if (toggle) { toggle.checked = on; toggle.addEventListener("change", () => { on = toggle.checked; stored.set(on ? "on" : "off"); }); }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const menu of all(".menu[open]")) { menu.open = false; one("summary", menu).focus(); }
    if (!on || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=checkbox]), select, textarea")) return;
    if (event.key === "/") { const find = one("[data-find], [data-search]"); if (find) { event.preventDefault(); find.focus(); } }
    else if (event.key === "?") location.href = "/keys";
    else if (event.key === "g") wentAt = Date.now();
    else if (Date.now() - wentAt < 1500) { const link = one(`nav.places a[data-key="${CSS.escape(event.key)}"]`); if (link) link.click(); }
  });
})();
