// The page has four screens, of which one is shown: the photo, its answer, the diary, and an entry of the diary. The
// analyzer shows the first two. Back and forward go between the screens.

import { byId } from "./dom.js";

const shown = new EventTarget();

/** Show a screen. A screen that is empty is not shown: the one before it takes its place. */
export function show(name) {
  if (name !== wanted()) history.pushState({ screen: name }, "");
  render();
}

/** Call `task` each time when the screen `name` is shown. */
export function onShow(name, task) {
  shown.addEventListener(name, task);
}

export function prepareScreens() {
  byId("analyzer").addEventListener("dermserve-view", ({ detail }) => show(detail));
  document.querySelectorAll("[data-goes-to]").forEach((tab) => tab.addEventListener("click", () => {
    show(tab.dataset.goesTo);
    scrollTo(0, 0);
  }));
  window.addEventListener("popstate", render);
  render();
}

const wanted = () => history.state?.screen ?? "photo";

function render() {
  const name = wanted() === "entry" && !byId("entry").answer ? "diary" : wanted();
  const analyzer = byId("analyzer");
  analyzer.hidden = name !== "photo" && name !== "answer";
  if (!analyzer.hidden) analyzer.view = name;
  byId("diary-screen").hidden = name !== "diary";
  byId("entry-screen").hidden = name !== "entry";
  const now = analyzer.hidden ? name : analyzer.view;
  document.querySelectorAll("[data-goes-to]").forEach((tab) => {
    if (tab.dataset.goesTo === now) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  });
  document.body.dataset.screen = now;
  shown.dispatchEvent(new Event(now));
}
