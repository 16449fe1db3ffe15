// Two photos of the same skin: what changed, both photos under a slider, and every measure.

import { announce, byId, el, fill, isAbsent } from "../dom.js";
import { date, percent, quantity } from "../format.js";
import { Service } from "../elements/service.js";
import { clearFailure, failureOf, showFailure } from "../request/failures.js";
import { COMPARE, post } from "../request/transport.js";
import { change, region } from "../words.js";

/** Send the first photos of two diary entries, and show what changed between them. `key`: of the service. `confirmed`:
 * the person says that both show the same place. */
export async function compareEntries([before, after], key, confirmed = false) {
  const panel = byId("comparison");
  const cancelled = new AbortController();
  const cancel = el("button", { type: "button", class: "button", onclick: () => cancelled.abort() }, "Cancel");
  fill(panel, el("p", { role: "status" }, "Comparing the two photos …"), cancel);
  panel.scrollIntoView({ block: "nearest" });
  const response = await post(new Service().url(COMPARE), body(before, after, confirmed), { key, signal: cancelled.signal });
  fill(panel);
  clearFailure(byId("page-failure"));
  if (response.aborted) return;
  if (response.status !== 200 || !response.answer?.success) {
    showFailure(byId("page-failure"), failureOf(response));
    byId("page-failure").focus();
    return;
  }
  fill(panel, comparison(response.answer, before, after, confirmed ? null : () => compareEntries([before, after], key, true)));
  announce(panel, "The comparison is ready.");
  byId("comparison-title").focus();
}

function body(before, after, confirmed) {
  const data = new FormData();
  data.append("before", before.photos[0], "before");
  data.append("after", after.photos[0], "after");
  data.append("before_date", day(before));
  data.append("after_date", day(after));
  data.append("explain", "true");
  data.append("confirmed", String(confirmed));
  return data;
}

const day = ({ saved }) => saved.toISOString().slice(0, 10);

function comparison({ summary, same_place: place, measures, overlays, notes, mock, disclaimer }, before, after, confirm) {
  const [first, second] = [before, after].map(({ saved }) => date(saved, { dateStyle: "medium" }));
  const asks = place.verdict === "unsure" && place.method !== "none" && confirm;
  return el("section", { class: "card", "aria-labelledby": "comparison-title" },
    mock && el("p", { class: "flag" }, "Canned answer: nothing here was measured on the photos."),
    el("h2", { id: "comparison-title", tabIndex: -1 }, summary.headline),
    el("div", { class: "next" }, el("h3", {}, "What to do"), el("p", {}, summary.next_step)),
    asks && el("div", { class: "buttons" }, el("button", { type: "button", class: "button", onclick: confirm },
      "Both show the same place: compare them")),
    overlays ? slider(overlays, first, second) : el("p", { class: "hint" }, "The two photos could not be laid over each other."),
    el("details", {}, el("summary", {}, `${SAME[place.verdict] ?? place.verdict}${isAbsent(place.confidence) ? "" : `, ${percent(place.confidence)} sure`}`),
      el("ul", {}, ...place.reasons.map(({ message }) => el("li", {}, message)))),
    el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of the changes" },
      el("table", { class: "changes" },
        el("thead", {}, el("tr", {}, ...["Measure", "Before, after", "Change"].map((title) => el("th", { scope: "col" }, title)))),
        el("tbody", {}, ...measures.map(row)))),
    notes.map((note) => el("p", { class: "hint" }, note)),
    el("p", { class: "hint" }, "A change counts only if it is larger than what two photos of the same skin differ by. ", disclaimer));
}

const SAME = {
  same: "Both photos show the same place",
  unsure: "It is not certain that both photos show the same place",
};

function row(one) {
  const at = (value) => quantity({ value, unit: one.unit, uncertainty: null });
  const difference = isAbsent(one.difference) ? null : quantity({ value: one.difference, unit: one.unit, uncertainty: one.uncertainty });
  return el("tr", { class: one.change },
    el("th", { scope: "row" }, one.label, " ", el("span", { class: "hint" }, region(one.region))),
    el("td", {}, `${at(one.before)} → ${at(one.after)}`),
    el("td", {}, el("strong", {}, change(one.change)), difference && el("span", { class: "hint" }, ` by ${difference}`),
      one.reason && el("span", { class: "hint" }, ` ${one.reason.message}`)));
}

function slider({ before, after }, first, second) {
  const pictures = el("div", { class: "slider", vars: { "--split": "50%" } },
    el("img", { src: before, alt: `The photo of ${first}` }),
    el("img", { src: after, alt: `The photo of ${second}`, class: "after" }));
  const range = el("input", { type: "range", min: "0", max: "100", value: "50", "aria-label": `Left: ${first}. Right: ${second}.` });
  range.addEventListener("input", () => pictures.style.setProperty("--split", `${range.value}%`));
  return el("figure", {}, pictures, range,
    el("figcaption", { class: "ends" }, el("span", {}, first), el("span", {}, second)));
}
