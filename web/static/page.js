// The service's own page: the analyzer, and what only this page has: a diary, a report to hand on, and paper.

import "./component.js";
import { prepareDiary, saveButton } from "./diary/diary.js";
import { byId, el, fill } from "./dom.js";
import { prepareScreens, show } from "./screens.js";
import { clearSheet, saveSheets, showSheet, today } from "./sheet.js";

const analyzer = byId("analyzer");
const actions = byId("actions");
const entry = byId("entry");

analyzer.addEventListener("dermserve-answer", ({ detail: answer }) => {
  const { photos } = analyzer;
  fill(actions, saveButton(answer, photos), reportButton(answer, photos));
  showSheet(answer, photos);
});
analyzer.addEventListener("dermserve-view", ({ detail: view }) => view === "photo" && !analyzer.answer && clearSheet());

function openEntry({ answer, photos, place }) {
  entry.photos = photos;
  entry.answer = answer;
  fill(entry, ...[button("Back to the diary", () => show("diary"), "primary"), reportButton(answer, photos, place)]);
  for (const one of entry.children) one.slot = "actions";
  showSheet(answer, photos);
  show("entry");
  scrollTo(0, 0);
  entry.focus({ preventScroll: true });
}

function reportButton(answer, photos, place = null) {
  return button("Get a report", () => saveSheets([{ answer, photos, place }], "DermServe report", `skin-report-${today()}.html`));
}

function button(text, onclick, kind = "") {
  return el("button", { type: "button", class: `button ${kind}`, onclick }, text);
}

prepareDiary(openEntry, () => analyzer.key);
prepareScreens();
byId("loading").remove();
