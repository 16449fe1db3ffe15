// Analyzes one photo with fetch in Node.js 18 or newer: node analyze.mjs PHOTO [URL]. A web page uses the file of an <input>.
import { readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";

const [photo, url = "http://127.0.0.1:8000"] = process.argv.slice(2);
const headers = process.env.DERMSERVE_KEY ? { "X-API-Key": process.env.DERMSERVE_KEY } : {};

const form = new FormData();
form.append("image", new Blob([await readFile(photo)]), "photo");
form.append("age", "54");
form.append("sex", "female");
form.append("body_site", "arm");

let response;
for (let attempt = 0; attempt < 5; attempt++) {
  response = await fetch(`${url}/api/analyze/skin`, { method: "POST", body: form, headers });
  // The service is busy or still loading. Retry-After is the number of seconds to wait.
  const seconds = response.headers.get("Retry-After");
  if (![429, 503].includes(response.status) || seconds === null) break;
  await wait(Number(seconds) * 1000);
}

const answer = await response.json();
if (!response.ok) {
  console.error(`${response.status}: ${answer.error.message}`);
  process.exit(1);
}
console.log(answer.summary.headline, answer.summary.next_step);
for (const problem of answer.quality.problems) console.log("problem:", problem.message, problem.advice);
// A field that is null is left out: a photo without skin has no tone.
console.log("tone:", answer.skin.tone?.group ?? "not measured");
console.log("decision:", answer.decision.kind, answer.decision.set, answer.decision.reasons);
console.log(answer.disclaimer);
