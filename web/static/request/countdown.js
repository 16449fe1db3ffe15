// Waits for the time that the service asked for, and shows the remaining seconds.

import { el } from "../dom.js";

/** {element, cancel}. `onEnd` is called once, unless cancelled. The clock decides, so that a sleeping tab is not late. */
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
