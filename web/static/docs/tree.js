// A JSON value that can be folded.

import { el } from "../dom.js";

const OPEN_LEVELS = 2;
const LONGEST_TEXT = 300;

/** An element that shows `value`. */
export function tree(value, name = "", level = 0) {
  const label = name !== "" && el("span", { class: "key" }, `${name}: `);
  if (value === null || typeof value !== "object") return el("div", { class: "leaf" }, label, leaf(value));
  const entries = Object.entries(value);
  if (entries.length === 0) return el("div", { class: "leaf" }, label, Array.isArray(value) ? "[]" : "{}");
  const size = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  return el("details", { class: "branch", open: level < OPEN_LEVELS },
    el("summary", {}, label, el("span", { class: "size" }, size)),
    ...entries.map(([key, item]) => tree(item, key, level + 1)),
  );
}

function leaf(value) {
  const text = JSON.stringify(value);
  const shown = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}… (${text.length} characters)` : text;
  return el("span", { class: value === null ? "null" : typeof value }, shown);
}
