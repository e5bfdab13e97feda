// Tabs as screen readers know them: arrow keys go from one to the next, the address keeps which is open.
const tabs = [...document.querySelectorAll("[role=tab]")];

/** Open a tab by its name. */
export function show(name) {
  tabs.forEach((tab) => {
    const chosen = tab.getAttribute("aria-controls") === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !chosen;
  });
}

/** Open what is clicked, what the arrow keys reach, and what the address names. */
export function watchTabs() {
  const named = () => {
    const name = location.hash.slice(1);
    show(tabs.some((tab) => tab.getAttribute("aria-controls") === name) ? name : "protect");
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => (location.hash = tab.getAttribute("aria-controls")));
    tab.addEventListener("keydown", (event) => {
      const places = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 };
      if (!(event.key in places)) return;
      event.preventDefault();
      const next = tabs[(places[event.key] + tabs.length) % tabs.length];
      next.focus();
      next.click();
    });
  });
  addEventListener("hashchange", named);
  named();
}
