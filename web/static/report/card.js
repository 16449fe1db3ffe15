// Building blocks of the report: cards and bars.

import { el, present } from "../dom.js";

/** A titled section; null where there is nothing to show, so that no empty frame appears. */
export function card(title, { name = "", intro = null } = {}, ...children) {
  const content = present(...children);
  if (!content.length) return null;
  return el("section", { class: `card ${name}` }, el("h3", {}, title), intro && el("p", { class: "hint" }, intro), ...content);
}

/** A labelled bar. `share` is 0 to 1; the text says the same, so the bar is hidden from screen readers. */
export function bar(label, share, text, { name = "", note = null } = {}) {
  return el("div", { class: `bar ${name}` },
    el("span", { class: "bar-label" }, label),
    el("span", { class: "bar-value" }, text),
    el("span", { class: "bar-track", "aria-hidden": "true" }, el("span", { class: "bar-fill", vars: { "--share": String(share ?? 0) } })),
    note && el("span", { class: "bar-note" }, note));
}
