// A scanner types like a keyboard, only faster than any hand, and ends with Enter. In a field that is what is typed; elsewhere it opens the exam.
(() => {
  "use strict";
  const FASTEST_HAND_MS = 35;
  const SHORTEST = 5;
  let read = "";
  let lastAt = 0;
  const inField = (node) => node && (/^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName) && !/^(checkbox|radio|button|submit)$/.test(node.type) || node.isContentEditable);

  document.addEventListener("keydown", (event) => {
    if (inField(event.target) || event.ctrlKey || event.altKey || event.metaKey || event.key === "Shift") return;
    const isFast = event.timeStamp - lastAt < FASTEST_HAND_MS;
    lastAt = event.timeStamp;
    if (event.key === "Enter" && isFast && read.length >= SHORTEST) {
      event.preventDefault();
      event.stopImmediatePropagation();
      open(read);
      read = "";
    } else if (event.key.length === 1) {
      read = isFast ? read + event.key : event.key;
      // The keys of a scan are no commands to the list below.
      if (isFast) { event.preventDefault(); event.stopImmediatePropagation(); }
    } else read = "";
  }, { capture: true });

  function open(code) {
    const address = new URL(document.body.dataset.scanUrl, location.href);
    address.searchParams.set("code", code);
    const patient = document.querySelector("[data-scan-patient]");
    if (patient) address.searchParams.set("patient_id", patient.dataset.scanPatient);
    if (patient?.dataset.scanExam) address.searchParams.set("procedure_id", patient.dataset.scanExam);
    location.assign(address);
  }
})();
