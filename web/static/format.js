// Numbers as people read them. A dash stands for what was not measured.

const NONE = "–";
const SPACE = "\u00a0"; // a number stays with its unit on one line
const MINUS = "−";

/** About three significant digits. */
export function number(value) {
  if (value === null || value === undefined) return NONE;
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toFixed(digits).replace("-", MINUS);
}

/** A share 0–1 as a percentage. Only 0 is shown as 0 %, and only 1 as 100 %. */
export function percent(share) {
  if (share === null || share === undefined) return NONE;
  if (share > 0 && share < 0.01) return `<${SPACE}1${SPACE}%`;
  if (share < 1 && share > 0.99) return `>${SPACE}99${SPACE}%`;
  return `${Math.round(share * 100)}${SPACE}%`;
}

/** A unit for the head of a table; empty for a number without dimension. */
export function unitName(unit) {
  if (isShare(unit)) return "%";
  return ["1", "index"].includes(unit) ? "" : unit;
}

/** A value without its unit, for a column that has `unitName` in its head. */
export function amount({ value, unit }) {
  if (value === null || !isShare(unit)) return number(value);
  return percent(value).replace(`${SPACE}%`, "");
}

/** {value, unit, uncertainty} as one text. */
export function quantity({ value, unit, uncertainty }) {
  if (value === null) return NONE;
  if (isShare(unit)) return percent(value);
  const name = unitName(unit);
  const sign = name && name !== "°" ? `${SPACE}${name}` : name;
  if (!uncertainty) return `${number(value)}${sign}`;
  const digits = Math.min(3, Math.max(0, 1 - Math.floor(Math.log10(uncertainty)))); // two significant ones of the uncertainty
  return `${value.toFixed(digits).replace("-", MINUS)} ± ${uncertainty.toFixed(digits)}${sign}`;
}

const isShare = (unit) => unit.startsWith("share");

/** Two ends as a range, one number where they are the same; empty without a range. */
export function range(ends, show = String) {
  if (!ends) return "";
  return ends[0] === ends[1] ? show(ends[0]) : `${show(ends[0])}–${show(ends[1])}`;
}

export function milliseconds(ms) {
  if (ms === null || ms === undefined) return NONE;
  return ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms)} ms`;
}
