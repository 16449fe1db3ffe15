// The form for a photo and its details.

import { el, isAbsent } from "../dom.js";

const SEXES = { "": "Not stated", female: "Female", male: "Male" };
const SITES = {
  "": "Not stated",
  "head-or-neck": "Head or neck",
  trunk: "Chest, belly or back",
  arm: "Arm or hand",
  "leg-or-genital": "Leg, foot or genital area",
};
const MODALITIES = {
  "": "Recognise it from the photo",
  face: "Face",
  lesion_close_up: "One lesion, close up",
  close_up: "Skin",
  dermatoscopic: "Through a dermatoscope",
};
const REFERENCES = { "": "None", colour_checker: "Colour checker", grey_card: "Grey card (18%)" };

/** The form, with parts that other modules find by their ids. */
export function form() {
  return el("form", { id: "form", class: "intake", "aria-label": "Your photo", noValidate: true },
    el("fieldset", { id: "controls" },
      el("legend", { class: "visually-hidden" }, "Photo and details"),
      el("ul", { id: "previews", class: "previews", "aria-label": "Chosen photos" }),
      el("div", { class: "beside" },
        el("div", { id: "check", class: "check-result", role: "status", hidden: true }),
        el("button", { id: "analyse", class: "button primary wide", part: "button", type: "submit" }, "Analyse"),
        drop(),
        anotherView(),
        el("details", { class: "more" }, el("summary", {}, "More about this photo ", hint("optional")), details()),
        keyField())),
    consent());
}

/** The kind of photo that is chosen when the form is empty; null: it is recognised. */
export function presetModality(root, code) {
  for (const option of root.querySelectorAll("[name=modality] option")) {
    option.defaultSelected = option.value === (code ?? "");
    option.selected = option.defaultSelected;
  }
}

function drop() {
  return el("div", { id: "drop", class: "drop", part: "drop" },
    el("div", { class: "buttons" },
      el("button", { id: "camera", class: "button primary", type: "button", hidden: true }, "Take a photo"),
      el("label", { id: "capture-label", class: "button primary", for: "capture", hidden: true }, "Take a photo"),
      el("input", { id: "capture", class: "visually-hidden", type: "file", accept: "image/*", capture: "environment", hidden: true, "aria-describedby": "camera-why" }),
      el("label", { class: "button", for: "file" }, "Choose a photo"),
      el("input", { id: "file", class: "visually-hidden", type: "file", accept: "image/*", "aria-describedby": "photo-hint" })),
    el("p", { id: "camera-why", class: "hint", hidden: true }),
    el("ul", { class: "tips", "aria-label": "For a good photo" },
      el("li", {}, "Daylight or a bright room, no flash"),
      el("li", {}, "Close, so that skin fills the picture"),
      el("li", {}, "Sharp: hold still and tap to focus")),
    el("p", { id: "photo-hint", class: "hint" }, "You can also drop a photo here or paste one. JPEG, PNG, WebP, HEIC and others", el("span", { id: "most" }), "."));
}

function anotherView() {
  return el("div", { id: "another-view", hidden: true },
    el("label", { class: "button wide", for: "another" }, "Add another view"),
    el("input", { id: "another", class: "visually-hidden", type: "file", accept: "image/*", "aria-describedby": "another-hint" }),
    el("p", { id: "another-hint", class: "hint" }, "All views must show the same spot of the same person. Start a new analysis for anything else."));
}

function details() {
  return el("div", { class: "details" },
    el("div", { class: "row" },
      el("label", {}, "Age in years", el("input", { type: "number", name: "age", min: "0", max: "120", step: "1", inputMode: "numeric", autocomplete: "off" })),
      el("label", {}, "Sex", choice("sex", SEXES))),
    el("label", {}, "Part of the body", choice("body_site", SITES)),
    el("label", {}, "Kind of photo", choice("modality", MODALITIES)),
    el("label", {}, "Colour card in the photo", hint(" beside the skin, in the same light. The skin tone is then measured."), choice("reference", REFERENCES)),
    el("label", {}, "Pixels for each millimetre of skin", hint(" in the first photo, if you know its scale. Sizes are then in millimetres."),
      el("input", { type: "number", name: "pixels_per_mm", min: "0.001", max: "1000", step: "any", inputMode: "decimal", autocomplete: "off" })));
}

function keyField() {
  return el("div", { id: "key-field", class: "details", hidden: true },
    el("label", {}, "Access key ", el("input", { id: "key", type: "password", autocomplete: "off", spellcheck: false, "aria-describedby": "key-hint" })),
    el("p", { id: "key-hint", class: "hint" }, "This service needs a key. The page forgets it when you leave."));
}

function consent() {
  return el("details", { class: "consent" },
    el("summary", {}, el("strong", {}, "Your photo is not stored."), " What happens to it"),
    el("p", {}, "When you press Analyse, the photo is sent to the service. The service analyses it in memory and deletes it after the " +
      "answer. It stores and logs neither the photo nor any data from it (metadata, place, face geometry). The log contains the " +
      "time of a request, its result and the duration of each step. The service sets no cookies."));
}

const hint = (text) => el("span", { class: "hint" }, text);

function choice(name, options) {
  return el("select", { name }, ...Object.entries(options).map(([value, words]) => el("option", { value }, words)));
}

/** Say in the form how large photos may be, in bytes; null: it is not known. */
export function showMost(root, bytes) {
  root.getElementById("most").textContent = isAbsent(bytes) ? "" : `, up to ${Math.floor(bytes / 2 ** 20)} MB`;
}
