// An answer on paper: everything in it, without anything to press. It is what the page prints, and what is handed on as
// one file that holds its own pictures and styles.

import { byId, el, fill, isAbsent, present } from "./dom.js";
import { date, percent, quantity } from "./format.js";
import { certainty, modality, plain, region } from "./words.js";
import { complete } from "./answer/answer.js";
import { conditions } from "./answer/condition.js";
import { lesion } from "./answer/lesion.js";
import { decision, facts, quality } from "./answer/parts.js";
import { drawing } from "./answer/picture.js";
import { thumbnail } from "./answer/similar.js";
import { zones } from "./answer/tables.js";
import { versions } from "./answer/technical.js";
import { tone } from "./answer/tone.js";
import { Service } from "./elements/service.js";

const LONG_SIDE = 1000; // of a picture in a file, in pixels
const service = new Service();
let shown = null; // object URL of the photo on the page's paper

/** Put `answer`, which is about `files`, on the page's paper. */
export async function showSheet(answer, files) {
  clearSheet();
  const url = URL.createObjectURL(files[0]);
  shown = url;
  const made = await sheet(answer, url);
  if (shown === url) fill(byId("sheet"), made);
}

export function clearSheet() {
  if (shown) URL.revokeObjectURL(shown);
  shown = null;
  fill(byId("sheet"));
}

/** Save one file with all of `entries` ({answer, photos: files, place}). `title` is that of the file. */
export async function saveSheets(entries, title, name) {
  const sheets = [];
  for (const { answer, photos, place } of entries) sheets.push(await embedded(await sheet(answer, await pictureOf(photos[0]), place)));
  const answers = entries.map(({ answer, place }) => ({ place, answer }));
  const page = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">" +
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">" +
    `${el("title", {}, title).outerHTML}<style>${styles()}</style>` +
    // A script ends at the first "</script": a label must not end it early.
    `<script type="application/json" id="answers">${JSON.stringify(answers).replaceAll("<", "\\u003c")}</script></head>` +
    `<body>${el("main", { class: "sheet" }, ...sheets).outerHTML}</body></html>`;
  const link = el("a", { href: URL.createObjectURL(new Blob([page], { type: "text/html" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser reads it after the click
}

/** Today's date for the name of a file: 2026-01-31. */
export const today = () => new Date().toISOString().slice(0, 10);

async function sheet(given, url, place = null) {
  const answer = complete(given);
  const meanings = new Map(await Promise.all(answer.skin.measurements.map(async (one) => [one.name, await service.measure(one)])));
  const { language, summary, image, skin } = answer;
  const drawn = url && drawing(answer, url);
  return el("article", { class: "one" },
    el("p", { class: "hint" }, present("DermServe", place, modality(answer.modality.label), date(answer.timestamp),
      `${image.width} × ${image.height} pixels, ${image.format}`).join(" · ")),
    el("h1", { lang: language }, summary.headline, " ", el("span", { class: "hint" }, `(${certainty(summary.certainty).toLowerCase()})`)),
    el("p", { lang: language }, el("strong", {}, "What to do: "), summary.next_step),
    el("p", { lang: language }, el("strong", {}, "Limits: "), summary.limits),
    el("p", { class: "disclaimer" }, answer.mock && "Canned answer: nothing here was measured on the photo. ", answer.disclaimer),
    el("div", { class: "pictures" },
      url ? el("img", { src: url, alt: "The photo that was analysed" }) : el("p", { class: "hint" }, "The photo cannot be shown in this format."), drawn),
    summary.findings.length > 0 && [el("h2", {}, "What was found"),
      el("ul", { lang: language }, ...summary.findings.map((one) => el("li", {}, `${one.text} `, el("span", { class: "hint" }, `(${certainty(one.certainty).toLowerCase()})`))))],
    part("What the lesion model says", lesion(answer.lesion, service)),
    part("Conditions of similar cases", [...decision(answer), ...(conditions(answer, service) ?? [])]),
    part("Similar cases", cases(answer)),
    part("Zones of the face", zones(skin.zones)),
    part("Skin tone in this photo", tone(skin.tone)),
    part("Measurements", measurements(skin.measurements, meanings)),
    part("Quality of the photo", quality(answer.quality)),
    part("Notes", answer.notes.map((note) => el("p", {}, note))),
    part("Method and versions", versions(answer)));
}

function part(title, children) {
  const content = present(...(children ?? []));
  return content.length ? el("section", {}, el("h2", {}, title), ...content) : null;
}

/** `meanings`: name → {direction, method} of a measure. */
function measurements(all, meanings) {
  const taken = all.filter((one) => !isAbsent(one.value));
  const missing = all.filter((one) => isAbsent(one.value));
  return [
    taken.length > 0 && el("table", { class: "values" },
      el("thead", {}, el("tr", {}, ...["Measure", "Value", "Higher means", "Method"].map((title) => el("th", { scope: "col" }, title)))),
      el("tbody", {}, ...taken.map((one) => el("tr", {},
        el("th", { scope: "row" }, `${one.label} (${region(one.region).toLowerCase()})`),
        el("td", {}, quantity(one), isAbsent(one.score) ? "" : `, above ${Math.round(one.score)} of 100`),
        el("td", {}, meanings.get(one.name)?.direction),
        el("td", { class: "method" }, meanings.get(one.name)?.method))))),
    missing.length > 0 && el("p", { class: "hint" }, `Not measured: ${missing.map((one) => one.label).join(", ")}.`),
  ];
}

/** Generated cases say nothing about a person, so a paper that is handed on leaves them out. */
function cases({ similar_cases: found, attribution }) {
  if (!found.length) return null;
  if (found.some((one) => one.demonstration)) return [el("p", {}, `${found.length} generated cases, for demonstration only, are left out here.`)];
  return [
    el("ul", { class: "thumbnails" }, ...found.map((one) => el("li", {},
      one.thumbnail && thumbnail(service, one.thumbnail, { alt: "" }),
      `${percent(one.similarity)} similar: ${Object.entries(one.differential).slice(0, 3).map(([name, share]) => `${name} ${percent(share)}`).join(", ")}`))),
    facts(...Object.entries(attribution).map(([name, text]) => [plain(name), String(text)])),
  ];
}

/** `sheet` with every picture in it, so that it needs no other file. */
async function embedded(made) {
  await Promise.all([...made.querySelectorAll("img")].filter((image) => !image.src.startsWith("data:")).map(async (image) => {
    image.src = await asData(await (await fetch(image.src)).blob());
  }));
  return made;
}

/** A photo as a smaller JPEG without its metadata; null if this browser cannot read its format. */
export async function pictureOf(file, side = LONG_SIDE) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return null;
  }
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = el("canvas", { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL("image/jpeg", 0.85);
}

function asData(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** The rules of the page's own style sheets. */
const styles = () => [...document.styleSheets].flatMap((one) => [...one.cssRules]).map((rule) => rule.cssText).join("\n");
