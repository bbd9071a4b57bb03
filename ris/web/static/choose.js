// Sends a form as soon as something is chosen in it. It is here before the page is, so that no choice comes too early.
(() => {
  "use strict";
  document.addEventListener("change", (event) => {
    if (event.target.form?.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });
})();
