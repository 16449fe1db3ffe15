// One analysis from the button to the answer: checks, sends, shows the progress, and tries again where that helps.
// A case is {files, details}: what was chosen when the button was pressed, and what every try of it sends.

import { announce, byId, el } from "../dom.js";
import { clearReport, hideReport, restoreReport } from "../report/report.js";
import { countdown } from "./countdown.js";
import { clearFailure, failureOf, showFailure } from "./failures.js";
import { post } from "./transport.js";

const RETRIES = 3; // without being asked
const DETAILS = ["age", "sex", "body_site", "modality", "reference", "pixels_per_mm"];
// Messages for invalid details. The limits are those of the form.
const NUMBERS = {
  age: () => "The age must be a whole number of years from 0 to 120.",
  pixels_per_mm: (field) => `The pixels for each millimetre must be a number above 0 and at most ${field.max}.`,
};

export class Submission {
  #form;
  #views;
  #onAnswer;
  #abort = null;
  #stopWaiting = () => {}; // … for a busy service
  #retries = 0;

  /** `onAnswer(answer, chosen)` gets an analysis and the case that it is about. */
  constructor(form, views, { onAnswer }) {
    this.#form = form;
    this.#views = views;
    this.#onAnswer = onAnswer;
    byId("cancel").addEventListener("click", () => this.#abort?.abort());
    // Whoever changes what is to be sent, or opens the camera to do so, says when it is sent.
    for (const type of ["click", "input"]) byId("controls").addEventListener(type, () => this.#stopWaiting());
    views.addEventListener("change", () => this.#clear());
  }

  /** Send what is chosen now. */
  send() {
    this.#clear();
    const files = this.#views.files;
    const problem = this.#problem(files);
    if (problem) {
      clearReport();
      showFailure(problem);
    } else {
      this.#begin({ files, details: this.#details() });
    }
  }

  /** Send an answered case again, and ask for what can be drawn on its photo. */
  explain({ files, details }) {
    this.#begin({ files, details: { ...details, explain: "true" } });
  }

  #begin(chosen) {
    if (this.#views.locked) return; // one at a time
    this.#retries = 0;
    this.#attempt(chosen);
  }

  async #attempt(chosen) {
    this.#clear();
    this.#abort = new AbortController();
    this.#busy(true);
    hideReport();
    const response = await post(body(chosen), {
      key: byId("key").value.trim(),
      onProgress: showSent,
      signal: this.#abort.signal,
    });
    this.#busy(false);
    clearFailure();
    if (response.aborted) {
      restoreReport();
      announce("Cancelled.");
      byId("analyse").focus();
    } else if (response.status === 200 && response.answer?.success) {
      this.#onAnswer(response.answer, chosen);
    } else {
      clearReport();
      this.#failed(response, chosen);
      if (response.status !== 401) byId("failure").focus();
    }
  }

  /** Remove the messages of the last try, and cancel an automatic retry. */
  #clear() {
    this.#stopWaiting();
    clearFailure();
  }

  #problem(files) {
    if (!files.length) return { title: "No photo yet", message: "Choose, drop, paste or take a photo first." };
    for (const [name, wanted] of Object.entries(NUMBERS)) {
      const field = this.#form.elements[name];
      if (field.checkValidity()) continue;
      field.focus();
      return { title: "A detail cannot be right", message: wanted(field) };
    }
    const most = Number(document.body.dataset.largestMb);
    const megabytes = files.reduce((sum, file) => sum + file.size, 0) / 2 ** 20;
    if (megabytes <= most) return null;
    return {
      title: "The photo is too large",
      message: `${megabytes.toFixed(0)} MB are more than the ${most} MB that the service accepts. Choose a smaller version.`,
    };
  }

  /** What was filled in. */
  #details() {
    const fields = this.#form.elements;
    const details = Object.fromEntries(DETAILS.map((name) => [name, fields[name].value]).filter(([, value]) => value));
    return fields.explain.checked ? { ...details, explain: "true" } : details;
  }

  #failed(response, chosen) {
    if (response.status === 401) {
      byId("key-field").hidden = false;
      byId("key").focus();
    }
    const failure = failureOf(response);
    const wait = response.retryAfter;
    if (wait === null) {
      const again = [0, 408, 500, 502, 503, 504].includes(response.status);
      showFailure(failure, ...(again ? [this.#retryButton("Try again")] : []));
    } else if (this.#retries < RETRIES) {
      this.#retryLater(failure, wait, chosen);
    } else {
      this.#offerLater(failure, wait);
    }
  }

  /** Count down, then send the same again. */
  #retryLater(failure, wait, chosen) {
    this.#retries += 1;
    const waiting = countdown(wait, () => this.#attempt(chosen));
    this.#stopWaiting = () => {
      waiting.cancel();
      this.#stopWaiting = () => {};
      showFailure(failure, this.#retryButton("Try again"));
    };
    const stopped = () => {
      this.#stopWaiting();
      byId("failure").focus(); // the button is gone
    };
    const stop = el("button", { type: "button", class: "button", onclick: stopped }, "Stop waiting");
    showFailure(failure, waiting.element, this.#retryButton("Try now"), stop);
  }

  #offerLater(failure, wait) {
    const advice = `It has been busy several times. Wait ${wait} s or longer, then try again.`;
    showFailure({ ...failure, advice }, this.#retryButton("Try again"));
  }

  #retryButton(text) {
    return el("button", { type: "button", class: "button primary", onclick: () => this.send() }, text);
  }

  #busy(is) {
    this.#views.locked = is;
    byId("controls").disabled = is;
    byId("progress").hidden = !is;
    if (!is) {
      byId("progress-label").textContent = "";
      return;
    }
    showSent(0);
    byId("cancel").focus(); // a disabled button loses the focus
  }
}

function body({ files, details }) {
  const data = new FormData();
  files.forEach((file, index) => data.append("image", file, `view-${index + 1}`)); // a file's name may name a person
  for (const [name, value] of Object.entries(details)) data.append(name, value);
  return data;
}

/** Show the share of sent bytes, 0 to 1. After 1 the service is working, and its progress is not known. */
function showSent(share) {
  const bar = byId("bar");
  const working = share >= 1;
  if (working) bar.removeAttribute("value");
  else bar.value = Math.round(share * 100);
  say(working ? "Analysing …" : "Sending the photo …");
}

/** Once for each stage, not for each part of an upload. */
function say(text) {
  if (byId("progress-label").textContent === text) return;
  byId("progress-label").textContent = text;
  announce(text);
}
