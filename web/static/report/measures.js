// The measurements by region. Opening a name shows how it was measured.

import { el } from "../dom.js";
import { quantity } from "../format.js";
import { region } from "../words.js";
import { card } from "./card.js";

export function measures(measurements) {
  if (measurements.length && measurements.every((one) => one.value === null)) {
    return card("Measurements", { name: "measures" }, el("p", {}, "None of the measures could be taken on this photo."));
  }
  const regions = Map.groupBy?.(measurements, (one) => one.region) ?? grouped(measurements);
  return card("Measurements", { name: "measures", intro: "± is how much a value may change when the photo is taken again. Open a name to read what it means and how it is measured." },
    [...regions].map(([name, group]) => table(name, group)));
}

function table(name, group) {
  const measured = group.filter((one) => one.value !== null);
  const missing = group.filter((one) => one.value === null);
  const scored = measured.some((one) => one.score !== null);
  return el("div", { class: "region" },
    measured.length > 0 && el("table", {},
      el("caption", {}, region(name)),
      el("thead", { class: scored ? "" : "visually-hidden" }, el("tr", {}, el("th", { scope: "col" }, "Measure"), el("th", { scope: "col" }, "Value"),
        scored && el("th", { scope: "col" }, "Percentile in the index"))),
      el("tbody", {}, ...measured.map((one) => row(one, scored)))),
    missing.length > 0 && el("p", { class: "hint" },
      `${region(name)}, not measured: ${missing.map((one) => inSentence(one.label)).join(", ")}.`));
}

function row(one, scored) {
  return el("tr", {},
    el("th", { scope: "row" }, el("details", {}, el("summary", {}, one.label), el("p", { class: "hint" }, `Higher means: ${one.direction}.`), el("p", { class: "method" }, one.method))),
    el("td", {}, quantity(one)),
    scored && el("td", { class: "percentile" }, one.score === null ? "" : `${Math.round(one.score)}`));
}

/** "Typology angle (ITA)" → "typology angle (ITA)". */
function inSentence(label) {
  return label.charAt(0).toLowerCase() + label.slice(1);
}

function grouped(measurements) {
  const groups = new Map();
  for (const one of measurements) groups.set(one.region, [...(groups.get(one.region) ?? []), one]);
  return groups;
}
