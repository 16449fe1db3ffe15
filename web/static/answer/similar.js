// Similar cases as pictures beside the upload.

import { el, isAbsent } from "../dom.js";
import { percent } from "../format.js";
import { ageGroup, fitzpatrick, plain } from "../words.js";
import { bar, facts, fold } from "./parts.js";

export function similar(answer, ownUrl, service) {
  const cases = answer.similar_cases;
  if (!cases.length) return null;
  const demonstration = cases.some((one) => one.demonstration);
  const intro = demonstration
    ? "For demonstration: these cases are generated. They show no real person, and their labels are made up."
    : "Labelled cases whose photos are closest to yours. Similar pictures can have different causes.";
  const mark = demonstration ? el("span", { class: "flag" }, "Generated") : null;
  return fold(demonstration ? "Demonstration: similar cases" : "Similar cases", { name: "similar", mark },
    el("p", { class: "hint" }, intro),
    el("ul", { class: "cases" },
      ownUrl && el("li", { class: "case own" }, el("img", { src: ownUrl, alt: "Your photo" }), el("p", { class: "case-title" }, "Your photo")),
      ...cases.map((found, index) => one(found, index, service))),
    attribution(answer.attribution));
}

function one(found, index, service) {
  const about = details(found);
  return el("li", { class: "case", tabIndex: -1, "data-case": found.case_id },
    found.thumbnail
      ? thumbnail(service, found.thumbnail, { alt: `Photo of similar case ${index + 1}`, width: 160, height: 160, loading: "lazy" })
      : el("span", { class: "no-preview" }, "No picture"),
    el("p", { class: "case-title" }, `Case ${index + 1}`, el("span", {}, `${percent(found.similarity)} similar`)),
    found.demonstration && el("p", { class: "flag" }, "Generated"),
    differential(found),
    about.length > 0 && el("ul", { class: "case-facts" }, ...about.map((fact) => el("li", {}, fact))));
}

/** A picture of a case. Another origin gets it only with CORS, because the service keeps its pictures to those it allows. */
export function thumbnail(service, path, options) {
  return el("img", { crossOrigin: "anonymous", ...options, src: service.url(path) });
}

/** The labels of a generated case are made up, so they are folded away. */
function differential({ differential: weights, demonstration }) {
  const entries = Object.entries(weights).slice(0, 4);
  if (!entries.length) return null;
  const bars = el("div", { class: "bars small" }, ...entries.map(([name, weight]) => bar(name, weight, percent(weight))));
  return demonstration ? el("details", {}, el("summary", {}, "Made-up labels"), bars) : bars;
}

function details({ dermatologists, fitzpatrick: types, monk, body_parts: parts, age_group: age }) {
  const typed = [...new Set(types?.dermatologists ?? [])].map(fitzpatrick);
  const tones = [...new Set(Object.values(monk ?? {}).filter((tone) => !isAbsent(tone)))];
  return [
    dermatologists?.count && raters(dermatologists),
    typed.length ? `Fitzpatrick ${typed.join(", ")}` : types?.self_reported && `Fitzpatrick ${fitzpatrick(types.self_reported)}, self-reported`,
    tones.length && `Monk ${tones.join(", ")}`,
    (parts ?? []).map((part) => plain(part.toLowerCase())).join(", "),
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
    facts(...lines.map(([name, text]) => [plain(name), String(text)])));
}
