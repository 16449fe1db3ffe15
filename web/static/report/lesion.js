// The result of a lesion model: its caveat first, all classes in one colour, no verdict.

import { el } from "../dom.js";
import { percent } from "../format.js";
import { bar, card } from "./card.js";

export function lesion({ lesion: found }) {
  if (!found) return null;
  const input = found.input === "phone" ? "phone" : "dermatoscopic";
  const intro = `For ${input} photos of one lesion. By itself it decides nothing.`;
  if (!found.predictions.length) return card("Lesion classifier", { name: "lesion", intro }, el("p", { class: "caveat" }, found.caveat));
  return card("Lesion classifier", { name: "lesion", intro },
    el("p", { class: "caveat" }, found.caveat),
    el("div", { class: "bars" }, ...found.predictions.map((one) =>
      bar(one.name, one.probability, percent(one.probability), { note: one.icd_10 && `ICD-10 ${one.icd_10}` }))),
    el("dl", { class: "facts" },
      fact("Classes counted as malignant, together", percent(found.malignant_probability)),
      ...found.sums.filter((one) => one.name !== "cancer").map((one) => fact("Cancer or precancerous, together", percent(one.probability))),
      fact("Malignant lesions it recognised in a test", percent(found.sensitivity))),
    el("p", { class: "hint" }, `${sentence(found.definition)} Neither a low number nor a high one is a finding: ` +
      "whether a lesion needs care is for a doctor to say."));
}

function fact(name, value) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
