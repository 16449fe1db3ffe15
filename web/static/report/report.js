// The analysis, part by part. Photos are shown from this page's memory and released when the next report comes.

import { announce, byId, el, fill } from "../dom.js";
import { milliseconds } from "../format.js";
import { modality } from "../words.js";
import { conditions } from "./conditions.js";
import { decision } from "./decision.js";
import { lesion } from "./lesion.js";
import { measures } from "./measures.js";
import { photo } from "./photo.js";
import { provenance } from "./provenance.js";
import { quality } from "./quality.js";
import { similar } from "./similar.js";
import { tone } from "./tone.js";
import { zones } from "./zones.js";

let shown = []; // object URLs of the report on the page

/** Show `answer`, which is about `files`. `explain` requests the overlays, `startAnew` another photo. */
export function showReport(answer, files, { explain, startAnew }) {
  clearReport();
  shown = files.map((file) => URL.createObjectURL(file));
  const report = byId("report");
  const spotlight = new EventTarget(); // tells the photo which zone is chosen
  fill(report,
    head(answer, startAnew),
    el("div", { class: "report-grid" },
      el("div", { class: "stage" }, photo(answer, shown, spotlight, explain)),
      el("div", { class: "findings" },
        decision(answer),
        quality(answer.quality),
        conditions(answer),
        lesion(answer),
        tone(answer.skin.tone),
        zones(answer.skin.zones, spotlight),
        measures(answer.skin.measurements))),
    similar(answer, shown[0]),
    provenance(answer),
  );
  report.hidden = false;
  announce("The analysis is ready.");
  byId("report-title").focus();
}

/** Hide the report while another analysis runs, so that no report stands beside another photo. */
export function hideReport() {
  byId("report").hidden = true;
}

/** Show the last report again, if there is one. */
export function restoreReport() {
  byId("report").hidden = !byId("report").hasChildNodes();
}

export function clearReport() {
  shown.forEach((url) => URL.revokeObjectURL(url));
  shown = [];
  fill(byId("report"));
  hideReport();
}

function head(answer, startAnew) {
  const when = new Date(answer.timestamp).toLocaleString(undefined, { dateStyle: "long", timeStyle: "short" });
  return el("header", { class: "report-head" },
    el("div", {},
      el("h2", { id: "report-title", tabIndex: -1 }, "The analysis"),
      el("p", { class: "hint" }, `${modality(answer.modality.label)} · ${when} · ${milliseconds(answer.timings_ms.total)}`),
      answer.mock && el("p", { class: "flag" }, "Canned answer: nothing here was measured on the photo.")),
    el("div", { class: "buttons no-print" },
      el("button", { type: "button", class: "button", onclick: startAnew }, "New analysis"),
      el("button", { type: "button", class: "button", onclick: () => window.print() }, "Print or save as PDF")),
    el("p", { class: "print-only disclaimer" }, answer.disclaimer));
}
