// The result of a lesion model: its caveat first, all classes in one colour, no verdict.

import { el } from "../dom.js";
import { percent } from "../format.js";
import { plain } from "../words.js";
import { bar, card } from "./card.js";

const SUMS = { cancer: "Cancer", cancer_or_precancerous: "Cancer or precancerous" };

export function lesion({ lesion: found }) {
  if (!found) return null;
  const input = found.input === "phone" ? "phone" : "dermatoscopic";
  const intro = `For ${input} photos of one lesion. By itself it decides nothing.`;
  const caveat = el("p", { class: "caveat" }, found.caveat);
  if (!found.predictions.length) {
    return card("Lesion model", { name: "lesion", intro }, caveat, el("p", {}, el("strong", {}, "None of its classes is named.")));
  }
  return card("Lesion model", { name: "lesion", intro },
    caveat,
    el("div", { class: "bars" }, ...found.predictions.map((one) =>
      bar(one.name, one.probability, percent(one.probability), { note: one.icd_10 && `ICD-10 ${one.icd_10}` }))),
    possible(found),
    el("dl", { class: "facts" }, ...found.sums.map((one) =>
      fact(`${sumName(one)}, together: ${names(one.codes, found)}`, percent(one.probability)))),
    el("p", { class: "hint" }, `${meaning(found)}Neither a low number nor a high one is a finding: ` +
      "whether a lesion needs care is for a doctor to say."));
}

/** The set of possible classes, and how often it contains the right one. */
function possible(found) {
  if (!found.decision?.set.length) return null;
  const { set, coverage } = found.decision;
  return el("p", { class: "possible" }, el("strong", {}, set.length > 1 ? "Possible classes: " : "Possible class: "), `${names(set, found)}. `,
    `For ${percent(coverage)} of photos like those that the model was made from, the right class is among those named here.`);
}

/** What "malignant" means in the caveat, where it is not cancer alone. */
function meaning(found) {
  const sum = found.sums.find((one) => one.probability === found.malignant_probability);
  return sum && sum.name !== "cancer" ? `“Malignant” above means ${sumName(sum).toLowerCase()}. ` : "";
}

const sumName = ({ name }) => SUMS[name] ?? plain(name);

/** The names of classes, in the order of `codes`. */
function names(codes, { predictions }) {
  return codes.map((code) => predictions.find((one) => one.code === code)?.name ?? code).join(", ");
}

function fact(name, value) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}
