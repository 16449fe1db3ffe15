// Skin tone on the Monk scale and on the scale of the individual typology angle.

import { el } from "../dom.js";
import { number, range } from "../format.js";
import { fitzpatrick } from "../words.js";
import { card } from "./card.js";

const MONK = ["#f6ede4", "#f3e7db", "#f7ead0", "#eadaba", "#d7bd96", "#a07e56", "#825c43", "#604134", "#3a312a", "#292420"];
const [LOWEST, HIGHEST] = [-90, 90];
// name, least angle in degrees, a swatch; Chardon's and Del Bino's limits
const CATEGORIES = [
  ["dark", -90, "#3a2a22"], ["brown", -30, "#7a5238"], ["tan", 10, "#b98a5e"],
  ["intermediate", 28, "#d3ab83"], ["light", 41, "#e3c4a2"], ["very light", 55, "#f1dfc9"],
];

export function tone(found) {
  if (!found) return null;
  if (found.ita_deg === null) return card("Skin tone", { name: "tone" }, el("p", {}, found.caveat));
  return card("Skin tone", { name: "tone" }, monk(found), ita(found), fitzpatrickLine(found),
    el("p", { class: "hint" }, found.caveat));
}

function monk({ monk_estimate: estimate, monk_range: ends }) {
  if (estimate === null) return null;
  const within = (step) => ends && step >= ends[0] && step <= ends[1];
  const text = `Monk tone ${estimate}${spread(ends)}`;
  return el("div", { class: "scale" },
    el("p", { class: "scale-title" }, el("strong", {}, text), " of 10"),
    el("ol", { class: "monk", "aria-hidden": "true" }, ...MONK.map((colour, index) => el("li", {
      class: `${index + 1 === estimate ? "estimate" : ""} ${within(index + 1) ? "within" : ""}`,
      vars: { "--swatch": colour },
    }, String(index + 1)))));
}

function ita(found) {
  const corrected = found.ita_corrected_deg;
  const ends = corrected === null ? null : [found.ita_deg, corrected].sort((a, b) => a - b);
  return el("div", { class: "scale" },
    el("p", { class: "scale-title" }, el("strong", {}, `ITA ${number(found.ita_deg)}°`), `, ${found.ita_category}`,
      corrected !== null && el("span", { class: "hint" }, ` ${number(corrected)}° after white balance`)),
    el("div", { class: "ita", "aria-hidden": "true" },
      el("div", { class: "ita-track" }, ...CATEGORIES.map(([, least, colour], index) => el("span", {
        vars: { "--swatch": colour, "--span": String((CATEGORIES[index + 1]?.[1] ?? HIGHEST) - least) },
      }))),
      ends && el("span", { class: "ita-range", vars: { "--from": place(ends[0]), "--to": place(ends[1]) } }),
      corrected !== null && el("span", { class: "ita-mark corrected", vars: { "--at": place(corrected) } }),
      el("span", { class: "ita-mark", vars: { "--at": place(found.ita_deg) } }),
      ...CATEGORIES.slice(1).map(([, least]) => el("span", { class: "ita-tick", vars: { "--at": place(least) } }, number(least).replace(/\.0+$/, "")))));
}

function fitzpatrickLine({ fitzpatrick_estimate: estimate, fitzpatrick_range: ends }) {
  if (estimate === null) return null;
  return el("p", {}, `Fitzpatrick type by these colours: ${fitzpatrick(estimate)}${spread(ends, fitzpatrick)}.`);
}

const spread = (ends, show) => (ends && ends[0] !== ends[1] ? ` (${range(ends, show)})` : "");

/** Where an angle lies on the scale, in percent. */
function place(angle) {
  const share = (angle - LOWEST) / (HIGHEST - LOWEST);
  return `${(Math.min(1, Math.max(0, share)) * 100).toFixed(2)}%`;
}
