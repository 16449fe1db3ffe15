// The measurements: of the whole photo or of one region, and of the zones of a face.

import { el, fill, isAbsent } from "../dom.js";
import { amount, quantity, unitName } from "../format.js";
import { plain, region } from "../words.js";

const REPEATED = "± is how much a value may change when the photo is taken again.";

/** A table of the measures by region. Each name opens to its method. */
export function measures(measurements, service) {
  if (!measurements.length) return null;
  if (measurements.every((one) => isAbsent(one.value))) return [el("p", {}, "None of the measures could be taken on this photo.")];
  const regions = [...new Set(measurements.map((one) => one.region))];
  return [
    el("p", { class: "hint" }, `${REPEATED} Open a name to read how it is measured.`),
    ...regions.map((name) => table(name, measurements.filter((one) => one.region === name), service)),
  ];
}

/** Measures one by one, each with its number, meaning and method. */
export function measured(measurements, service) {
  return measurements.map((one) => el("div", { class: "measured" },
    el("p", {}, el("strong", {}, `${one.label}: ${quantity(one)}`)),
    !isAbsent(one.score) && el("p", {}, `Above ${Math.round(one.score)} of 100 photos that it is compared with.`),
    meaning(one, service),
    !isAbsent(one.uncertainty) && el("p", { class: "hint" }, REPEATED)));
}

/** What a higher value means, and the method. */
function meaning(one, service) {
  const place = el("div", {});
  service.measure(one).then((known) => fill(place, known && [
    el("p", { class: "hint" }, `Higher means: ${known.direction}.`),
    el("p", { class: "method" }, `Method: ${known.method}`),
  ]));
  return place;
}

function table(name, group, service) {
  const taken = group.filter((one) => !isAbsent(one.value));
  const missing = group.filter((one) => isAbsent(one.value));
  const scored = taken.some((one) => !isAbsent(one.score));
  return el("div", { class: "region" },
    taken.length > 0 && el("table", { class: "measures" },
      el("caption", {}, region(name)),
      el("thead", { class: scored ? "" : "visually-hidden" }, el("tr", {}, el("th", { scope: "col" }, "Measure"), el("th", { scope: "col" }, "Value"),
        scored && el("th", { scope: "col" }, "Percentile"))),
      el("tbody", {}, ...taken.map((one) => row(one, scored, service)))),
    missing.length > 0 && el("p", { class: "hint" },
      `${region(name)}, not measured: ${missing.map((one) => inSentence(one.label)).join(", ")}.`));
}

function row(one, scored, service) {
  return el("tr", {},
    el("th", { scope: "row" }, el("details", {}, el("summary", {}, one.label), meaning(one, service))),
    el("td", {}, quantity(one)),
    scored && el("td", {}, isAbsent(one.score) ? "" : `${Math.round(one.score)}`));
}

/**
 * One row for each zone of the face, one column for each measure. `spotlight` gets a "zone" event with the name of the
 * zone that is looked at, or null; without it the names are plain text.
 */
export function zones(found, spotlight = null) {
  const taken = (found ?? []).filter((zone) => zone.measurements.length); // the forehead is compared with nothing
  if (!taken.length) return null;
  const names = [...new Set(taken.flatMap((zone) => zone.measurements.map((one) => one.name)))];
  const named = (name) => taken.flatMap((zone) => zone.measurements).find((one) => one.name === name);
  return [
    el("p", { class: "hint" }, `Left and right are the person's own. ${REPEATED}${spotlight ? " Choose a zone to see it on the photo." : ""}`),
    el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of the zones" },
      el("table", { class: "matrix" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Zone"),
          ...names.map(named).map(({ label, unit }) => el("th", { scope: "col" }, label, " ", el("span", { class: "unit" }, unitName(unit)))))),
        el("tbody", {}, ...taken.map((zone) => el("tr", {},
          el("th", { scope: "row" }, spotlight ? zoneButton(zone.name, spotlight) : plain(zone.name)),
          ...names.map((name) => el("td", {}, amount(zone.measurements.find((one) => one.name === name) ?? { value: null })))))))),
  ];
}

function zoneButton(name, spotlight) {
  const button = el("button", {
    type: "button",
    class: "link zone-name",
    "aria-pressed": "false",
    onclick: () => {
      const pressed = button.getAttribute("aria-pressed") === "true";
      for (const other of button.closest("tbody").querySelectorAll("button")) other.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-pressed", String(!pressed));
      spotlight.dispatchEvent(new CustomEvent("zone", { detail: pressed ? null : name }));
    },
  }, plain(name));
  return button;
}

/** "Typology angle (ITA)" → "typology angle (ITA)". */
function inSentence(label) {
  return label.charAt(0).toLowerCase() + label.slice(1);
}
