// Joins the parts: photos are gathered and sent, their analysis is shown, and the next one begins.

import { byId } from "./dom.js";
import { prepareCamera } from "./intake/camera.js";
import { gather } from "./intake/gather.js";
import { showPreviews } from "./intake/previews.js";
import { Views } from "./intake/views.js";
import { Submission } from "./request/submission.js";
import { clearReport, showReport } from "./report/report.js";

const form = byId("form");
const views = new Views(3);
const submission = new Submission(form, views, { onAnswer });

function onAnswer(answer, chosen) {
  views.answer(chosen.files);
  showReport(answer, chosen.files, { explain: () => submission.explain(chosen), startAnew });
}

/** Empty the page for another photo. The key is the visitor's, not the photo's: it stays. */
function startAnew() {
  const key = byId("key").value;
  form.reset();
  byId("key").value = key;
  views.clear();
  clearReport();
  byId("file").focus();
}

gather(views);
showPreviews(views);
prepareCamera(views);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  submission.send();
});

// On paper the source and licence of the cases must be readable.
window.addEventListener("beforeprint", () => document.querySelectorAll(".attribution").forEach((part) => { part.open = true; }));

byId("controls").disabled = false;
byId("loading").remove();
