// Conditions with their shares: bars, everyday names, and what each condition is.

import { el, fill, present } from "../dom.js";
import { percent } from "../format.js";
import { band } from "../words.js";
import { bar } from "./parts.js";

const METHODS = {
  vote: "A vote of the similar cases, by how similar they are.",
  head: "By a classifier that was trained on all labelled cases.",
  mixture: "By a vote of the similar cases and by a classifier that was trained on all labelled cases.",
};

/** `one`: a condition or a class of the answer; `share`: 0 to 1; `notes`: what else is said of it. */
export function condition(one, share, service, ...notes) {
  const note = present(one.lay_name, ...notes, one.icd_10 && `ICD-10 ${one.icd_10}`).join(" · ");
  return el("div", { class: "condition" }, bar(one.name, share, percent(share), { note }), one.link && whatItIs(one, service));
}

/** Opens to a text that is asked for at that moment. Without the service, the link is still there. */
function whatItIs({ name, link }, service) {
  const text = el("span", {});
  const opened = async () => {
    const about = await service.condition(name);
    fill(text, about && `${about} `);
  };
  return el("details", { class: "what", ontoggle: opened }, el("summary", { "aria-label": `What is ${name}?` }, "What is it?"),
    el("p", {}, text, el("a", { href: link, target: "_blank", rel: "noreferrer" }, `Read more at ${new URL(link).hostname.replace(/^www\./, "")}`)));
}

/** Conditions by the index's method, as bars with their bands. */
export function conditions({ conditions: found, index }, service) {
  if (!found.length) return null;
  return [
    el("p", { class: "hint" }, `${METHODS[index?.method] ?? ""} High is a third or more, possible a tenth or ` +
      "more. Low never means that a condition is absent."),
    ...found.map((one) => {
      const share = one.calibrated_probability ?? one.probability;
      const agreed = typeof one.agreement === "number" && `agreement of dermatologists ${percent(one.agreement)}`;
      return el("div", { class: "voted" }, condition(one, share, service, band(one.band), agreed), evidence(one.evidence));
    }),
  ];
}

function evidence(cases) {
  if (!cases.length) return null;
  const links = cases.slice(0, 5).map((id, index) => el("button", {
    type: "button",
    class: "link",
    "aria-label": `Case ${index + 1}`,
    onclick: (event) => goToCase(event.target.closest(".answer"), id),
  }, String(index + 1)));
  return el("p", { class: "hint evidence" }, "From cases ", ...links.flatMap((link, index) => (index ? [" ", link] : [link])));
}

/** Open the similar cases and go to one of them. */
function goToCase(answer, id) {
  const found = [...answer.querySelectorAll(".case")].find((one) => one.dataset.case === id);
  if (!found) return;
  found.closest("details").open = true;
  found.focus();
}
