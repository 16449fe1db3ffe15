// One analysis from the button to the answer: checks, sends, shows the progress, and tries again where that helps.
// A case is {files, details}: what was chosen when the button was pressed, and what every try of it sends.

import { announce, byId, el, isAbsent } from "../dom.js";
import { clearFailure, countdown, failureOf, noAnswer, showFailure } from "./failures.js";
import { ANALYZE, post } from "./transport.js";

const RETRIES = 3; // without being asked
const DETAILS = ["age", "sex", "body_site", "modality", "reference", "pixels_per_mm"];
// Messages for invalid details. The limits are those of the form.
const NUMBERS = {
  age: "The age must be a whole number of years from 0 to 120.",
  pixels_per_mm: "The pixels for each millimetre must be a number from 0.001 to 1000.",
};

/** Tells of "progress" ({stage, share}), "cancelled", "failure" (what is shown of it) and "answer" ({answer, files, details}). */
export class Submission extends EventTarget {
  #root;
  #form;
  #failure;
  #photos;
  #target;
  #abort = null;
  #stopWaiting = () => {}; // … for a busy service
  #retries = 0;

  /** `root` holds the form. `target()` is {service, language, detail, most}: where a request goes, what it asks for, and
   * how many bytes the service takes; null where that is not known. */
  constructor(root, photos, target) {
    super();
    this.#root = root;
    this.#form = byId("form", root);
    this.#failure = byId("failure", root);
    this.#photos = photos;
    this.#target = target;
    this.#part("cancel").addEventListener("click", () => this.#abort?.abort());
    // Whoever changes what is to be sent, or opens the camera to do so, says when it is sent.
    for (const type of ["click", "input"]) this.#part("controls").addEventListener(type, () => this.#stopWaiting());
    photos.addEventListener("change", () => this.#clear());
  }

  /** Send what is chosen now. */
  send() {
    this.#clear();
    const files = this.#photos.files;
    const problem = this.#problem(files) ?? this.#tooLarge(files);
    if (!problem) return this.#begin({ files, details: this.#details() });
    showFailure(this.#failure, problem);
    this.#failure.focus();
  }

  /** Send an answered case again, and ask for all that can be drawn on its photo. */
  explain({ files, details }) {
    this.#begin({ files, details: { ...details, explain: "true" } });
  }

  /** Stop what runs or waits, without a word. */
  cancel() {
    this.#abort?.abort();
    this.#clear();
  }

  #part(id) {
    return byId(id, this.#root);
  }

  #begin(chosen) {
    if (this.#photos.locked) return; // one at a time
    this.#retries = 0;
    this.#attempt(chosen);
  }

  async #attempt(chosen) {
    this.#clear();
    const { service, language } = this.#target();
    this.#abort = new AbortController();
    this.#busy(true);
    const key = this.#part("key").value.trim();
    const onProgress = (share) => this.#showSent(share);
    const response = await post(service.url(ANALYZE), body(chosen), { key, language, onProgress, signal: this.#abort.signal });
    this.#busy(false);
    this.#clear();
    if (response.aborted) {
      announce(this.#form, "Cancelled.");
      this.#tell("cancelled");
    } else if (response.status === 200 && response.answer?.success) {
      this.#tell("answer", { answer: response.answer, ...chosen });
    } else {
      await this.#failed(response, chosen, service);
    }
  }

  /** Remove the messages of the last try, and cancel an automatic retry. */
  #clear() {
    this.#stopWaiting();
    clearFailure(this.#failure);
  }

  #problem(files) {
    if (!files.length) return { title: "No photo yet", message: "Choose, drop, paste or take a photo first." };
    for (const [name, message] of Object.entries(NUMBERS)) {
      const field = this.#form.elements[name];
      if (field.checkValidity()) continue;
      field.closest("details").open = true;
      return { title: "A detail cannot be right", message };
    }
    return null;
  }

  #tooLarge(files) {
    const { most } = this.#target();
    const bytes = files.reduce((sum, file) => sum + file.size, 0);
    if (isAbsent(most) || bytes <= most) return null;
    return {
      title: "The photo is too large",
      message: `${megabytes(bytes)} are more than the ${megabytes(most)} that the service accepts. Choose a smaller version.`,
    };
  }

  /** What was filled in. */
  #details() {
    const fields = this.#form.elements;
    const filled = DETAILS.map((name) => [name, fields[name].value]).filter(([, value]) => value);
    const { detail } = this.#target();
    return { ...Object.fromEntries(filled), outline: "true", ...(detail && { detail }) };
  }

  async #failed(response, chosen, service) {
    if (response.status === 401) this.#part("key-field").hidden = false;
    const failure = { ...failureOf(response, this.#form), ...(response.status === 0 && await noAnswer(service)) };
    this.#tell("failure", failure);
    const wait = response.retryAfter;
    if (isAbsent(wait)) {
      const again = [0, 408, 500, 502, 503, 504].includes(response.status);
      showFailure(this.#failure, failure, ...(again ? [this.#retryButton("Try again", chosen)] : []));
    } else if (this.#retries < RETRIES) {
      this.#retryLater(failure, wait, chosen);
    } else {
      const advice = `It has been busy several times. Wait ${wait} s or longer, then try again.`;
      showFailure(this.#failure, { ...failure, advice }, this.#retryButton("Try again", chosen));
    }
    (response.status === 401 ? this.#part("key") : this.#failure).focus();
  }

  /** Count down, then send the same again. */
  #retryLater(failure, wait, chosen) {
    this.#retries += 1;
    const waiting = countdown(wait, () => this.#attempt(chosen));
    this.#stopWaiting = () => {
      waiting.cancel();
      this.#stopWaiting = () => {};
      showFailure(this.#failure, failure, this.#retryButton("Try again", chosen));
    };
    const stopped = () => {
      this.#stopWaiting();
      this.#failure.focus(); // the button is gone
    };
    const button = el("button", { type: "button", class: "button", onclick: stopped }, "Stop waiting");
    showFailure(this.#failure, failure, waiting.element, this.#retryButton("Try now", chosen), button);
  }

  /** Sends what is chosen now, or the same again where the overlays of an answer were asked for. */
  #retryButton(text, chosen) {
    const again = () => (chosen.details.explain ? this.#begin(chosen) : this.send());
    return el("button", { type: "button", class: "button primary", onclick: again }, text);
  }

  #busy(is) {
    this.#photos.locked = is;
    this.#part("controls").disabled = is;
    this.#part("progress").hidden = !is;
    if (!is) {
      this.#part("progress-label").textContent = "";
      return;
    }
    this.#showSent(0);
    this.#part("cancel").focus(); // a disabled button loses the focus
  }

  /** Show the share of sent bytes, 0 to 1. After 1 the service is working, and its progress is not known. */
  #showSent(share) {
    const bar = this.#part("bar");
    const working = share >= 1;
    if (working) bar.removeAttribute("value");
    else bar.value = Math.round(share * 100);
    this.#say(working ? "Analysing …" : "Sending the photo …");
    this.#tell("progress", { stage: working ? "analysing" : "sending", share });
  }

  /** Once for each stage, not for each part of an upload. */
  #say(text) {
    const label = this.#part("progress-label");
    if (label.textContent === text) return;
    label.textContent = text;
    announce(label, text);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function body({ files, details }) {
  const data = new FormData();
  files.forEach((file, index) => data.append("image", file, `view-${index + 1}`)); // a file's name may name a person
  for (const [name, value] of Object.entries(details)) data.append(name, value);
  return data;
}

const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MB`;
