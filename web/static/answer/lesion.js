// The result of a lesion model: its caveat first, all classes in one colour, no verdict.

import { el } from "../dom.js";
import { percent } from "../format.js";
import { plain } from "../words.js";
import { condition } from "./condition.js";
import { facts } from "./parts.js";

const SUMS = { cancer: "Cancer", cancer_or_precancerous: "Cancer or precancerous" };

/** The parts of a lesion model's answer; null without one. */
export function lesion(found, service) {
  if (!found) return null;
  const input = found.input === "phone" ? "phone" : "dermatoscopic";
  const caveat = el("p", { class: "caveat" }, found.caveat);
  const intro = el("p", { class: "hint" }, `A model for ${input} photos of one lesion. By itself it decides nothing.`);
  if (!found.predictions.length) return [intro, caveat, el("p", {}, el("strong", {}, "None of its classes is named."))];
  return [
    intro,
    caveat,
    el("div", { class: "bars" }, ...found.predictions.map((one) => condition(one, one.probability, service))),
    possible(found),
    facts(...found.sums.map((one) => [`${sumName(one)}, together: ${names(one.codes, found)}`, percent(one.probability)])),
    el("p", { class: "hint" }, `${meaning(found)}Neither a low number nor a high one is a finding: ` +
      "whether a lesion needs care is for a doctor to say."),
  ];
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
