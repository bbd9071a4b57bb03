// The report editor: a plain textarea whose fields are jumped to, chosen and filled by key, and whose draft saves itself.
(() => {
  "use strict";

  const FIELD = /\[[^\[\]\n]*\]/g;
  const SAVE_AFTER_MS = 3000;

  const editor = document.querySelector("textarea[data-report-editor]");
  if (!editor) return;
  const form = editor.form;
  const status = document.querySelector("[data-save-status]");
  const choices = document.querySelector("[data-field-choices]");

  // ── fields ───────────────────────────────────────────────────────────────────────────────────────────────────────

  const fields = () => [...editor.value.matchAll(FIELD)].map((m) => ({ start: m.index, end: m.index + m[0].length, text: m[0] }));

  function select(field) {
    editor.focus();
    editor.setSelectionRange(field.start, field.end);
    showChoices(field);
  }

  function jump(step) {
    const all = fields();
    if (!all.length) return say("No field is open");
    const here = step > 0 ? editor.selectionEnd : editor.selectionStart;
    const next = step > 0 ? all.find((f) => f.start >= here) || all[0] : all.filter((f) => f.end <= here).pop() || all[all.length - 1];
    select(next);
  }

  const selected = () => fields().find((f) => f.start === editor.selectionStart && f.end === editor.selectionEnd);
  const options = (field) => (field.text.includes("|") ? field.text.slice(1, -1).split("|") : []);

  function showChoices(field) {
    if (!choices) return;
    const list = options(field);
    choices.textContent = list.map((option, i) => `${i + 1}  ${option || "(nothing)"}`).join("     ");
    choices.hidden = !list.length;
  }

  function replace(field, text) {
    editor.setSelectionRange(field.start, field.end);
    // insertText keeps the browser's own undo; setting the value would lose it.
    document.execCommand("insertText", false, text);
    const next = fields().find((f) => f.start >= editor.selectionEnd) || fields()[0];
    if (next) select(next);
    else if (choices) choices.hidden = true;
  }

  function acceptDefaults() {
    for (let field = fields().find((f) => options(f).length); field; field = fields().find((f) => options(f).length)) {
      editor.setSelectionRange(field.start, field.end);
      document.execCommand("insertText", false, options(field)[0]);
    }
  }

  // ── what stands beside ───────────────────────────────────────────────────────────────────────────────────────────

  const priors = [...document.querySelectorAll("[data-prior]")];

  // The caret stays where it is: whoever reads an earlier report goes on writing.
  function turn(step) {
    if (!priors.length) return say("There is no earlier exam");
    const at = priors.findIndex((prior) => prior.open);
    const next = at < 0 ? (step > 0 ? 0 : priors.length - 1) : at + step;
    priors.forEach((prior, i) => (prior.open = i === next));
    priors[next]?.scrollIntoView({ block: "nearest" });
  }

  function compare() {
    const prior = priors.find((each) => each.open) || priors[0];
    if (!prior) return say("There is no earlier exam to compare with");
    const field = fields().find((f) => f.text === "[comparison]");
    if (field) return replace(field, prior.dataset.prior);
    editor.focus();
    document.execCommand("insertText", false, prior.dataset.prior);
  }

  // ── doubts ───────────────────────────────────────────────────────────────────────────────────────────────────────

  const doubts = document.querySelector("[data-doubts]");
  const reasons = () => [...doubts.querySelectorAll("input")];

  // A reason that was typed stays with its doubt, wherever the text has moved it.
  function showDoubts(html) {
    const had = document.activeElement?.closest("[data-doubts]") ? document.activeElement.name : "";
    const typed = new Map(reasons().map((input) => [input.name, input.value]));
    doubts.innerHTML = html;
    reasons().forEach((input) => {
      input.value = typed.get(input.name) || input.value;
      if (input.name === had) input.focus();
    });
  }

  function place(button) {
    const [start, end] = button.dataset.place.split("-").map(Number);
    editor.focus();
    editor.setSelectionRange(start, end);
  }

  let looked = -1;
  function nextDoubt() {
    const all = [...doubts.querySelectorAll("[data-place]")];
    if (!all.length) return say("Nothing speaks against the text");
    looked = (looked + 1) % all.length;
    place(all[looked]);
  }

  doubts.addEventListener("click", (event) => {
    const button = event.target.closest("[data-place]");
    if (button) place(button);
  });

  // ── macros and templates ─────────────────────────────────────────────────────────────────────────────────────────

  const finder = document.querySelector("[data-texts-url]");
  const finding = finder.querySelector("input");
  let texts = new Map();

  // After the page stands: nobody waits for them before the first word.
  async function fetchTexts() {
    const answer = await fetch(finder.dataset.textsUrl, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const offered = await answer.json();
    texts = new Map(offered.map((each) => [each.key.toLowerCase(), each.text]));
    finder.querySelector("datalist").replaceChildren(...offered.map((each) => new Option(each.name, each.key)));
  }

  function put(text) {
    editor.focus();
    const at = editor.selectionStart;
    document.execCommand("insertText", false, text);
    const field = fields().find((f) => f.start >= at && f.end <= at + text.length);
    if (field) select(field);
  }

  function expand() {
    const word = editor.value.slice(0, editor.selectionStart).match(/(?:^|\s)(\.[a-z][a-z0-9]+)$/);
    const text = word && texts.get(word[1]);
    if (text === undefined || text === null || editor.selectionStart !== editor.selectionEnd) return false;
    editor.setSelectionRange(editor.selectionStart - word[1].length, editor.selectionStart);
    put(text);
    return true;
  }

  function find() {
    finder.hidden = false;
    finding.value = "";
    finding.focus();
  }

  finding.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    const text = event.key === "Enter" ? texts.get(finding.value.trim().toLowerCase()) : "";
    if (text === undefined) return say("No macro or template is called that", "danger");
    finder.hidden = true;
    if (text) put(text);
    else editor.focus();
  });

  // ── coded findings ───────────────────────────────────────────────────────────────────────────────────────────────

  const coded = [...form.querySelectorAll("[data-coded]")];
  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

  // The choice stands in the text too: in its field, else in its line, else in a new one at the end.
  function tell(input) {
    const name = input.dataset.coded;
    const value = input.tagName === "SELECT" ? input.selectedOptions[0].textContent : `${input.value.trim()} ${input.dataset.unit}`;
    if (!input.value.trim()) return queue();
    const line = `${name}: ${value}`;
    const field = fields().find((f) => f.text === `[${name}]`);
    const before = field ? null : editor.value.match(new RegExp(`^${escaped(name)}: .*$`, "m"));
    editor.focus();
    if (field) editor.setSelectionRange(field.start, field.end);
    else if (before) editor.setSelectionRange(before.index, before.index + before[0].length);
    else editor.setSelectionRange(editor.value.length, editor.value.length);
    document.execCommand("insertText", false, field ? value : before ? line : `\n${line}`);
    input.focus();
    return queue();
  }

  coded.forEach((input) => input.addEventListener("change", () => tell(input)));

  const KEYS = {
    F3: ["Next field", () => jump(1)],
    "Shift+F3": ["Field before", () => jump(-1)],
    "Alt+D": ["Take the first choice of every field", acceptDefaults],
    "Alt+ArrowDown": ["Next earlier exam", () => turn(1)],
    "Alt+ArrowUp": ["Earlier exam before", () => turn(-1)],
    "Alt+I": ["Name the open earlier exam as the comparison", compare],
    "Alt+M": ["Macro or template", find],
    "Alt+K": ["The first code to choose", () => coded[0]?.focus()],
    "Alt+W": ["Next place that does not fit", nextDoubt],
  };
  window.risKeys.push(...Object.entries(KEYS).map(([key, [text]]) => [key, text]), ["1 to 9", "In a field with choices: take the one with that number"]);

  form.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
    const bound = KEYS[`${event.shiftKey ? "Shift+" : ""}${event.altKey ? "Alt+" : ""}${key}`];
    if (bound) {
      event.preventDefault();
      return bound[1]();
    }
    if (event.target === editor && event.key === " " && !event.ctrlKey && !event.altKey && expand()) return event.preventDefault();
    const field = event.target === editor && selected();
    const option = field && /^[1-9]$/.test(event.key) ? options(field)[Number(event.key) - 1] : undefined;
    if (option !== undefined && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      replace(field, option);
    }
  });

  // ── saving ───────────────────────────────────────────────────────────────────────────────────────────────────────

  const chosen = () => coded.map((input) => [input.name, input.value]);
  const stand = () => JSON.stringify([editor.value, chosen()]);
  let saved = stand();
  let timer = null;
  let saving = Promise.resolve();

  function say(text, level = "") {
    if (!status) return;
    status.textContent = text;
    status.dataset.level = level;
  }

  async function save() {
    clearTimeout(timer);
    timer = null;
    const now = stand();
    if (now === saved || !form.dataset.saveUrl) return;
    const body = new URLSearchParams([["text", editor.value], ["row_version", form.elements.row_version.value], ["coded", "yes"], ...chosen()]);
    try {
      const answer = await fetch(form.dataset.saveUrl, {
        method: "POST",
        body,
        headers: { "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content, Accept: "application/json" },
      });
      const told = await answer.json();
      if (answer.ok) {
        saved = now;
        form.elements.row_version.value = told.row_version;
        say(`Draft saved ${told.saved_at}`);
        if (stand() === now) showDoubts(told.doubts);
      } else {
        say(told.message, "danger");
        form.dataset.lost = "yes";
      }
    } catch {
      say("Not saved: the server does not answer. Your text stays here; saving is tried again.", "danger");
      timer = setTimeout(queue, SAVE_AFTER_MS);
    }
  }

  function queue() {
    saving = saving.then(save);
    return saving;
  }

  editor.addEventListener("input", () => {
    if (!form.dataset.lost) say("Not saved yet");
    if (!timer) timer = setTimeout(queue, SAVE_AFTER_MS);
  });
  editor.addEventListener("blur", queue);

  let leaving = false;
  window.addEventListener("beforeunload", (event) => {
    if (!leaving && stand() !== saved) event.preventDefault();
  });

  // ── signing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  form.addEventListener("submit", async (event) => {
    const button = event.submitter;
    const signs = button && button.dataset.signs !== undefined;
    if (signs && fields().length) {
      event.preventDefault();
      select(fields()[0]);
      return say(`${fields().length} field${fields().length > 1 ? "s are" : " is"} still open`, "danger");
    }
    if (timer || stand() !== saved) {
      // The row version must be the newest one when the form goes, so a draft under way is waited for.
      event.preventDefault();
      await queue();
      if (stand() === saved) {
        leaving = true;
        form.requestSubmit(button);
      }
      return;
    }
    const uncoded = signs && coded.find((input) => input.dataset.needed !== undefined && !input.value);
    if (uncoded) {
      event.preventDefault();
      leaving = false;
      uncoded.focus();
      return say(`Not signed: choose ${uncoded.dataset.coded} first`, "danger");
    }
    const unanswered = signs && reasons().find((input) => !input.value.trim());
    if (unanswered) {
      event.preventDefault();
      leaving = false;
      unanswered.focus();
      return say("Not signed: say why the text is right, or change it", "danger");
    }
    leaving = true;
  });

  fetchTexts();
})();
