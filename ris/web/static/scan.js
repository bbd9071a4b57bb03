// A scanner types like a keyboard, only faster than any hand, and ends with Enter. In a field that is what is typed; elsewhere it opens the exam.
(() => {
  "use strict";
  const FASTEST_HAND_MS = 35;
  const SHORTEST = 5;
  // Keys that came faster than a hand's, kept back until it is known whether they are a scan: else the list below would take them for commands.
  let held = [];
  let timer = 0;
  const replayed = new WeakSet();
  const inField = (node) => node && (/^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName) && !/^(checkbox|radio|button|submit)$/.test(node.type) || node.isContentEditable);

  document.addEventListener("keydown", (event) => {
    if (replayed.has(event) || inField(event.target) || event.ctrlKey || event.altKey || event.metaKey || event.key === "Shift") return;
    clearTimeout(timer);
    if (/^[\w-]$/.test(event.key)) {
      stop(event);
      held.push({ key: event.key, target: event.target });
      timer = setTimeout(letGo, FASTEST_HAND_MS);
    } else if (event.key === "Enter" && held.length >= SHORTEST) {
      stop(event);
      open(held.map((one) => one.key).join(""));
      held = [];
    } else letGo();
  }, { capture: true });

  function stop(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  // It was a hand: what it pressed happens now.
  function letGo() {
    const keys = held;
    held = [];
    for (const { key, target } of keys) {
      const again = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
      replayed.add(again);
      target.dispatchEvent(again);
    }
  }

  function open(code) {
    const address = new URL(document.body.dataset.scanUrl, location.href);
    address.searchParams.set("code", code);
    const patient = document.querySelector("[data-scan-patient]");
    if (patient) address.searchParams.set("patient_id", patient.dataset.scanPatient);
    if (patient?.dataset.scanExam) address.searchParams.set("procedure_id", patient.dataset.scanExam);
    location.assign(address);
  }
})();
