// Opens the form of the code that a scanned address carries behind its #, where no server's log sees it.
(() => {
  "use strict";
  function open() {
    const code = location.hash.slice(1);
    if (!/^\d{8}$/.test(code)) return;
    history.replaceState(null, "", location.pathname);
    const field = document.getElementById("code");
    field.value = code;
    field.form.requestSubmit();
  }

  addEventListener("hashchange", open);
  open();
})();
