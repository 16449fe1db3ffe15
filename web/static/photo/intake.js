// The ways in which photos come, the chosen photos, and what a quick check says of them.

import { announce, byId, el, fill } from "../dom.js";
import { check } from "./check.js";

/** Take photos from the fields in `root`, and show what is chosen. */
export function prepareIntake(root, photos) {
  const onFiles = (id, take) => {
    const input = byId(id, root);
    input.addEventListener("change", () => {
      take(input.files);
      input.value = ""; // so that the same photo can be chosen again after it was removed
    });
  };
  onFiles("file", (files) => photos.choose(files));
  onFiles("capture", (files) => photos.choose(files));
  onFiles("another", (files) => photos.add(files));
  photos.addEventListener("change", () => showPhotos(root, photos));
}

/**
 * Take what is dropped or pasted on `target`: an element, or the document, so that a photo that misses the field does not
 * replace the page. `signal` ends it.
 */
export function acceptDrops(target, root, photos, signal) {
  let depth = 0; // of the elements entered, as each child tells of its own
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    byId("drop", root).classList.toggle("over", depth > 0 && !photos.locked);
  };
  const on = (type, task) => target.addEventListener(type, task, { signal });
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  on("dragenter", (event) => holdsFiles(event) && mark(1));
  on("dragleave", (event) => holdsFiles(event) && mark(-1));
  on("dragover", (event) => holdsFiles(event) && event.preventDefault());
  on("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    mark(-depth);
    photos.choose(event.dataTransfer.files);
  });
  on("paste", (event) => {
    const files = event.clipboardData?.files ?? [];
    if (!files.length) return;
    event.preventDefault();
    photos.choose(files);
  });
}

function showPhotos(root, photos) {
  const count = photos.all.length;
  fill(byId("previews", root), photos.all.map((photo, index) => preview(root, photos, photo, index)));
  byId("photo-screen", root).classList.toggle("chosen", count > 0);
  byId("another-view", root).hidden = !photos.canGrow;
  byId("previews", root).dataset.count = String(count);
  showCheck(root, photos);
  announce(byId("form", root), count ? `${count} ${count === 1 ? "photo" : "photos"} chosen.` : "No photo chosen.");
}

function preview(root, photos, photo, index) {
  const name = index ? `View ${index + 1}` : "Photo";
  const image = el("img", { src: photo.url, alt: `${name}, as chosen` });
  const remove = el("button", {
    type: "button",
    class: "remove",
    "aria-label": `Remove photo ${index + 1}`,
    onclick: () => {
      photos.remove(photo);
      (byId("previews", root).querySelector("button") ?? byId("file", root)).focus();
    },
  }, "×");
  image.addEventListener("error", () => {
    image.replaceWith(el("span", { class: "no-preview" }, "This browser cannot show the format. The service can read it."));
  });
  return el("li", {}, image, photos.all.length > 1 && el("span", { class: "view-name" }, name), remove);
}

/** The check of the first photo: the measures are taken on it. */
async function showCheck(root, photos) {
  const panel = byId("check", root);
  const first = photos.files[0];
  panel.hidden = true;
  if (!first) return;
  const problems = await check(first);
  if (problems === null || photos.files[0] !== first) return;
  panel.className = `check-result ${problems.length ? "warn" : "fine"}`;
  fill(panel, problems.length ? advice(problems) : el("p", {}, "Sharp enough and well lit."));
  panel.hidden = false;
}

function advice(problems) {
  return [
    el("ul", {}, ...problems.map(({ message, advice: what }) => el("li", {}, el("strong", {}, message), ` ${what}`))),
    el("p", {}, "A new photo would tell more. You can analyse this one all the same."),
  ];
}
