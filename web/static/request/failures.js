// What went wrong, in words that say what to do.

import { byId, el, fill } from "../dom.js";

const TITLES = {
  0: "The service could not be reached",
  400: "The request could not be read",
  401: "A key is needed",
  408: "The upload was too slow",
  413: "The photo is too large",
  415: "This kind of file cannot be read",
  422: "The photo or a detail cannot be used",
  429: "Too many requests",
  503: "The service is busy",
  504: "The analysis took too long",
};
const ADVICE = {
  0: "Check the connection and try again. The photo is still here.",
  408: "Try again over a faster connection, or send fewer or smaller photos.",
  413: "Choose a smaller version of the photo.",
  415: "Save it as JPEG or PNG and try again.",
  500: "Try again. If it happens again, tell whoever runs this service the request number below.",
  504: "Try again in a moment, or send one photo only.",
};
const CODE_TITLES = {
  not_ready: "The service is still starting",
  unavailable: "The service cannot analyse now",
  damaged_image: "The photo is damaged",
  image_too_small: "The photo is too small",
  impossible_value: "A detail cannot be right",
};

// The API's own words for these speak to programs.
const CODE_MESSAGES = {
  busy: "It is analysing as many photos as it can at once. Yours is still here; send it again when its turn may come.",
  rate_limited: "More photos came from here than it takes in that time. Yours is still here.",
  key_required: "This service analyses photos for those who have a key. Enter yours beside the details and try again.",
};

/** What to show of a response: {title, message, advice, requestId}. */
export function failureOf({ status, answer, requestId }) {
  const error = answer?.error;
  return {
    title: CODE_TITLES[error?.code] ?? TITLES[status] ?? "Something went wrong",
    message: CODE_MESSAGES[error?.code] ?? error?.message ?? fallback(status),
    advice: ADVICE[status] ?? "",
    requestId: status ? (answer?.request_id ?? requestId) : null,
  };
}

function fallback(status) {
  return status ? `The answer could not be understood (status ${status}).` : "No answer came: the network may be down.";
}

/** Show a failure; `actions` are elements such as a button to try again. */
export function showFailure({ title, message, advice = "", requestId = null }, ...actions) {
  const panel = byId("failure");
  fill(panel,
    el("h2", {}, title),
    el("p", {}, message),
    advice && el("p", {}, advice),
    actions.length > 0 && el("div", { class: "buttons" }, ...actions),
    requestId && el("p", { class: "hint" }, "Request ", el("code", {}, requestId)),
  );
  panel.hidden = false;
}

export function clearFailure() {
  byId("failure").hidden = true;
  fill(byId("failure"));
}
