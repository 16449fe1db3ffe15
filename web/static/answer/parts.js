// Building blocks of an answer: folded cards, bars, facts; then two parts with few lines: quality and decision.

import { el, isAbsent, present } from "../dom.js";
import { percent } from "../format.js";
import { plain, reason } from "../words.js";

/** A card that opens. null where there is nothing to show, so that no empty frame appears. */
export function fold(title, { name = "", mark = null } = {}, ...children) {
  const content = present(...children);
  if (!content.length) return null;
  return el("details", { class: `card fold ${name}` },
    el("summary", {}, el("span", { class: "fold-title" }, el("span", {}, title), mark)),
    el("div", { class: "fold-body" }, ...content));
}

/** A labelled bar. `share` is 0 to 1; the text says the same, so the bar is hidden from screen readers. */
export function bar(label, share, text, { name = "", note = null } = {}) {
  return el("div", { class: `bar ${name}` },
    el("span", { class: "bar-label" }, label),
    el("span", { class: "bar-value" }, text),
    el("span", { class: "bar-track", "aria-hidden": "true" }, el("span", { class: "bar-fill", vars: { "--share": String(share ?? 0) } })),
    note && el("span", { class: "bar-note" }, note));
}

/** Names and values, one a line; absent pairs are left out. */
export function facts(...pairs) {
  return el("dl", { class: "facts" }, ...present(...pairs.map((pair) => pair && [pair])).map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** How good the photo is to measure on, and what would make it better. */
export function quality(found) {
  if (!found) return null;
  const { usable, score, problems } = found;
  return [
    el("p", {}, !isAbsent(score) && el("strong", {}, `${Math.round(score)} of 100. `),
      !usable ? "Nothing can be measured on this photo." : problems.length ? "Usable, with these problems:" : "No problem found."),
    problems.length > 0 && el("ul", { class: "problems" }, ...problems.map((problem) =>
      el("li", {}, el("strong", {}, problem.message), " ", problem.advice))),
  ];
}

/** The conditions that are named, how often such an answer is right, and why none is named. */
export function decision({ decision: found, accuracy, accuracy_reason: why }) {
  if (!found) return [];
  const { kind, set, coverage, group, reasons } = found;
  const whose = group && group !== "all" ? ` with a skin tone of ${group}` : "";
  return [
    kind === "abstain" && el("p", {}, "The similar cases name no condition."),
    kind !== "abstain" && el("p", {}, set.length === 1 ? "Most like: " : "Most like one of these: ", el("strong", {}, set.join(", ")), "."),
    kind !== "abstain" && !isAbsent(coverage) && el("p", {},
      `Answers like this one contain the right condition for ${percent(coverage)} of cases${whose}. For the other cases they do not.`),
    reasons.length > 0 && el("ul", { class: "reasons" }, ...reasons.map((code) => el("li", {}, reason(code)))),
    accuracy && el("p", {}, `${plain(accuracy.metric)} was ${percent(accuracy.value)} (95 % interval ${percent(accuracy.interval[0])} to ` +
      `${percent(accuracy.interval[1])}) for ${accuracy.group === "all" ? "all skin tones together" : `a skin tone of ${accuracy.group}`}, ` +
      `on ${accuracy.n} cases of ${accuracy.dataset}.`),
    why === "too_few" && el("p", {}, "There are too few labelled cases with this skin tone to say how often the service is right for it."),
  ];
}
