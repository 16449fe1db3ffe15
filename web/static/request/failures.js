// Error messages that say what to do, and the wait for a busy service.

import { el, fill } from "../dom.js";

// Texts by error code. The service's own messages are written for programmers, so they are shown only for other codes.
const TOO_LARGE = { title: "The photo is too large", advice: "Choose a smaller version of the photo." };
const INCOMPLETE = { title: "The photo did not arrive whole", message: "The connection broke off while it was sent. Try again." };
const BAD_DETAIL = { title: "A detail cannot be used" };
const CODES = {
  empty_image: { title: "The photo is empty", advice: "Choose the original photo." },
  unsupported_image: { title: "This kind of file cannot be read", advice: "Save it as JPEG or PNG and try again." },
  damaged_image: { title: "The photo is damaged" },
  image_too_small: { title: "The photo is too small" },
  bad_image: { title: "The photo cannot be used" },
  too_many_pixels: TOO_LARGE,
  body_too_large: { ...TOO_LARGE, message: "It is larger than the service accepts." },
  no_image: { title: "No photo arrived", message: "Choose the photo again, then press Analyse." },
  too_many_images: { title: "Too many photos", message: "One case has at most three. Remove one and try again." },
  incomplete_body: INCOMPLETE,
  bad_multipart: INCOMPLETE,
  bad_field: BAD_DETAIL,
  impossible_value: BAD_DETAIL,
  key_required: {
    title: "A key is needed",
    message: "This service needs a key. Enter yours below the details and try again.",
  },
  rate_limited: {
    title: "Too many requests",
    message: "The service limits the number of photos from one place. Your photo is still here.",
  },
  busy: {
    title: "The service is busy",
    message: "It is analysing as many photos as it can. Your photo is still here. Send it again in a moment.",
  },
  not_ready: { title: "The service is still starting", message: "Its models are being loaded. Your photo is still here." },
  unavailable: { title: "The service cannot analyse now", message: "Tell the operator of this service, or try again later." },
};
const MESSAGE_OF_SERVICE = ["empty_image", "unsupported_image", "damaged_image", "image_too_small", "bad_image", "too_many_pixels"];

// Texts by status, for codes that are not listed above.
const STATUSES = {
  0: {
    title: "The service could not be reached",
    message: "No answer came: the network may be down.",
    advice: "Check the connection and try again. The photo is still here.",
  },
  400: { title: "The request could not be read", message: "The service could not read what this page sent. Reload the page and try again." },
  401: CODES.key_required,
  404: {
    title: "The service was not found",
    message: "There is no such service at this address.",
    advice: "For the developer: the endpoint is the address of the service alone, such as https://dermserve.example.com.",
  },
  408: {
    title: "The upload was too slow",
    message: "The service stopped it.",
    advice: "Try again over a faster connection, or send fewer or smaller photos.",
  },
  413: CODES.body_too_large,
  415: { ...CODES.unsupported_image, message: "The service cannot read the file." },
  422: { title: "The photo or a detail cannot be used", message: "Check the details, or choose another photo." },
  429: CODES.rate_limited,
  500: { advice: "Try again. If it happens again, tell the operator of this service the request number below." },
  503: { title: "The service is busy", message: "Your photo is still here; send it again in a moment." },
  504: {
    title: "The analysis took too long",
    message: "The service did not finish in time. Your photo is still here.",
    advice: "Try again in a moment, or send one photo only.",
  },
};

/** What to show of a response, and what a script may want: {title, message, advice, requestId, status, code, retryAfter}.
 * `form`: whose labels name a detail that the service refuses. */
export function failureOf({ status, answer, requestId, retryAfter }, form = null) {
  const { code, message, details } = answer?.error ?? {};
  const known = CODES[code] ?? STATUSES[status] ?? {};
  return {
    title: known.title ?? "Something went wrong",
    message: wordsOf(code, message, details, form) ?? known.message ?? `The service answered with an error (status ${status}).`,
    advice: known.advice,
    requestId: status ? (answer?.request_id ?? requestId) : null,
    status,
    code: code ?? null,
    retryAfter,
  };
}

/** What is wrong with the photo or the detail, if the answer says so. */
function wordsOf(code, message, details, form) {
  if (MESSAGE_OF_SERVICE.includes(code)) return message;
  if (CODES[code] !== BAD_DETAIL) return null;
  const label = form?.elements[details?.field]?.labels?.[0]?.firstChild.textContent.trim();
  return `${label ? `“${label}”` : "One of the details"} has a value that the service does not accept. Change it or leave it empty.`;
}

/** Show a failure in `panel`; `actions` are elements such as a button to try again. */
export function showFailure(panel, { title, message, advice, requestId }, ...actions) {
  fill(panel,
    el("h2", {}, title),
    el("p", {}, message),
    advice && el("p", {}, advice),
    actions.length > 0 && el("div", { class: "buttons" }, ...actions),
    requestId && el("p", { class: "hint" }, "Request ", el("code", {}, requestId)),
  );
  panel.hidden = false;
}

export function clearFailure(panel) {
  panel.hidden = true;
  fill(panel);
}

/**
 * Why no answer came from `service`: {title, message, advice}. A browser does not tell a page on another origin, so the
 * page asks for something that all may read, and for something that only allowed origins may read.
 */
export async function noAnswer(service) {
  const { origin } = service;
  if (origin === location.origin) return STATUSES[0];
  if (origin && !(await answers(service.url("/health"))) && await answers(service.url("/assets/icon.svg"))) {
    return {
      title: "This page may not use the service",
      message: `The service at ${origin} takes no photos from pages of ${location.origin}.`,
      advice: `For its operator: add ${location.origin} to the setting DERMSERVE_CORS_ORIGINS.`,
    };
  }
  return { ...STATUSES[0], message: `No answer came from ${service.url("/")}: the network may be down, or the address is wrong.` };
}

async function answers(url) {
  try {
    await fetch(url, { cache: "no-store" });
    return true;
  } catch {
    return false;
  }
}

/**
 * A countdown before another try: {element, cancel}. `onEnd` is called once, unless cancelled. The clock decides, so that
 * a sleeping tab is not late.
 */
export function countdown(seconds, onEnd) {
  const end = Date.now() + seconds * 1000;
  const number = el("span", { class: "seconds" });
  const element = el("p", { class: "countdown", "aria-live": "off" }, "Trying again in ", number, ".");
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    number.textContent = `${left} s`;
    if (left > 0) return;
    cancel();
    onEnd();
  };
  const timer = setInterval(tick, 250);
  const cancel = () => clearInterval(timer);
  tick();
  return { element, cancel };
}
