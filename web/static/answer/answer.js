// The answer: the summary first, then the photo with what was found, one card for each finding, and the rest folded.
// A field that is absent means null: answers leave nulls out.

import { el, isAbsent, present } from "../dom.js";
import { date, percent } from "../format.js";
import { certainty, modality } from "../words.js";
import { conditions } from "./condition.js";
import { lesion } from "./lesion.js";
import { decision, fold, quality } from "./parts.js";
import { hasOutlines, picture } from "./picture.js";
import { similar } from "./similar.js";
import { measured, measures, zones } from "./tables.js";
import { technical } from "./technical.js";
import { tone } from "./tone.js";

const EMPTY = { conditions: [], similar_cases: [], overlays: [], models: [], notes: [], attribution: {}, timings_ms: {}, image: {} };

/** `answer` with an empty part for each that its level of detail leaves out. */
export function complete(answer) {
  return { ...EMPTY, ...answer, skin: { measurements: [], ...answer.skin } };
}

/**
 * The answer `given` about the photos at `urls`. `service` knows its addresses and catalogues. `explain` asks for
 * all that can be drawn on the photo; null where that is not possible. The slot "actions" takes buttons for what can be
 * done with the answer.
 */
export function answerView(given, urls, { service, explain }) {
  const answer = complete(given);
  const spotlight = hasOutlines(answer) ? new EventTarget() : null; // tells the photo which zone is chosen
  const sections = sectionsOf(answer, spotlight, service);
  return el("div", { class: "answer" },
    el("div", { class: "first" }, summary(answer, urls[0]), el("div", { class: "buttons actions" }, el("slot", { name: "actions" }))),
    urls.length > 0 && picture(answer, urls, { spotlight, explain }),
    el("div", { class: "findings", part: "findings" }, ...findings(answer, sections, service)),
    el("div", { class: "rest", part: "details" },
      ...[...sections].map(([, { title, make }]) => fold(title, {}, make())),
      similar(answer, urls[0], service),
      technical(answer, given, service),
      el("p", { class: "hint" }, answer.disclaimer)));
}

function summary(answer, url) {
  const { language, summary: { headline, certainty: sure, next_step: next, limits } } = answer;
  return el("div", { class: "summary", part: "summary" },
    el("div", { class: "about" },
      url && el("img", { src: url, alt: "" }),
      el("p", { class: "hint" }, modality(answer.modality?.label), el("br"), date(answer.timestamp, { dateStyle: "medium" })),
      mark(sure, `This is ${certainty(sure).toLowerCase()}`)),
    answer.mock && el("p", { class: "flag" }, "Canned answer: nothing here was measured on the photo."),
    el("h2", { id: "headline", class: "headline", part: "headline", tabIndex: -1, lang: language }, headline),
    el("div", { class: "next", part: "next-step" }, el("h3", {}, "What to do"), el("p", { id: "next-step", lang: language }, next)),
    el("p", { class: "hint limits", lang: language }, limits));
}

/** path of a field → {title, make} of the part that shows it. A finding takes its part; the others are shown after it. */
function sectionsOf(answer, spotlight, service) {
  const { skin } = answer;
  const parts = [
    ["lesion", "What the lesion model says", () => lesion(answer.lesion, service)],
    ["decision", "Conditions of similar cases", () => [...present(...decision(answer)), ...(conditions(answer, service) ?? [])]],
    ["skin.zones", "Zones of the face", () => zones(skin.zones, spotlight)],
    ["skin.tone", "Skin tone in this photo", () => tone(skin.tone)],
    ["quality", "Quality of the photo", () => quality(answer.quality)],
    ["notes", "Notes", () => answer.notes.map((note) => el("p", {}, note))],
  ];
  return new Map(parts.map(([path, title, make]) => [path, { title, make }]));
}

/** One card for each finding. It opens to the numbers, the method and the limits of what it is based on. */
function findings(answer, sections, service) {
  const all = answer.summary.findings ?? [];
  if (!all.length) return [];
  return [el("h3", {}, "What was found"), ...all.map((one) => fold(el("span", { lang: answer.language }, one.text),
    { name: "finding", mark: mark(one.certainty) }, basis(one.basis, answer, sections, service)))];
}

const mark = (code, text = certainty(code)) => el("span", { class: `certainty ${code}` }, text);

function basis(path, answer, sections, service) {
  const [field, part, name] = path.split(".");
  if (field === "skin" && part === "measurements") {
    const based = ofName(answer.skin.measurements, name);
    return based.length > 1 ? measures(based, service) : measured(based, service);
  }
  if (field === "modality") return [el("p", {}, `${modality(answer.modality.label)}. ${sureness(answer.modality)}`)];
  for (const [key, { title, make }] of sections) {
    if (!path.startsWith(key)) continue;
    const made = present(make());
    sections.delete(key);
    if (made.length) return [el("h4", {}, title), ...made];
  }
  return [el("p", { class: "hint" }, "The numbers are on the card of another finding, or under “All values, method and versions”.")];
}

const ofName = (measurements, name) => measurements.filter((one) => !isAbsent(one.value) && (!name || one.name === name));

const sureness = ({ confidence, stated }) => present(stated && "This kind was stated.",
  !isAbsent(confidence) && `From the picture alone, the service gives it ${percent(confidence)}.`).join(" ");
