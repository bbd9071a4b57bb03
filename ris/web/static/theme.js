// Sets light or dark before anything is drawn: as chosen on this workstation, else as the system says.
(() => {
  "use strict";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => localStorage.getItem("theme") || "auto";

  function apply() {
    const theme = chosen() === "auto" ? (system.matches ? "dark" : "light") : chosen();
    document.documentElement.dataset.bsTheme = theme;
    document.documentElement.classList.toggle("ec-dark", theme === "dark");
  }

  function choose(theme) {
    localStorage.setItem("theme", theme);
    apply();
  }

  window.risTheme = { chosen, choose };
  system.addEventListener("change", apply);
  apply();
})();
