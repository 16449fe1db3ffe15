// The page for developers: tabs, copying, the form, and links into what is folded.

import { prepareCode } from "./code.js";
import { prepareForm } from "./form.js";
import { prepareTabs } from "./tabs.js";

/** Open what holds the part that the address names: not every browser does it. */
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let part = target; part; part = part.parentElement) if (part.matches("details")) part.open = true;
  target.scrollIntoView();
}

/** Paper has everything: what is folded is opened for it, and closed again. */
function preparePaper() {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
}

prepareCode();
prepareTabs();
prepareForm();
preparePaper();
addEventListener("hashchange", openTarget);
openTarget();
