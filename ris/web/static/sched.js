// The calendar of rooms, wrapped in one file so that it can be replaced. Times are the site's wall clock without offset.
(() => {
  "use strict";
  const GRID_MINUTES = 5;
  const page = document.querySelector("[data-schedule]");
  const token = document.querySelector("meta[name=csrf-token]").content;

  // One key books or moves to the slot with that number, in the dialog and on the page.
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const scope = document.querySelector("dialog[open]") || document;
    const slot = /^[1-9]$/.test(event.key) && scope.querySelector(`[data-slot-key="${event.key}"]`);
    if (slot) slot.click();
  });
  window.risKeys.push(["1 to 9", "Take the free time with that number"]);

  // How long a place is still held; at the end it is said, and the form can still be tried.
  const held = document.querySelector("[data-held-seconds]");
  if (held) {
    const left = held.querySelector("[data-held-left]");
    const end = performance.now() + held.dataset.heldSeconds * 1000;
    const tick = () => {
      const seconds = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      left.textContent = seconds ? `Held for you, ${clock} left.` : "The time is up: the slot is booked only if nobody else has taken it.";
      held.dataset.level = seconds > 60 ? "ok" : "late";
      if (!seconds) { held.setAttribute("role", "alert"); clearInterval(timer); }
    };
    const timer = setInterval(tick, 250);
    tick();
  }
  if (!page) return;

  const said = document.querySelector("[data-sched-said]");
  const rooms = JSON.parse(page.dataset.rooms);
  const roomNames = new Map(rooms.map(({ id, title }) => [id, title]));
  const mayBook = page.dataset.mayBook === "yes";
  const two = (number) => String(number).padStart(2, "0");
  const day = (moment) => `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
  const clock = (moment) => `${two(moment.getHours())}:${two(moment.getMinutes())}`;

  function say(text, level = "ok") {
    said.textContent = text;
    said.dataset.level = level;
  }

  // ── what the server is told ──────────────────────────────────────────────────────────────────────────────────────

  let asked = "";

  // Where rules ask for reasons the answer brings the dialog in which they are given.
  async function send(address, fields) {
    const answer = await fetch(address, {
      method: "POST",
      headers: { Accept: "application/json", "X-CSRFToken": token },
      body: new URLSearchParams(fields),
    }).catch(() => null);
    const told = answer?.headers.get("Content-Type")?.includes("json") ? await answer.json() : { message: "The server does not answer." };
    say(told.message, answer?.ok ? "ok" : "danger");
    await refresh();
    asked = told.panel || "";
    if (asked) present(asked);
    return Boolean(answer?.ok);
  }

  const place = (start, room) => ({ date: day(start), time: clock(start), room_id: room });

  async function move(event, start, room) {
    const address = `${page.dataset.stepUrl.replace(/0$/, event.id)}/move`;
    return send(address, { ...place(start, room), row_version: event.extendedProps.version });
  }

  // ── the calendar ─────────────────────────────────────────────────────────────────────────────────────────────────

  // What the server writes of a row, as the calendar wants it.
  function drawn(row) {
    const event = { id: row.id, resourceIds: [row.room], start: row.start, end: row.end, extendedProps: row };
    if ("closed" in row) return { ...event, title: row.closed, display: "background", classNames: [row.closed ? "closed" : "off-hours"] };
    if (row.held) return { ...event, title: row.name, editable: false, classNames: ["hold", size(row)] };
    const classNames = [`appointment-${row.status}`, size(row), row.stat ? "appointment-stat" : "", row.overbooked ? "overbooked" : ""];
    return { ...event, title: row.name, editable: row.status === "booked", classNames };
  }

  // How many lines fit in.
  function size(row) {
    const minutes = (new Date(row.end) - new Date(row.start)) / 60000;
    return minutes < 20 ? "one-line" : minutes < 30 ? "two-lines" : "";
  }

  // Lines of one text, the first of them styled as the name: each element less in four hundred appointments is seen in the time they take.
  function content({ event }) {
    if (event.display === "background") return { domNodes: [made("div", "closed-reason", event.title)] };
    const { exam, accession, status, stat, held, overbooked, alerts } = event.extendedProps;
    if (held) return { domNodes: [`${event.title}\n${held}`] };
    const name = `${stat ? "▲ STAT " : ""}${event.title}\n`;
    const rest = `${exam}\n${clock(event.start)} · ${accession}${status === "booked" ? "" : ` · ${status}`}${overbooked ? " · overbooked" : ""}`;
    return { domNodes: alerts ? [name, made("b", "event-alerts", `! ${alerts.join(", ")}\n`), rest] : [name + rest] };
  }

  function made(kind, name, text) {
    const node = document.createElement(kind);
    node.className = name;
    node.textContent = text;
    return node;
  }

  // What is seen by where an appointment stands is said in words.
  function describe(node, { start, end, room, status, held }) {
    const where = `${start.slice(11, 16)} to ${end.slice(11, 16)}, ${roomNames.get(room)}`;
    node.setAttribute("aria-description", held ? where : `${where}, ${status}`);
  }

  // The grid's table roles have no rows; without them the appointments are read as what they are: buttons.
  const calendarNode = document.getElementById("calendar");
  const GRID_ROLES = ["table", "row", "rowgroup", "cell", "columnheader", "rowheader"].map((role) => `[role=${role}]`).join();
  const GRID_ATTRIBUTES = ["role", "aria-colindex", "aria-rowindex", "aria-colspan", "aria-rowspan", "aria-colcount", "aria-rowcount"];

  function strip() {
    calendarNode.querySelectorAll(`${GRID_ROLES}, [aria-colindex], [aria-rowindex]`).forEach((node) =>
      GRID_ATTRIBUTES.forEach((name) => node.removeAttribute(name)));
  }

  const calendar = EventCalendar.create(calendarNode, {
    view: "resourceTimeGridDay",
    date: page.dataset.date,
    headerToolbar: { start: "", center: "", end: "" },
    dayHeaderFormat: () => "",
    allDaySlot: false,
    slotMinTime: page.dataset.first,
    slotMaxTime: page.dataset.last,
    slotDuration: "00:15",
    slotLabelInterval: "01:00",
    slotHeight: 22,
    snapDuration: `00:${two(GRID_MINUTES)}`,
    slotLabelFormat: (moment) => clock(moment),
    resources: rooms,
    columnWidth: "minmax(7.5rem, 1fr)",
    scrollTime: page.dataset.scrollTime,
    // Our own content says the time; how the calendar would say it costs a tenth of a second on a full day.
    eventTimeFormat: () => "",
    events: [],
    editable: mayBook,
    eventStartEditable: mayBook,
    eventDurationEditable: false,
    slotEventOverlap: false,
    // The line of now is drawn by the browser's clock: only where that is the site's.
    nowIndicator: Math.abs(new Date(page.dataset.now) - new Date()) < 120000,
    eventContent: content,
    eventClick: ({ event, jsEvent }) => {
      if (event.display !== "background" && !event.extendedProps.held) open(page.dataset.stepUrl.replace(/0$/, event.id), jsEvent.target);
    },
    eventDidMount: ({ el, event }) => {
      if (event.display === "background") return;
      el.dataset.eventId = event.id;
      describe(el, event.extendedProps);
    },
    eventDrop: async ({ event, revert }) => {
      if (!(await move(event, event.start, event.resourceIds[0]))) revert();
    },
    viewDidMount: strip,
  });

  // The rows as they are drawn, by id. An appointment that has not changed keeps its place, its node and its focus.
  let shown = new Map();

  function draw(rows) {
    const fresh = new Map(rows.map((row) => [row.id, row]));
    const texts = new Map([...shown.values()].map((row) => [row.id, JSON.stringify(row)]));
    const gone = [...shown.keys()].filter((id) => !fresh.has(id));
    const changed = rows.filter((row) => texts.get(row.id) !== JSON.stringify(row));
    if (gone.length + changed.length > 50) calendar.setOption("events", rows.map(drawn));
    else {
      gone.forEach((id) => calendar.removeEventById(id));
      changed.forEach((row) => (shown.has(row.id) ? calendar.updateEvent(drawn(row)) : calendar.addEvent(drawn(row))));
      // A node that stays is not mounted again.
      requestAnimationFrame(() => changed.forEach((row) => {
        const node = calendarNode.querySelector(`[data-event-id="${row.id}"]`);
        if (node) describe(node, row);
      }));
    }
    shown = fresh;
  }

  // After the frame has been measured: its measures are handed down to every node inside, so the appointments come when they stand.
  requestAnimationFrame(() => {
    strip();
    draw(JSON.parse(page.dataset.events));
    delete page.dataset.events;
  });

  // ── keys on an appointment ───────────────────────────────────────────────────────────────────────────────────────

  const STEPS = {
    ArrowUp: [-GRID_MINUTES, 0, "Alt+↑", `Move the appointment ${GRID_MINUTES} minutes up`],
    ArrowDown: [GRID_MINUTES, 0, "Alt+↓", `Move the appointment ${GRID_MINUTES} minutes down`],
    ArrowLeft: [0, -1, "Alt+←", "Move the appointment to the room on the left"],
    ArrowRight: [0, 1, "Alt+→", "Move the appointment to the room on the right"],
  };
  window.risKeys.push(...Object.values(STEPS).map(([, , key, text]) => [key, text]));
  calendarNode.addEventListener("keydown", async (press) => {
    const id = press.target.closest("[data-event-id]")?.dataset.eventId;
    const step = press.altKey && STEPS[press.key];
    if (!step || !id) return;
    press.preventDefault();
    const event = calendar.getEventById(id);
    if (!mayBook || event.editable === false) return say("This appointment cannot be moved any more.", "danger");
    const at = rooms.findIndex((room) => room.id === event.resourceIds[0]) + step[1];
    if (!rooms[at]) return;
    await move(event, new Date(event.start.getTime() + step[0] * 60000), rooms[at].id);
    focusEvent(id);
  });

  function focusEvent(id, tries = 20) {
    const node = calendarNode.querySelector(`[data-event-id="${id}"]`);
    if (node && document.activeElement !== node) node.focus();
    if (tries && document.activeElement?.dataset?.eventId !== id) requestAnimationFrame(() => focusEvent(id, tries - 1));
  }

  // ── from the list into the calendar ──────────────────────────────────────────────────────────────────────────────

  const list = () => document.getElementById("waiting");
  page.addEventListener("dragstart", (event) => {
    const card = event.target.closest?.("[data-procedure-id]");
    if (!card) return;
    event.dataTransfer.setData("text/plain", card.dataset.procedureId);
    event.dataTransfer.effectAllowed = "move";
    card.classList.add("dragged");
  });
  page.addEventListener("dragend", (event) => event.target.closest?.("[data-procedure-id]")?.classList.remove("dragged"));
  calendarNode.addEventListener("dragover", (event) => {
    event.preventDefault();
    const point = calendar.dateFromPoint(event.clientX, event.clientY);
    if (point?.resource) say(`${point.resource.title}, ${clock(onGrid(point.date))}`, "ok");
  });
  calendarNode.addEventListener("drop", (event) => {
    event.preventDefault();
    const procedure = event.dataTransfer.getData("text/plain");
    const point = calendar.dateFromPoint(event.clientX, event.clientY);
    if (!/^\d+$/.test(procedure) || !point?.resource) return;
    send(page.dataset.bookUrl.replace("/0/", `/${procedure}/`), place(onGrid(point.date), point.resource.id));
  });

  const onGrid = (moment) => new Date(Math.floor(moment.getTime() / (GRID_MINUTES * 60000)) * GRID_MINUTES * 60000);

  // ── the dialog ───────────────────────────────────────────────────────────────────────────────────────────────────

  const panel = document.getElementById("panel");
  let openedFrom = null;

  async function open(address, from) {
    const answer = await fetch(address, { headers: { "X-Panel": "1" } });
    if (!answer.ok) return say("This appointment cannot be opened.", "danger");
    openedFrom = from?.closest("[data-event-id]")?.dataset.eventId || null;
    present(await answer.text());
  }

  function present(html) {
    show(html);
    if (!panel.open) panel.showModal();
    panel.scrollTop = 0;
    (panel.querySelector("[data-first]") || panel.querySelector("[data-slot-key]") || panel.querySelector("a, button"))?.focus();
  }

  const show = (html) => panel.querySelector("[data-panel-body]").replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);

  page.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-panel]");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    open(link.href, link);
  });
  page.addEventListener("keydown", (event) => {
    const card = event.target.closest("[data-procedure-id]");
    if (card && (event.key === "ArrowDown" || event.key === "ArrowUp") && !event.altKey) {
      event.preventDefault();
      const names = [...list().querySelectorAll("a.card-name")].filter((node) => !node.closest("li").hidden);
      names[names.indexOf(card.querySelector("a.card-name")) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    }
  });
  panel.querySelector("[data-panel-close]").addEventListener("click", () => panel.close());
  panel.addEventListener("close", () => openedFrom && focusEvent(openedFrom));
  panel.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const fields = new FormData(form);
    if (await send(form.action, fields)) {
      panel.close();
      if (fields.get("date") && fields.get("date") !== page.dataset.date) {
        const link = document.createElement("a");
        link.href = `${location.pathname}?${new URLSearchParams({ site: document.getElementById("site").value, date: fields.get("date") })}`;
        link.textContent = "Show that day";
        said.append(" ", link);
      }
    } else if (!asked) {
      const alert = panel.querySelector("[role=alert]") || Object.assign(document.createElement("div"), { className: "alert alert-danger" });
      alert.setAttribute("role", "alert");
      alert.textContent = said.textContent;
      if (!alert.isConnected) panel.querySelector("[data-panel-body]").prepend(alert);
      form.dataset.sent = "";
      const key = form.querySelector("[name=form_key]");
      key.value = crypto.randomUUID?.() || key.value;
    }
  });

  // ── what waits ───────────────────────────────────────────────────────────────────────────────────────────────────

  const filter = document.getElementById("waiting-q");
  function narrow() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    list().querySelectorAll("li[data-procedure-id]").forEach((card) => {
      const text = card.textContent.toLowerCase();
      card.hidden = !words.every((word) => text.includes(word));
    });
  }
  // What is shown is narrowed at once; the server then looks through what is not.
  let later = 0;
  filter.addEventListener("input", () => {
    narrow();
    clearTimeout(later);
    later = setTimeout(refresh, 250);
  });
  filter.form.addEventListener("submit", (event) => {
    event.preventDefault();
    refresh();
  });

  // ── others work too ──────────────────────────────────────────────────────────────────────────────────────────────

  const age = document.querySelector("[data-sched-age]");
  let lastAnswer = Date.now();

  // One at a time: of two answers under way the older could come last, and every answer draws the appointments anew.
  let underWay = null;
  function refresh() {
    const mine = Promise.resolve(underWay).then(fetchChanges).finally(() => {
      if (underWay === mine) underWay = null;
    });
    return (underWay = mine);
  }

  async function fetchChanges() {
    const words = filter.value.trim();
    const answer = await fetch(`${page.dataset.eventsUrl}&q=${encodeURIComponent(words)}&v=${page.dataset.version}`, { headers: { "X-Poll": "1", Accept: "application/json" } }).catch(() => null);
    if (answer?.status === 401 || answer?.redirected) return location.reload();
    if (!answer?.ok) return;
    lastAnswer = Date.now();
    if (answer.status === 204) return;
    const fresh = await answer.json();
    const focused = document.activeElement?.closest("[data-event-id]")?.dataset.eventId;
    const focusedCard = document.activeElement?.closest("#waiting li")?.id;
    page.dataset.version = fresh.version;
    draw(fresh.events);
    list().replaceWith(new DOMParser().parseFromString(fresh.waiting, "text/html").getElementById("waiting"));
    document.querySelector("[data-waiting-count]").textContent = fresh.waiting_count;
    if (filter.value.trim() !== words) narrow();
    if (focused) focusEvent(focused);
    if (focusedCard) document.getElementById(focusedCard)?.querySelector("a")?.focus();
  }

  function showAge() {
    const stale = Date.now() - lastAnswer > 15000;
    age.textContent = `updated ${clock(new Date(lastAnswer))}:${two(new Date(lastAnswer).getSeconds())}${stale ? ", the server does not answer" : ""}`;
    age.classList.toggle("level-soon", stale);
  }

  const isDragging = () => document.querySelector(".dragged, .ec-dragging, .ec-preview");
  setInterval(() => document.hidden || isDragging() || underWay || refresh(), 2000);
  setInterval(showAge, 1000);
  showAge();
})();
