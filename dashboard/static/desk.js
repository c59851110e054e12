// What the pages do beyond links and forms. Everything essential works without it.
"use strict";
(function () {
  const root = document.documentElement;
  const said = document.getElementById("said");
  const store = window.localStorage;

  function say(text) {
    if (said) said.textContent = text;
  }

  // Theme.
  document.addEventListener("click", function (event) {
    const button = event.target.closest("[data-theme-switch]");
    if (!button) return;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    store.setItem("theme", root.dataset.theme);
    window.dispatchEvent(new Event("theme"));
  });

  // Copy.
  document.addEventListener("click", function (event) {
    const button = event.target.closest("[data-copy]");
    if (!button || !navigator.clipboard) return;
    event.preventDefault();
    navigator.clipboard.writeText(button.dataset.copy).then(function () {
      say("copied");
      button.classList.add("copied");
      window.setTimeout(() => button.classList.remove("copied"), 1200);
    });
  });

  // Where a row of links is wider than the window, the present one is in sight.
  for (const here of document.querySelectorAll(".bar nav [aria-current], .tabs [aria-current]")) {
    here.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  // Relative times stay true while the page is open.
  function span(milliseconds) {
    const seconds = Math.floor(Math.abs(milliseconds) / 1000);
    if (seconds < 60) return seconds + " s";
    const minutes = Math.floor(seconds / 60) % 60, hours = Math.floor(seconds / 3600) % 24, days = Math.floor(seconds / 86400);
    if (days) return days + " d " + hours + " h";
    return hours ? hours + " h " + minutes + " min" : minutes + " min";
  }
  function refreshTimes() {
    const now = Date.now();
    for (const element of document.querySelectorAll("time[datetime]")) {
      const left = Date.parse(element.dateTime) - now;
      element.textContent = left > 0 ? "in " + span(left) : span(left) + " ago";
      if (element.hasAttribute("data-until")) element.classList.toggle("soon", left < 30 * 60 * 1000);
    }
  }
  refreshTimes();
  window.setInterval(refreshTimes, 10000);

  // Live queue: an event says that something changed; the list is asked for again, unless somebody is choosing.
  const rows = document.getElementById("rows");
  let waiting = null, behind = false;
  function choosing() {
    return rows.querySelector("input[name=case]:checked") !== null;
  }
  function refreshRows() {
    waiting = null;
    if (choosing()) {
      behind = true;
      say("There is news; it is shown when no case is chosen.");
      return;
    }
    behind = false;
    window.htmx.trigger(rows, "refresh-rows");
  }
  if (rows) {
    document.body.addEventListener("htmx:sseMessage", function () {
      if (waiting === null) waiting = window.setTimeout(refreshRows, 150);
    });
    document.body.addEventListener("htmx:beforeSwap", function (event) {
      if (event.target !== rows) return;
      const current = rows.querySelector("[data-row].current a.title");
      rows.dataset.current = current ? current.getAttribute("href") : "";
      rows.dataset.seen = Array.from(rows.querySelectorAll("a.title"), (link) => link.getAttribute("href")).join(" ");
    });
    document.body.addEventListener("htmx:afterSwap", function (event) {
      if (event.target !== rows) return;
      refreshTimes();
      const seen = new Set((rows.dataset.seen || "").split(" "));
      let fresh = 0;
      for (const row of rows.querySelectorAll("[data-row]")) {
        const href = row.querySelector("a.title").getAttribute("href");
        if (href === rows.dataset.current) row.classList.add("current");
        if (!seen.has(href)) { row.classList.add("fresh"); fresh += 1; }
      }
      if (fresh) say(fresh === 1 ? "A new case is in the list." : fresh + " new cases are in the list.");
    });
    rows.addEventListener("change", function (event) {
      if (event.target.matches("[data-choose-all]")) {
        for (const box of rows.querySelectorAll("input[name=case]")) box.checked = event.target.checked;
      }
      if (behind && !choosing()) refreshRows();
    });
  }

  // Who is sent away to confirm that it is him finds his words again when he comes back; nobody else does.
  const decision = document.querySelector("#decision textarea[name=reason]");
  if (decision) {
    const kept = "reason " + window.location.pathname, words = window.sessionStorage.getItem(kept);
    window.sessionStorage.removeItem(kept);
    const from = document.referrer ? new URL(document.referrer) : null;
    if (words && !decision.value && from && from.origin === window.location.origin && from.pathname === "/step-up") {
      decision.value = words;
    }
    decision.form.addEventListener("submit", () => window.sessionStorage.setItem(kept, decision.value));
  }

  // Keys. They can be switched off (WCAG 2.1.4).
  const help = document.getElementById("keys");
  const keysOn = () => store.getItem("keys") !== "off";
  const box = document.querySelector("[data-keys-switch]");
  if (box) {
    box.checked = keysOn();
    box.addEventListener("change", () => store.setItem("keys", box.checked ? "on" : "off"));
  }
  function move(step) {
    const all = Array.from(document.querySelectorAll("[data-row]"));
    if (!all.length) return;
    const at = all.findIndex((row) => row.classList.contains("current"));
    const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    for (const row of all) row.classList.toggle("current", row === next);
    next.querySelector("a.title").focus();
    next.scrollIntoView({ block: "nearest" });
  }
  const actions = {
    j: () => move(1),
    k: () => move(-1),
    x: function () {
      const box = document.querySelector("[data-row].current input[name=case]");
      if (box) box.click();
    },
    "/": function () {
      const field = document.querySelector("input[type=search]");
      if (field) field.focus();
    },
    c: function () {
      const button = document.querySelector("[data-claim] button");
      if (button) button.click();
    },
    d: function () {
      const field = document.querySelector("#decision textarea");
      if (field) field.focus();
    },
    u: function () {
      const link = document.querySelector("[data-back]");
      if (link) link.click();
    },
    "?": function () {
      if (help) help.showModal();
    },
  };
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || (help && help.open)) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const action = actions[event.key];
    if (!action || (!keysOn() && event.key !== "?")) return;
    event.preventDefault();
    action();
  });

  // A permanent link to a call opens the calls around it.
  const target = window.location.hash && document.getElementById(window.location.hash.slice(1));
  for (let around = target; around; around = around.parentElement) if (around.tagName === "DETAILS") around.open = true;
  if (target && target.closest(".tree")) target.scrollIntoView({ block: "center" });
})();
