// Conditions of the similar cases, as bars with their bands.

import { el } from "../dom.js";
import { percent } from "../format.js";
import { band } from "../words.js";
import { bar, card } from "./card.js";

const INTRO = "A vote of the similar cases, by how similar they are. High is a third or more, possible a tenth or more. " +
  "Low never means that a condition is absent.";

export function conditions(answer) {
  return card("Conditions of similar cases", { name: "conditions", intro: answer.conditions.length ? INTRO : null },
    answer.conditions.map((condition) => {
      const share = condition.calibrated_probability ?? condition.probability;
      return el("div", { class: `condition ${condition.band}` },
        bar(condition.name, share, percent(share), { note: note(condition) }),
        evidence(condition.evidence));
    }));
}

function note(condition) {
  const parts = [band(condition.band)];
  if (condition.icd_10) parts.push(`ICD-10 ${condition.icd_10}`);
  if (typeof condition.agreement === "number") parts.push(`agreement of dermatologists ${percent(condition.agreement)}`);
  return parts.join(" · ");
}

function evidence(cases) {
  if (!cases.length) return null;
  const links = cases.slice(0, 5).map((id, index) => el("a", { href: `#case-${id}`, "aria-label": `Case ${index + 1}` }, String(index + 1)));
  return el("p", { class: "hint evidence" }, "From cases ", ...links.flatMap((link, index) => (index ? [" ", link] : [link])));
}
