// Numbers as people read them. A dash stands for what was not measured.

import { isAbsent } from "./dom.js";

const NONE = "–";
const SPACE = "\u00a0"; // a number stays with its unit on one line
const MINUS = "−";
const COUNT = "spots"; // the unit of the only count, whose label says what is counted

/** About three significant digits. */
export function number(value) {
  if (isAbsent(value)) return NONE;
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return fixed(value, digits);
}

/** A share 0–1 as a percentage. Only 0 is shown as 0 %, and only 1 as 100 %. */
export function percent(share) {
  if (isAbsent(share)) return NONE;
  if (share > 0 && share < 0.01) return `<${SPACE}1${SPACE}%`;
  if (share < 1 && share > 0.99) return `>${SPACE}99${SPACE}%`;
  return `${Math.round(share * 100)}${SPACE}%`;
}

/** A unit for the head of a table; empty for a count and for a number without dimension. */
export function unitName(unit) {
  if (isShare(unit)) return "%";
  return ["1", "index", COUNT].includes(unit) ? "" : unit;
}

/** A value with its uncertainty and without its unit, for a column that has `unitName` in its head. */
export function amount({ value, unit, uncertainty }) {
  if (isAbsent(value)) return NONE;
  const scale = isShare(unit) ? 100 : 1;
  if (!uncertainty) return scale === 1 ? number(value) : percent(value).replace(`${SPACE}%`, "");
  const two = 1 - Math.floor(Math.log10(uncertainty * scale)); // two significant digits of the uncertainty
  const digits = unit === COUNT ? 0 : Math.min(3, Math.max(0, two));
  return `${fixed(value * scale, digits)} ± ${fixed(uncertainty * scale, digits)}`;
}

/** {value, unit, uncertainty} as one text. */
export function quantity(one) {
  if (isAbsent(one.value)) return NONE;
  const name = unitName(one.unit);
  return `${amount(one)}${name && name !== "°" ? `${SPACE}${name}` : name}`;
}

/** `value` with `digits` after the point; 0 has no sign. */
function fixed(value, digits) {
  return value.toFixed(digits).replace(/^-(?=[0.]+$)/, "").replace("-", MINUS);
}

const isShare = (unit) => unit.startsWith("share");

/** Two ends as a range, one number where they are the same; empty without a range. */
export function range(ends, show = String) {
  if (!ends) return "";
  return ends[0] === ends[1] ? show(ends[0]) : `${show(ends[0])}–${show(ends[1])}`;
}

export function milliseconds(ms) {
  if (isAbsent(ms)) return NONE;
  return ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms)} ms`;
}

/** A moment as people write it, in the language of the browser. */
export function date(iso, options = { dateStyle: "medium", timeStyle: "short" }) {
  return new Date(iso).toLocaleString(undefined, options);
}
