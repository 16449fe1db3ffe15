// Blocks of code: a button to copy each, and the address that this browser uses.

import { el } from "../dom.js";

const SHOWN_MS = 2000;

export function prepareCode() {
  const { address } = document.body.dataset;
  for (const figure of document.querySelectorAll("figure.code")) {
    const code = figure.querySelector("code");
    // A proxy may not tell the service the scheme or the port that the browser uses.
    if (code.dataset.file) code.textContent = code.textContent.replaceAll(address, location.origin);
    figure.querySelector("figcaption").append(copyButton(() => code.textContent));
  }
}

/** A button that copies what `text()` returns. */
export function copyButton(text) {
  const copied = async () => {
    button.textContent = (await copy(text())) ? "Copied" : "Not copied";
    setTimeout(() => { button.textContent = "Copy"; }, SHOWN_MS);
  };
  const button = el("button", { type: "button", class: "copy", "aria-live": "polite", onclick: copied }, "Copy");
  return button;
}

/** Whether `text` is now in the clipboard. Over http, only the older way is there. */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  const area = el("textarea", { value: text, class: "visually-hidden", "aria-hidden": "true" });
  const before = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus();
  return done;
}
