// Joins the parts: photos are gathered, sent, and their analysis is shown.

import { byId } from "./dom.js";
import { prepareCamera } from "./intake/camera.js";
import { gather } from "./intake/gather.js";
import { showPreviews } from "./intake/previews.js";
import { Views } from "./intake/views.js";
import { Submission } from "./request/submission.js";
import { showReport } from "./report/report.js";

const form = byId("form");
const views = new Views(3);
const submission = new Submission(form, views, { onAnswer: (answer, sent) => showReport(answer, sent, explainAgain) });

function explainAgain() {
  form.elements.explain.checked = true;
  submission.send();
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
