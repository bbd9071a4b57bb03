// A batch of replays goes on by itself while somebody looks at it.
(() => {
  "use strict";
  const form = document.querySelector("[data-go-on]");
  if (form) setTimeout(() => form.requestSubmit(), 300);
})();
