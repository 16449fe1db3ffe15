// Similar cases as pictures beside the upload.

import { el } from "../dom.js";
import { percent } from "../format.js";
import { ageGroup, fitzpatrick, plain } from "../words.js";
import { bar, card } from "./card.js";

export function similar(answer, ownUrl) {
  const cases = answer.similar_cases;
  if (!cases.length) return null;
  const demonstration = cases.some((one) => one.demonstration);
  const intro = demonstration
    ? "For demonstration: these cases are generated. They show no real person, and their labels are made up."
    : "Labelled cases whose photos are closest to yours. Similar pictures can have different causes.";
  return card("Similar cases", { name: "similar", intro },
    el("ul", { class: "cases" },
      el("li", { class: "case own" }, el("img", { src: ownUrl, alt: "Your photo" }), el("p", { class: "case-title" }, "Your photo")),
      ...cases.map(one)),
    attribution(answer.attribution));
}

function one(found, index) {
  const facts = details(found);
  return el("li", { class: "case", id: `case-${found.case_id}`, tabIndex: -1 },
    found.thumbnail
      ? el("img", { src: found.thumbnail, alt: `Photo of similar case ${index + 1}`, width: 160, height: 160 })
      : el("span", { class: "no-preview" }, "No picture"),
    el("p", { class: "case-title" }, `Case ${index + 1}`, el("span", {}, `${percent(found.similarity)} similar`)),
    found.demonstration && el("p", { class: "flag" }, "Generated"),
    differential(found),
    facts.length > 0 && el("ul", { class: "case-facts" }, ...facts.map((fact) => el("li", {}, fact))));
}

/** The labels of a generated case are made up, so they are folded away. */
function differential({ differential: weights, demonstration }) {
  const entries = Object.entries(weights).slice(0, 4);
  if (!entries.length) return null;
  const bars = el("div", { class: "bars small" }, ...entries.map(([name, weight]) => bar(name, weight, percent(weight))));
  return demonstration ? el("details", {}, el("summary", {}, "Made-up labels"), bars) : bars;
}

function details({ dermatologists, fitzpatrick: types, monk, body_parts: parts, age_group: age }) {
  const typed = [...new Set(types.dermatologists ?? [])].map(fitzpatrick);
  const tones = [...new Set(Object.values(monk).filter((tone) => tone !== null))];
  return [
    dermatologists.count && raters(dermatologists),
    typed.length ? `Fitzpatrick ${typed.join(", ")}` : types.self_reported && `Fitzpatrick ${fitzpatrick(types.self_reported)}, self-reported`,
    tones.length && `Monk ${tones.join(", ")}`,
    parts.map((part) => plain(part.toLowerCase())).join(", "),
    age && `Age ${ageGroup(age)}`,
  ].filter(Boolean);
}

function raters({ count, agreement: share }) {
  const agreed = typeof share === "number" && count > 1 ? `, ${percent(share)} agree` : "";
  return `${count} ${count === 1 ? "dermatologist" : "dermatologists"}${agreed}`;
}

function attribution(parts) {
  const lines = Object.entries(parts);
  if (!lines.length) return null;
  return el("details", { class: "attribution" }, el("summary", {}, "Source, licence and attribution of the cases"),
    el("dl", { class: "facts" }, ...lines.map(([name, text]) => el("div", {}, el("dt", {}, plain(name)), el("dd", {}, String(text))))));
}
