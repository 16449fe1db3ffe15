// The diary's screen: the saved answers by place, a measure over time, two entries compared, export and erase.

import { announce, byId, el, fill, isAbsent } from "../dom.js";
import { date } from "../format.js";
import { showFailure } from "../request/failures.js";
import { onShow } from "../screens.js";
import { saveSheets, today } from "../sheet.js";
import { region } from "../words.js";
import { chart } from "./chart.js";
import { compareEntries } from "./compare.js";
import { entries, erase, remove, save } from "./store.js";

const ABOUT = "Photos and answers are kept in this browser, on this device. A photo leaves it only when you send it for an " +
  "analysis or a comparison. Whoever can use this browser can see the diary.";
const REFUSED = {
  title: "The diary cannot be used",
  message: "This browser does not let the page keep data, or its disk is full. Private windows often forbid it.",
};

let key = () => ""; // the visitor's key of the service

/** `openEntry(entry)` shows a saved answer; `keyOf()` is the visitor's key of the service. */
export function prepareDiary(openEntry, keyOf) {
  key = keyOf;
  onShow("diary", () => attempt(() => draw(openEntry)));
  count().catch(() => {}); // a browser that keeps nothing says so when it is asked to
}

/** A button that saves the answer to the diary, after asking for the place. */
export function saveButton(answer, photos) {
  const holder = el("div", { class: "saving" });
  const button = el("button", { type: "button", class: "button", onclick: () => attempt(() => ask(holder, answer, photos)) }, "Save to diary");
  holder.append(button);
  return holder;
}

async function ask(holder, answer, photos) {
  const places = [...new Set((await entries()).map((one) => one.place))];
  const input = el("input", { id: "place", list: "places", maxLength: 60, autocomplete: "off", value: places.length === 1 ? places[0] : "" });
  const form = el("form", { class: "place" },
    el("label", { for: "place" }, "Which spot is it?", el("span", { class: "hint" }, " Use the same words each time, such as “mole, left arm”.")),
    input,
    el("datalist", { id: "places" }, ...places.map((place) => el("option", { value: place }))),
    el("button", { type: "submit", class: "button primary" }, "Save"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(async () => {
      await save(input.value.trim() || "Unnamed spot", answer, photos);
      fill(holder, el("p", { class: "saved", tabIndex: -1 }, "Saved in the diary, on this device."));
      holder.firstChild.focus();
      await count();
    });
  });
  fill(holder, form);
  input.focus();
}

async function attempt(task) {
  try {
    await task();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // the database's errors are of this kind
    showFailure(byId("page-failure"), REFUSED);
  }
}

async function count() {
  const { length } = await entries();
  byId("diary-count").textContent = length ? `(${length})` : "";
}

let pictures = []; // object URLs of the photos in the list

async function draw(openEntry) {
  const all = await entries();
  pictures.forEach((url) => URL.revokeObjectURL(url));
  pictures = [];
  await count();
  const places = [...new Set(all.map((one) => one.place))];
  const again = () => draw(openEntry);
  fill(byId("diary-screen"),
    el("h1", { id: "diary-title", tabIndex: -1 }, "Diary"),
    el("p", { class: "hint" }, ABOUT),
    !all.length && el("p", { class: "card" }, "Nothing is saved yet. Analyse a photo, then press “Save to diary”. With a second photo of the " +
      "same spot, you can see what changed."),
    ...places.map((place) => placeCard(place, all.filter((one) => one.place === place), openEntry, again)),
    el("div", { id: "comparison" }),
    all.length > 0 && el("div", { class: "buttons" },
      el("button", { type: "button", class: "button", onclick: () => saveSheets(all, "Skin diary", `skin-diary-${today()}.html`) }, "Export as one file"),
      eraseButton(all.length, again)));
}

/** The entries of one spot, with its chart. Two of them can be ticked and compared. */
function placeCard(place, own, openEntry, again) {
  const compare = el("button", { type: "button", class: "button primary", disabled: true, onclick: () => compareEntries(ticked(), key()) }, "Compare two photos");
  const boxes = own.map((one) => el("input", { type: "checkbox", "aria-label": `Compare the photo of ${date(one.saved)}`, onchange: update }));
  const ticked = () => own.filter((_, index) => boxes[index].checked);
  function update() {
    compare.disabled = ticked().length !== 2;
  }
  if (own.length === 2) boxes.forEach((box) => { box.checked = true; });
  update();
  return el("section", { class: "card place-card", "aria-label": place },
    el("h2", {}, place),
    chartOf(own),
    el("ul", { class: "entries" }, ...own.map((one, index) => entry(one, own.length > 1 && boxes[index], openEntry, again)).toReversed()),
    own.length > 1 && el("div", { class: "buttons" }, compare, el("span", { class: "hint" }, "Tick two photos. Both are sent to the service for this.")));
}

function entry(one, box, openEntry, again) {
  const url = URL.createObjectURL(one.photos[0]);
  pictures.push(url);
  const title = date(one.saved);
  return el("li", {},
    box,
    el("img", { src: url, alt: "" }),
    el("div", {},
      el("button", { type: "button", class: "link", onclick: () => openEntry(one) }, title),
      el("p", { lang: one.answer.language }, one.answer.summary.headline),
      el("button", { type: "button", class: "link quiet", "aria-label": `Delete the entry of ${title}`, onclick: async () => {
        await remove(one.id);
        announce(byId("diary-screen"), "Deleted.");
        await again();
        byId("diary-title").focus();
      } }, "Delete")));
}

/** One measure of this spot over time, with a choice of those that were taken at least twice. */
function chartOf(own) {
  const taken = own.flatMap(({ saved, answer }) => measurementsOf(answer).map((measured) => ({ at: saved, measured, key: `${measured.region}/${measured.name}` })));
  const series = Map.groupBy?.(taken, ({ key }) => key) ?? grouped(taken);
  const often = [...series.values()].filter((points) => points.length > 1);
  if (!often.length) return own.length > 1 ? el("p", { class: "hint" }, "No measure was taken in two of these photos.") : null;
  const place = el("div", {}, chart(often[0]));
  const choice = el("select", { onchange: () => fill(place, chart(often[choice.selectedIndex])) },
    ...often.map(([{ measured }]) => el("option", {}, `${measured.label} (${region(measured.region).toLowerCase()})`)));
  return el("div", { class: "over-time" }, el("label", {}, "Over time ", choice), place);
}

const measurementsOf = ({ skin }) => [...skin.measurements, ...(skin.zones ?? []).flatMap((zone) => zone.measurements)]
  .filter((one) => !isAbsent(one.value));

function grouped(items) {
  const groups = new Map();
  for (const item of items) groups.set(item.key, [...(groups.get(item.key) ?? []), item]);
  return groups;
}

/** Asks once more before everything is deleted. */
function eraseButton(number, again) {
  const holder = el("div", { class: "buttons" });
  const ask = el("button", { type: "button", class: "button danger", onclick: () => {
    fill(holder,
      el("span", {}, `Delete ${number === 1 ? "the entry" : `all ${number} entries`} for good?`),
      el("button", { type: "button", class: "button danger", onclick: () => attempt(async () => {
        await erase();
        await again();
        announce(byId("diary-screen"), "The diary is empty.");
        byId("diary-title").focus();
      }) }, "Yes, delete"),
      el("button", { type: "button", class: "button", onclick: () => { fill(holder, ask); ask.focus(); } }, "Keep it"));
    holder.querySelector("button").focus();
  } }, "Erase the diary");
  holder.append(ask);
  return holder;
}
