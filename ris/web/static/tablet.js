// Asks whether somebody is still there before the form closes, and leaves no page standing after it has.
(() => {
  "use strict";
  const said = document.body.dataset;
  const dialog = document.getElementById("idle-dialog");
  const left = document.getElementById("idle-left");
  let used = Date.now();

  function stay() {
    used = Date.now();
    fetch(said.stayUrl, { method: "POST", body: new URLSearchParams({ csrf_token: said.token }) });
  }

  document.getElementById("idle-stay").addEventListener("click", stay);
  setInterval(() => {
    const seconds = Number(said.idleSeconds) - (Date.now() - used) / 1000;
    if (seconds <= 0) location.replace(said.overUrl);
    else if (seconds <= Number(said.warnSeconds)) {
      left.textContent = Math.ceil(seconds);
      if (!dialog.open) dialog.showModal();
    }
  }, 1000);

  // A page that comes back out of the browser's memory shows what may be over.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
})();
