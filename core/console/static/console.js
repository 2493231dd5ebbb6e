// Comfort for the keyboard, and nothing that a page needs: every act works without this file.
"use strict";

(() => {
  const SWITCH = "guosuo.single-keys";
  const stored = () => { try { return localStorage.getItem(SWITCH) !== "off"; } catch { return true; } };

  // 1. A form is sent once: the second click of a double click sends nothing.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    form.setAttribute("aria-busy", "true");
  });
  // Back in the history the page is as it was: its forms may be sent again.
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) { delete form.dataset.sent; form.removeAttribute("aria-busy"); }
  });

  // 2. Single keys, outside of fields and without a modifier.
  const rows = () => [...document.querySelectorAll("main tbody tr > :first-child a")];
  const step = (by) => {
    const all = rows();
    if (!all.length) { return; }
    const at = all.indexOf(document.activeElement);
    all[Math.min(Math.max(at + by, 0), all.length - 1)].focus();
  };
  const keys = {
    j: () => step(1),
    k: () => step(-1),
    "/": () => document.querySelector("input[type=search]")?.focus(),
    "?": () => { location.href = "/console/keys"; },
  };
  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("input, textarea, select");
    if (field || event.ctrlKey || event.altKey || event.metaKey || !stored()) { return; }
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  // 3. They can be switched off (WCAG 2.1, 2.1.4).
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("single-keys");
    if (!button) { return; }
    const show = () => { button.textContent = stored() ? button.dataset.on : button.dataset.off; };
    button.hidden = false;
    button.addEventListener("click", () => { localStorage.setItem(SWITCH, stored() ? "off" : "on"); show(); });
    show();
  });
})();
