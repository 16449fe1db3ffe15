// Where the answer comes from: models, index, times, and the API's answer itself.

import { announce, el } from "../dom.js";
import { milliseconds } from "../format.js";
import { stage } from "../words.js";
import { bar, card } from "./card.js";

const WHOLE = ["total", "analysis"]; // sums of other stages

export function provenance(answer) {
  return card("What this rests on", { name: "provenance" }, models(answer.models), index(answer.index), timings(answer.timings_ms), raw(answer));
}

function models(cards) {
  if (!cards.length) return null;
  const columns = ["name", "version", "framework", "engine", "licence"];
  const titles = ["Model", "Version", "Framework", "Runs on", "Licence"];
  return el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of the models" },
    el("table", {},
      el("caption", {}, "Models"),
      el("thead", {}, el("tr", {}, ...titles.map((title) => el("th", { scope: "col" }, title)))),
      el("tbody", {}, ...cards.map((model) => el("tr", {}, ...columns.map((column) => el("td", {}, model[column])))))));
}

function index(info) {
  if (!info) return null;
  const kind = info.synthetic ? "generated, for demonstration" : info.dataset;
  return el("p", {}, el("strong", {}, "Index"), ` ${info.name}: ${kind}; ${info.cases} cases, ${info.images} photos, ` +
    `${info.dimension} dimensions, built ${info.built_at.slice(0, 10)}.`);
}

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
        announce("Copied.");
      } catch {
        getSelection().selectAllChildren(pre); // browsers give no clipboard without https
        announce("The text is selected: copy it with the keyboard.");
      }
    },
  }, "Copy");
  const pre = el("pre", { tabIndex: 0, role: "region", "aria-label": "The answer as JSON" }, JSON.stringify(answer, shortened, 2));
  return el("details", { class: "raw no-print" }, el("summary", {}, "The whole answer as JSON"), copy, pre);
}

/** Leaves out pictures in base64, which would hide everything else. The copied text has them. */
function shortened(name, value) {
  return name === "data_base64" ? `… ${Math.round(value.length / 1024)} KB …` : value;
}
