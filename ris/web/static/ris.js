// What every page needs: the theme, the idle warning, live lists.
(() => {
  "use strict";
  const token = document.querySelector("meta[name=csrf-token]").content;

  const themeButton = document.querySelector("[data-theme-toggle]");
  const THEMES = { auto: ["◐", "as the system"], light: ["○", "light"], dark: ["●", "dark"] };

  function showTheme() {
    const [sign, words] = THEMES[window.risTheme.chosen()];
    themeButton.textContent = sign;
    themeButton.title = `Colours: ${words}`;
    themeButton.setAttribute("aria-label", themeButton.title);
  }

  themeButton.addEventListener("click", () => {
    const all = Object.keys(THEMES);
    window.risTheme.choose(all[(all.indexOf(window.risTheme.chosen()) + 1) % all.length]);
    showTheme();
  });
  showTheme();

  // A second click of an impatient hand does nothing; the server's one-use key is what guards.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method === "dialog") return;
    const address = event.submitter?.formAction || form.action;
    if (form.dataset.sent === address) event.preventDefault();
    else if (form.method === "post" && !form.dataset.saveUrl) form.dataset.sent = address;
  });

  // ── idle ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  const idleSeconds = Number(document.body.dataset.idleSeconds);
  const WARN_S = 60;
  const dialog = document.getElementById("idle-dialog");
  let lastUse = Date.now();
  let lastStay = Date.now();

  function stay() {
    lastUse = lastStay = Date.now();
    fetch(document.body.dataset.stayUrl, { method: "POST", headers: { "X-CSRFToken": token } });
  }

  ["keydown", "pointerdown", "wheel"].forEach((name) =>
    document.addEventListener(name, () => {
      if (dialog.open) return;
      lastUse = Date.now();
      // Typing for a long time sends nothing by itself, and the session must not end under it.
      if (lastUse - lastStay > 60000) stay();
    }, { passive: true }));

  document.getElementById("idle-stay").addEventListener("click", stay);

  setInterval(() => {
    const left = idleSeconds - (Date.now() - lastUse) / 1000;
    if (left <= 0) location.reload();
    else if (left <= WARN_S) {
      document.getElementById("idle-left").textContent = Math.ceil(left);
      if (!dialog.open) dialog.showModal();
    }
  }, 1000);

  // ── live lists ───────────────────────────────────────────────────────────────────────────────────────────────────

  const list = document.querySelector("[data-live]");
  if (!list) return;
  let lastAnswer = Date.now();
  let underWay = false;

  function show() {
    const age = document.querySelector("[data-live-age]");
    if (!age) return;
    const seconds = (Date.now() - lastAnswer) / 1000;
    age.textContent = `updated ${new Date(lastAnswer).toLocaleTimeString([], { hour12: false })}`;
    age.classList.toggle("stale", seconds > 15);
    if (seconds > 15) age.textContent += ", the server does not answer";
  }

  async function poll() {
    if (document.hidden || underWay) return;
    underWay = true;
    const address = new URL(location.href);
    address.searchParams.set("v", document.querySelector("[data-version]").dataset.version);
    try {
      const answer = await fetch(address, { headers: { "X-Poll": "1" } });
      if (answer.status === 401 || answer.redirected) return location.reload();
      if (answer.status === 200) (list.dataset.live === "part" ? morphPart : morph)(await answer.text());
      if (answer.ok) lastAnswer = Date.now();
    } catch {
      // The mark of age says it.
    }
    underWay = false;
    show();
  }

  // Rows have stable ids: an unchanged row is left alone, and so is one that somebody types in: focus, scroll and text stay.
  // The server sends an unchanged row without its cells.
  function morph(html) {
    const fresh = new DOMParser().parseFromString(`<table>${html}</table>`, "text/html").querySelector("tbody");
    const body = list.querySelector("tbody");
    const old = new Map([...body.rows].map((row) => [row.id, row]));
    const focused = document.activeElement?.closest("tr")?.id;
    const typed = document.activeElement?.matches("input, textarea, select") ? document.activeElement.closest("tr") : null;
    const versions = [...fresh.rows].map((row) => row.dataset.version);
    const rows = [...fresh.rows].map((row) => {
      const known = old.get(row.id);
      return known && row.id && (known === typed || known.dataset.version === row.dataset.version) ? known : document.adoptNode(row);
    });
    const staying = new Set(rows);
    [...body.rows].forEach((row) => staying.has(row) || row.remove());
    rows.forEach((row, i) => row === body.rows[i] || body.insertBefore(row, body.rows[i] || null));
    if (focused && document.activeElement?.closest("tr")?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
    // A row that was left as it was though it is another by now is asked for again.
    const isWhole = rows.every((row, i) => row.dataset.version === versions[i]);
    body.dataset.version = isWhole ? fresh.dataset.version : "";
    document.querySelectorAll("[data-live-count]").forEach((node) => { node.textContent = fresh.dataset.count; });
    document.querySelectorAll("[data-live-urgent]").forEach((node) => { node.textContent = `${fresh.dataset.urgent} STAT`; node.hidden = fresh.dataset.urgent === "0"; });
  }

  // A part of a page: whatever is the same stays the same node, and so focus, scroll, what is unfolded and what is typed stay.
  function morphPart(html) {
    blend(list, new DOMParser().parseFromString(html, "text/html").querySelector("[data-live]"));
  }

  function blend(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeName !== fresh.nodeName || (old.id || "") !== (fresh.id || "")) return old.replaceWith(fresh);
    if (old.nodeType !== Node.ELEMENT_NODE) return void (old.data = fresh.data);
    const kept = (name) => name === "open" && old.nodeName === "DETAILS";
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !kept(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (!kept(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    if (old.matches("[data-live-age]")) return;
    // What is equal at the beginning and at the end belongs together; in between, one by one.
    const [mine, theirs] = [[...old.childNodes], [...fresh.childNodes]];
    const shorter = Math.min(mine.length, theirs.length);
    let head = 0;
    let tail = 0;
    while (head < shorter && mine[head].isEqualNode(theirs[head])) head += 1;
    while (tail < shorter - head && mine.at(-1 - tail).isEqualNode(theirs.at(-1 - tail))) tail += 1;
    const after = mine[mine.length - tail] || null;
    const [left, wanted] = [mine.slice(head, mine.length - tail), theirs.slice(head, theirs.length - tail)];
    left.slice(wanted.length).forEach((node) => node.remove());
    wanted.forEach((node, i) => (i < left.length ? blend(left[i], node) : old.insertBefore(node, after)));
  }

  // A board on a wall is touched by nobody: as long as it is seen it is kept fresh. A poll without news costs next to nothing.
  setInterval(poll, 2000);
  document.addEventListener("visibilitychange", poll);
  setInterval(show, 1000);
  show();
})();
