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

  const KEYS = {
    F3: ["Next field", () => jump(1)],
    "Shift+F3": ["Field before", () => jump(-1)],
    "Alt+D": ["Take the first choice of every field", acceptDefaults],
  };
  window.risKeys.push(...Object.entries(KEYS).map(([key, [text]]) => [key, text]), ["1 to 9", "In a field with choices: take the one with that number"]);

  editor.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
    const bound = KEYS[`${event.shiftKey ? "Shift+" : ""}${event.altKey ? "Alt+" : ""}${key}`];
    if (bound) {
      event.preventDefault();
      return bound[1]();
    }
    const field = selected();
    const option = field && /^[1-9]$/.test(event.key) ? options(field)[Number(event.key) - 1] : undefined;
    if (option !== undefined && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      replace(field, option);
    }
  });

  // ── saving ───────────────────────────────────────────────────────────────────────────────────────────────────────

  let saved = editor.value;
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
    const text = editor.value;
    if (text === saved || !form.dataset.saveUrl) return;
    const body = new URLSearchParams({ text, row_version: form.elements.row_version.value });
    try {
      const answer = await fetch(form.dataset.saveUrl, {
        method: "POST",
        body,
        headers: { "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content, Accept: "application/json" },
      });
      const told = await answer.json();
      if (answer.ok) {
        saved = text;
        form.elements.row_version.value = told.row_version;
        say(`Draft saved ${told.saved_at}`);
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
    if (!leaving && editor.value !== saved) event.preventDefault();
  });

  // ── signing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  form.addEventListener("submit", async (event) => {
    const button = event.submitter;
    if (button && button.dataset.signs !== undefined && fields().length) {
      event.preventDefault();
      select(fields()[0]);
      return say(`${fields().length} field${fields().length > 1 ? "s are" : " is"} still open`, "danger");
    }
    if (timer || editor.value !== saved) {
      // The row version must be the newest one when the form goes, so a draft under way is waited for.
      event.preventDefault();
      await queue();
      if (!form.dataset.lost) {
        leaving = true;
        form.requestSubmit(button);
      }
      return;
    }
    leaving = true;
  });
})();
