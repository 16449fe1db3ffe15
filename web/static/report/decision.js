// The decision of the analysis, and its reasons.

import { el } from "../dom.js";
import { percent } from "../format.js";
import { plain, reason } from "../words.js";
import { card } from "./card.js";

const MODELS = { phone: "phone photos of a lesion", dermatoscopic: "dermatoscopic photos" };

export function decision(answer) {
  const { kind, set, reasons } = answer.decision;
  return card("What it says", { name: `decision ${kind}` },
    el("p", { class: "verdict" }, verdict(answer)),
    set.length > 1 && el("ul", { class: "set" }, ...set.map((name) => el("li", {}, name))),
    coverage(answer.decision),
    reasons.length > 0 && el("ul", { class: "reasons" }, ...reasons.map((code) => el("li", {}, reason(code)))),
    accuracy(answer),
    ...answer.notes.map((note) => el("p", { class: "hint" }, note)));
}

/** Names a condition only if the decision does, and always mentions the probabilities of a lesion model. */
function verdict({ decision: { kind, set }, lesion }) {
  if (kind === "abstain" && !lesion?.predictions.length) return "No condition is named.";
  if (kind === "abstain") return `Similar cases name no condition. A model for ${MODELS[lesion.input]} gives the probabilities below.`;
  return set.length === 1 ? `Most like: ${set[0]}.` : "Most like one of these:";
}

function coverage({ kind, coverage: share, group }) {
  if (kind === "abstain" || share === null) return null;
  const whose = group && group !== "all" ? ` with a skin tone of ${group}` : "";
  return el("p", {}, `Answers like this one contain the right condition for ${percent(share)} of cases${whose}. ` +
    "For the other cases they do not. This is not a diagnosis.");
}

/** How often the service was right for people like this one. */
function accuracy({ accuracy: measured, accuracy_reason: why }) {
  if (measured) {
    const [low, high] = measured.interval;
    return el("p", { class: "accuracy" },
      `For ${measured.group === "all" ? "all skin tones together" : `a skin tone of ${measured.group}`}, ${plain(measured.metric).toLowerCase()} was ${percent(measured.value)} ` +
      `(95 % interval ${percent(low)} to ${percent(high)}), on ${measured.n} cases of ${measured.dataset}.`);
  }
  if (why !== "too_few") return null; // the other reasons are those of the decision
  return el("p", { class: "accuracy" }, "There are too few labelled cases with this skin tone to say how often the service is right for it.");
}
