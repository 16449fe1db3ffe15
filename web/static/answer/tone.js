// Skin tone: its group, and where it was measured, the Monk scale and the scale of the individual typology angle.

import { el, isAbsent } from "../dom.js";
import { number, range } from "../format.js";
import { fitzpatrick } from "../words.js";

const MONK = ["#f6ede4", "#f3e7db", "#f7ead0", "#eadaba", "#d7bd96", "#a07e56", "#825c43", "#604134", "#3a312a", "#292420"];
const [LOWEST, HIGHEST] = [-90, 90];
// name, least angle in degrees, a swatch; Chardon's and Del Bino's limits
const CATEGORIES = [
  ["dark", -90, "#3a2a22"], ["brown", -30, "#7a5238"], ["tan", 10, "#b98a5e"],
  ["intermediate", 28, "#d3ab83"], ["light", 41, "#e3c4a2"], ["very light", 55, "#f1dfc9"],
];

const GROUPS = { light: "#e8cdb0", medium: "#b98a5e", dark: "#5a3c2a" };
const REFERENCES = { colour_checker: "the colour checker", grey_card: "the grey card", white_point: "the stated white point" };

export function tone(found) {
  if (!found) return null;
  if (isAbsent(found.group)) return [el("p", {}, found.caveat)];
  return [group(found), monk(found), ita(found), fitzpatrickLine(found), el("p", { class: "hint" }, found.caveat)];
}

function group({ group: own, group_range: [lightest, darkest], reference }) {
  const names = Object.keys(GROUPS);
  const [from, to] = [names.indexOf(lightest), names.indexOf(darkest)];
  const spanned = from === to ? "Another photo of the same person most likely shows the same."
    : to - from > 1 ? "Another photo of the same person may show any of them."
      : `Another photo of the same person may show ${lightest} or ${darkest}.`;
  return el("div", { class: "scale" },
    el("p", { class: "scale-title" }, el("strong", {}, `${own[0].toUpperCase()}${own.slice(1)}`),
      reference ? `, measured with ${REFERENCES[reference] ?? reference}` : " in this photo"),
    el("ol", { class: "monk groups", "aria-hidden": "true" }, ...names.map((name, index) => el("li", {
      class: `${name === own ? "estimate" : ""} ${index >= from && index <= to ? "within" : ""}`,
      vars: { "--swatch": GROUPS[name] },
    }, name))),
    !reference && el("p", {}, spanned));
}

function monk({ monk_estimate: estimate, monk_range: ends }) {
  if (isAbsent(estimate)) return null;
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
  if (isAbsent(found.ita_deg)) return null;
  const [low, high] = [found.ita_deg - found.ita_uncertainty_deg, found.ita_deg + found.ita_uncertainty_deg];
  return el("div", { class: "scale" },
    el("p", { class: "scale-title" }, el("strong", {}, `ITA ${number(found.ita_deg)}°`), ` ± ${number(found.ita_uncertainty_deg)}°, ${found.ita_category}`),
    el("div", { class: "ita", "aria-hidden": "true" },
      el("div", { class: "ita-track" }, ...CATEGORIES.map(([, least, colour], index) => el("span", {
        vars: { "--swatch": colour, "--span": String((CATEGORIES[index + 1]?.[1] ?? HIGHEST) - least) },
      }))),
      el("span", { class: "ita-range", vars: { "--from": place(low), "--to": place(high) } }),
      el("span", { class: "ita-mark", vars: { "--at": place(found.ita_deg) } }),
      ...CATEGORIES.slice(1).map(([, least]) => el("span", { class: "ita-tick", vars: { "--at": place(least) } }, number(least).replace(/\.0+$/, "")))));
}

function fitzpatrickLine({ fitzpatrick_estimate: estimate, fitzpatrick_range: ends }) {
  if (isAbsent(estimate)) return null;
  return el("p", {}, `Fitzpatrick type by these colours: ${fitzpatrick(estimate)}${spread(ends, fitzpatrick)}.`);
}

const spread = (ends, show) => (ends && ends[0] !== ends[1] ? ` (${range(ends, show)})` : "");

/** Where an angle lies on the scale, in percent. */
function place(angle) {
  const share = (angle - LOWEST) / (HIGHEST - LOWEST);
  return `${(Math.min(1, Math.max(0, share)) * 100).toFixed(2)}%`;
}
