// The ways in which photos come: chosen, dropped, pasted, or taken by the phone's own camera application.

import { byId } from "../dom.js";

export function gather(views) {
  onFiles("file", (files) => views.add(files));
  onFiles("capture", (files) => views.add(files));
  onFiles("another", (files) => views.addView(files));
  acceptDrops(views);
  document.addEventListener("paste", (event) => {
    const files = event.clipboardData?.files ?? [];
    if (files.length) {
      event.preventDefault();
      views.add(files);
    }
  });
}

function onFiles(id, take) {
  const input = byId(id);
  input.addEventListener("change", () => {
    take(input.files);
    input.value = ""; // so that the same photo can be chosen again after it was removed
  });
}

/** A photo may be dropped anywhere on the page: one that misses the field must not replace the page. */
function acceptDrops(views) {
  const field = byId("drop");
  let depth = 0; // of the elements entered, as each child tells of its own
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    field.classList.toggle("over", depth > 0 && !views.locked);
  };
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragenter", (event) => holdsFiles(event) && mark(1));
  document.addEventListener("dragleave", (event) => holdsFiles(event) && mark(-1));
  document.addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    mark(-depth);
    views.add(event.dataTransfer.files);
  });
}
