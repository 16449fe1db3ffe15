// Shows the chosen photos, with a button to take each out again.

import { announce, byId, el, fill } from "../dom.js";
import { showFailure } from "../request/failures.js";

export function showPreviews(views) {
  views.addEventListener("change", () => {
    fill(byId("previews"), views.all.map((view, index) => preview(views, view, index)));
    byId("drop").classList.toggle("filled", views.all.length > 0);
    const count = views.all.length;
    announce(count ? `${count} ${count === 1 ? "photo" : "photos"} chosen.` : "No photo chosen.");
  });
  for (const type of ["change", "answered"]) {
    views.addEventListener(type, () => { byId("another-view").hidden = !views.canGrow; });
  }
  views.addEventListener("refused", (event) => showFailure({ title: "Not added", message: event.detail }));
}

function preview(views, view, index) {
  const image = el("img", { src: view.url, alt: `Photo ${index + 1}` });
  const remove = el("button", {
    type: "button",
    class: "remove",
    "aria-label": `Remove photo ${index + 1}`,
    onclick: () => {
      views.remove(view);
      (byId("previews").querySelector("button") ?? byId("file")).focus();
    },
  }, "×");
  const item = el("li", {}, image, el("span", { class: "view-name" }, `View ${index + 1}`), remove);
  image.addEventListener("error", () => {
    image.replaceWith(el("span", { class: "no-preview" }, "This browser cannot show the format. The service can read it."));
  });
  return item;
}
