// Everything by key: filter, rows, actions, the palette, and the sheet that lists them.
(() => {
  "use strict";
  const palette = document.getElementById("palette");
  const sheet = document.getElementById("keys-sheet");
  const typing = (node) => node && (/^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName) || node.isContentEditable);
  const rows = () => [...document.querySelectorAll("tr[tabindex]")];

  function move(step) {
    const all = rows();
    const at = all.indexOf(document.activeElement?.closest("tr[tabindex]"));
    const next = all[at < 0 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1)];
    next?.focus();
  }

  const COMMON = {
    "/": ["Filter", () => document.querySelector("[data-hotkey-focus='/']")?.focus()],
    j: ["Next row", () => move(1)],
    k: ["Row before", () => move(-1)],
    "?": ["These keys", listKeys],
  };

  // What a page's own script listens to: [key, what it does], from the table that it listens by.
  window.risKeys = [];

  function listKeys() {
    const list = document.getElementById("keys-list");
    const found = [...document.querySelectorAll("[data-hotkey]")].map((n) => [n.dataset.hotkey.replace("alt+", "Alt+"), n.textContent.replace(/(Alt|Ctrl)\+\S+/g, "").trim()]);
    const onRow = [...new Map([...document.querySelectorAll("[data-row-key]")].map((n) => [n.dataset.rowKey, `${n.textContent.trim()}${n.title ? `: ${n.title}` : ""}`]))];
    const all = [...(palette ? [["Ctrl+K", "Search"]] : []), ...Object.entries(COMMON).map(([key, [text]]) => [key, text]), ["Enter", "Open the row"], ...onRow, ...found, ...window.risKeys];
    list.replaceChildren(...all.flatMap(([key, text]) => {
      const term = document.createElement("dt");
      const means = document.createElement("dd");
      term.textContent = key;
      means.textContent = text;
      return [term, means];
    }));
    sheet.showModal();
  }

  // WCAG 2.1.4: keys of a single letter can be switched off, for people whose speech or hand types them by chance.
  const off = document.getElementById("keys-off");
  off.checked = localStorage.getItem("keys") === "off";
  off.addEventListener("change", () => localStorage.setItem("keys", off.checked ? "off" : "on"));

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      if (!palette) return;
      event.preventDefault();
      return openPalette();
    }
    if (event.altKey) {
      const target = document.querySelector(`[data-hotkey="alt+${event.key.toLowerCase()}"]`);
      if (target) {
        event.preventDefault();
        target.click();
      }
      return;
    }
    if (typing(event.target) || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (off.checked && event.key.length === 1 && event.key !== "?") return;
    const row = document.activeElement?.closest("tr[tabindex]");
    if (row && event.key === "Enter" && event.target === row) return row.querySelector("a[data-row-open], a")?.click();
    if (row && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      return move(event.key === "ArrowDown" ? 1 : -1);
    }
    const action = row?.querySelector(`[data-row-key="${CSS.escape(event.key)}"]`);
    if (action) {
      event.preventDefault();
      return action.click();
    }
    const common = COMMON[event.key];
    if (common) {
      event.preventDefault();
      common[1]();
    }
  });

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) document.getElementById(opener.dataset.dialog).showModal();
  });

  if (!palette) return;

  // ── palette ──────────────────────────────────────────────────────────────────────────────────────────────────────

  const input = document.getElementById("palette-q");
  const results = document.getElementById("palette-results");
  let asked = 0;
  const TYPING_MS = 200;

  function openPalette() {
    if (palette.open) return;
    palette.showModal();
    input.select();
  }

  document.querySelector("[data-palette-open]").addEventListener("click", (event) => {
    event.preventDefault();
    openPalette();
  });

  // Each search is an entry in the audit trail: one for a word, not one for a letter.
  input.addEventListener("input", () => {
    const mine = ++asked;
    setTimeout(() => mine === asked && ask(mine), TYPING_MS);
  });

  async function ask(mine) {
    if (input.value.trim().length < 2) return results.replaceChildren();
    const answer = await fetch(`${palette.dataset.searchUrl}?q=${encodeURIComponent(input.value)}`, { headers: { Accept: "application/json" } });
    if (!answer.ok || mine !== asked) return;
    const found = await answer.json();
    results.replaceChildren(...found.map((hit) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = hit.address;
      const note = document.createElement("span");
      note.className = "note";
      note.textContent = hit.note;
      link.append(hit.text, note);
      item.append(link);
      return item;
    }));
  }

  palette.addEventListener("keydown", (event) => {
    const links = [...results.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      (links[at + (event.key === "ArrowDown" ? 1 : -1)] || (event.key === "ArrowDown" ? links[0] : input))?.focus();
    } else if (event.key === "Enter" && event.target === input && links.length) {
      event.preventDefault();
      links[0].click();
    }
  });
})();
