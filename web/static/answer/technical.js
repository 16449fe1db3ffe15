// The technical part of an answer: all values, models, index, times, and the answer as JSON.

import { announce, el, present } from "../dom.js";
import { milliseconds } from "../format.js";
import { stage } from "../words.js";
import { bar, fold } from "./parts.js";
import { measures } from "./tables.js";

const WHOLE = ["total", "analysis"]; // sums of other stages

export function technical(answer, given, service) {
  return fold("All values, method and versions", { name: "technical" },
    measures(answer.skin.measurements, service), versions(answer), timings(answer.timings_ms), raw(given));
}

/** What made the answer: program, models and index. */
export function versions({ models, index, version, analysis_id: id }) {
  return [
    el("p", {}, `DermServe ${version}, answer ${id}.`),
    models.length > 0 && el("p", {}, "Models: ", models.map(modelName).join("; "), "."),
    index && el("p", {}, `Index: ${present(index.name, index.synthetic ? "generated, for demonstration" : index.dataset, `${index.cases} cases`,
      index.images && `${index.images} photos, ${index.dimension} dimensions, built ${index.built_at.slice(0, 10)}`).join(", ")}.`),
  ];
}

const modelName = ({ name, version, framework, engine, licence }) =>
  `${name} ${version}${framework ? ` (${framework}, ${engine}; ${licence})` : ""}`;

function timings(stages) {
  const parts = Object.entries(stages).filter(([name, ms]) => !WHOLE.includes(name) && ms > 0);
  if (!parts.length) return null;
  const sum = parts.reduce((total, [, ms]) => total + ms, 0);
  return el("details", {}, el("summary", {}, `Time: ${milliseconds(stages.total)}`),
    el("div", { class: "bars" }, ...parts.map(([name, ms]) => bar(stage(name), ms / sum, milliseconds(ms)))));
}

function raw(answer) {
  const text = JSON.stringify(answer, null, 2);
  const copy = el("button", {
    type: "button",
    class: "button",
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(text);
        copy.textContent = "Copied";
        announce(copy, "Copied.");
      } catch {
        getSelection().selectAllChildren(pre); // browsers give no clipboard without https
        announce(copy, "The text is selected: copy it with the keyboard.");
      }
    },
  }, "Copy");
  const pre = el("pre", { tabIndex: 0, role: "region", "aria-label": "The answer as JSON" }, JSON.stringify(answer, shortened, 2));
  return el("details", { class: "raw" }, el("summary", {}, "The whole answer as JSON"), copy, pre);
}

/** Leaves out pictures in base64, which would hide everything else. The copied text has them. */
function shortened(name, value) {
  return name === "data_base64" ? `… ${Math.round(value.length / 1024)} KB …` : value;
}
