// One measure over time, as a line with its uncertainty as a band, and the same as a table.

import { el, fill, svg } from "../dom.js";
import { Service } from "../elements/service.js";
import { date, quantity, unitName } from "../format.js";

const [WIDTH, HEIGHT] = [340, 180];
const [LEFT, RIGHT, TOP, BOTTOM] = [48, 12, 12, 26];
const DAY = { dateStyle: "medium" };

/** `points`: [{at: Date, measured}], the oldest first, all of one measure with a value. */
export function chart(points) {
  const [first] = points;
  const title = `${first.measured.label}${unitName(first.measured.unit) ? `, ${unitName(first.measured.unit)}` : ""}`;
  const direction = el("span", {});
  new Service().measure(first.measured).then((known) => fill(direction, known && `Higher means: ${known.direction}.`));
  return el("figure", { class: "chart" },
    el("figcaption", {}, el("strong", {}, title), " ", direction, " The band is the uncertainty: " +
      "a change inside it may come from the photo alone."),
    drawing(points, title),
    el("details", {}, el("summary", {}, "The values"),
      el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Day"), el("th", { scope: "col" }, "Value"))),
        el("tbody", {}, ...points.map(({ at, measured }) => el("tr", {}, el("th", { scope: "row" }, date(at)), el("td", {}, quantity(measured))))))));
}

function drawing(points, title) {
  const scale = measured(points).unit.startsWith("share") ? 100 : 1;
  const rows = points.map(({ at, measured: { value, uncertainty } }) =>
    ({ at: at.getTime(), value: value * scale, spread: (uncertainty ?? 0) * scale }));
  const [low, high] = padded(Math.min(...rows.map((row) => row.value - row.spread)), Math.max(...rows.map((row) => row.value + row.spread)));
  const [begin, end] = [rows[0].at, rows.at(-1).at];
  const x = (at) => (end === begin ? (LEFT + WIDTH - RIGHT) / 2 : LEFT + ((at - begin) / (end - begin)) * (WIDTH - LEFT - RIGHT));
  const y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const line = (items) => items.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const band = [...rows.map((row) => [row.at, row.value + row.spread]), ...rows.toReversed().map((row) => [row.at, row.value - row.spread])];
  const day = (at) => date(new Date(at), DAY);
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}, from ${day(begin)} to ${day(end)}` },
    ...ticks(low, high).flatMap((value) => [
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
      text(LEFT - 6, y(value) + 4, `${value}`.replace("-", "−"), "end"),
    ]),
    svg("polygon", { class: "band", points: line(band) }),
    ...rows.map((row) => svg("line", { class: "whisker", x1: x(row.at), x2: x(row.at), y1: y(row.value - row.spread), y2: y(row.value + row.spread) })),
    svg("polyline", { class: "line", points: line(rows.map((row) => [row.at, row.value])) }),
    ...rows.map((row) => svg("circle", { class: "point", cx: x(row.at), cy: y(row.value), r: 4 })),
    text(begin === end ? x(begin) : LEFT, HEIGHT - 6, day(begin), begin === end ? "middle" : "start"),
    begin !== end && text(WIDTH - RIGHT, HEIGHT - 6, day(end), "end"));
}

const measured = ([first]) => first.measured;

function padded(low, high) {
  const margin = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
  return [low - margin, high + margin];
}

/** Two to six round numbers between `low` and `high`. */
function ticks(low, high) {
  const power = 10 ** Math.floor(Math.log10((high - low) / 2));
  const step = [5, 2, 1].map((one) => one * power).find((one) => (high - low) / one >= 2);
  const count = Math.floor(high / step) - Math.ceil(low / step) + 1;
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  return Array.from({ length: count }, (_, index) => Number(((Math.ceil(low / step) + index) * step).toFixed(digits)));
}

function text(x, y, words, anchor) {
  const label = svg("text", { x, y, "text-anchor": anchor });
  label.textContent = words;
  return label;
}
