// Tabs of the same code in several languages. Without this script, the languages stand below each other.

import { el } from "../dom.js";

const KEYS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

export function prepareTabs() {
  for (const [index, group] of document.querySelectorAll(".tabs").entries()) prepareGroup(group, `tabs-${index}`);
}

function prepareGroup(group, id) {
  const panels = [...group.querySelectorAll(":scope > .panel")];
  const tabs = panels.map((panel, index) => {
    const heading = panel.querySelector("h3");
    const name = heading.textContent;
    heading.remove();
    const tab = el("button", { type: "button", role: "tab", id: `${id}-tab-${index}`, class: "tab", "aria-controls": `${id}-panel-${index}` }, name);
    Object.assign(panel, { id: `${id}-panel-${index}`, role: "tabpanel" });
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => choose(name));
    tab.addEventListener("keydown", (event) => {
      if (!(event.key in KEYS)) return;
      event.preventDefault();
      const next = tabs[Math.min(Math.max(index + KEYS[event.key], 0), tabs.length - 1)];
      choose(next.textContent);
      next.focus();
    });
    return tab;
  });
  group.prepend(el("div", { role: "tablist", class: "tablist", "aria-label": "Language" }, ...tabs));
  group.addEventListener("choose", ({ detail }) => {
    if (!tabs.some((tab) => tab.textContent === detail)) return;
    tabs.forEach((tab, index) => {
      const chosen = tab.textContent === detail;
      tab.setAttribute("aria-selected", chosen);
      tab.tabIndex = chosen ? 0 : -1;
      panels[index].hidden = !chosen;
    });
  });
  select(group, tabs[0].textContent);
}

/** Show the language `name` in every group that has it. */
function choose(name) {
  for (const group of document.querySelectorAll(".tabs")) select(group, name);
}

function select(group, name) {
  group.dispatchEvent(new CustomEvent("choose", { detail: name }));
}
