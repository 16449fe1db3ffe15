// One request to the service, with upload progress. Fetch does not report it, so this uses XMLHttpRequest.

export const ANALYZE = "/api/analyze/skin";
export const COMPARE = "/api/compare/skin";

/**
 * Send `body` (FormData) to `url`. Resolves to {status, answer, retryAfter, requestId}: `answer` is the parsed JSON, or null;
 * status 0 means that no answer came. `onProgress` gets the share of the bytes sent, 0 to 1.
 */
export function post(url, body, { key, language, onProgress = () => {}, signal }) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const done = () => resolve({
      status: request.status,
      answer: parsed(request.responseText),
      retryAfter: seconds(request.getResponseHeader("Retry-After")),
      requestId: request.getResponseHeader("X-Request-ID"),
      aborted: signal.aborted,
    });
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/json");
    if (key) request.setRequestHeader("Authorization", `Bearer ${key}`);
    if (language) request.setRequestHeader("Accept-Language", language);
    request.upload.addEventListener("progress", (event) => event.lengthComputable && onProgress(event.loaded / event.total));
    request.addEventListener("loadend", done);
    signal.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Retry-After in seconds: a number, or a date; null where there is none. */
function seconds(header) {
  if (!header) return null;
  const number = Number(header);
  const wait = Number.isFinite(number) ? number : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(wait) ? Math.max(1, Math.ceil(wait)) : null;
}
