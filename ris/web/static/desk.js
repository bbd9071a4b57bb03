// Worklists: questions in a dialog instead of on a page, and a row that has the focus from the start.
(() => {
  "use strict";

  document.addEventListener("click", (event) => {
    const asker = event.target.closest("[data-ask-dialog]");
    if (asker) {
      event.preventDefault();
      const dialog = document.getElementById(asker.dataset.askDialog);
      const row = asker.closest("tr");
      dialog.querySelector("form").action = asker.dataset.askAction;
      dialog.querySelector("[data-ask-who]").textContent = row.querySelector(".row-name").textContent;
      dialog.querySelector("[name=answer]").value = "";
      dialog.showModal();
      dialog.addEventListener("close", () => document.getElementById(row.id)?.focus(), { once: true });
    }
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  });

  // Ctrl+Enter sends the answer, so that a note is written and sent without the mouse.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey && event.target.matches("dialog textarea")) event.target.form.requestSubmit();
  });

  // A refusal is answered under the address of the deed; the list polls under its own.
  const own = document.querySelector("[data-own-url]")?.dataset.ownUrl;
  if (own && new URL(own, location.href).pathname !== location.pathname) history.replaceState(null, "", own);

  // The first row has the focus, so that the keys work at once; after a deed, the row that it was done with.
  const last = sessionStorage.getItem("row");
  const rows = [...document.querySelectorAll("tr[tabindex]")];
  if (document.activeElement === document.body) (rows.find((row) => row.id === last) || rows[0])?.focus({ preventScroll: true });
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr[tabindex]");
    if (row) sessionStorage.setItem("row", row.id);
  });
})();
