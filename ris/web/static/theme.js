// Sets light or dark before anything is drawn: as chosen on this workstation, else as the system says; on paper light.
(() => {
  "use strict";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const paper = matchMedia("print");
  const chosen = () => localStorage.getItem("theme") || "auto";

  function apply() {
    const onScreen = chosen() === "auto" ? (system.matches ? "dark" : "light") : chosen();
    const theme = paper.matches ? "light" : onScreen;
    document.documentElement.dataset.bsTheme = theme;
    document.documentElement.classList.toggle("ec-dark", theme === "dark");
  }

  function choose(theme) {
    localStorage.setItem("theme", theme);
    apply();
  }

  window.risTheme = { chosen, choose };
  system.addEventListener("change", apply);
  paper.addEventListener("change", apply);
  apply();
})();
