// The panel of critical results: its forms act beside the report, so that no word of the text waits or is lost.
(() => {
  "use strict";

  const editor = document.querySelector("textarea[data-report-editor]");

  function offerText() {
    if (editor) document.querySelectorAll("[data-panel] [data-insert]").forEach((button) => { button.hidden = false; });
  }

  document.addEventListener("submit", async (event) => {
    const panel = event.target.closest("[data-panel]");
    if (!panel) return;
    event.preventDefault();
    const button = event.submitter;
    if (button) button.disabled = true;
    try {
      const answer = await fetch(event.target.action, { method: "POST", body: new URLSearchParams(new FormData(event.target)), headers: { "X-Panel": "1" } });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-panel]");
      if (!fresh) return event.target.submit();
      panel.replaceWith(document.adoptNode(fresh));
      offerText();
      (fresh.querySelector("details[open] [role=alert]") || fresh.querySelector("h2")).scrollIntoView({ block: "nearest" });
      fresh.querySelector("details[open] input:not([type=hidden]), summary")?.focus();
    } catch {
      if (button) button.disabled = false;
      window.alert("Not written down: the server does not answer. Try again.");
    }
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-panel] [data-insert]");
    if (!button || !editor) return;
    editor.focus();
    editor.setSelectionRange(editor.value.length, editor.value.length);
    // insertText keeps the browser's own undo.
    document.execCommand("insertText", false, `${editor.value.endsWith("\n") || !editor.value ? "" : "\n"}${button.dataset.insert}`);
  });

  offerText();
})();
