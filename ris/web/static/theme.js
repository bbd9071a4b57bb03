// Sets light or dark before anything is drawn: as chosen on this workstation, else as the system says.
(() => {
  "use strict";
  const chosen = localStorage.getItem("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = chosen || (dark ? "dark" : "light");
  document.documentElement.dataset.bsTheme = theme;
  document.documentElement.classList.toggle("ec-dark", theme === "dark");
})();
