// Runs before the first paint: the chosen theme, and a mark that script is there.
"use strict";
(function () {
  const root = document.documentElement;
  root.classList.add("script");
  const chosen = window.localStorage.getItem("theme");
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
})();
