// The photo with what was found on it. Overlays and zones belong to the first view.

import { el, isAbsent, svg } from "../dom.js";
import { number } from "../format.js";
import { overlay, plain } from "../words.js";

const DRAWN = ["lesion", "zones"]; // overlays that are shown at once

/** The photo with layers that can be switched. `explain` asks for more layers; null where that is not possible. */
export function picture(answer, urls, { spotlight, explain }) {
  const layers = layersOf(answer, spotlight);
  const framed = frame(answer, urls[0], layers);
  const others = urls.slice(1).map((url, index) => el("img", { src: url, alt: `View ${index + 2}` }));
  const explained = answer.overlays.some((one) => !isAbsent(one.deletion_score));
  return el("section", { class: "card photo", part: "photo", "aria-label": "The photo" },
    framed,
    layers.length > 0 && toggles(layers),
    others.length > 0 && el("div", { class: "other-views" }, ...others),
    explain && !explained && el("button", { type: "button", class: "button", onclick: explain }, "Show also pigment and where the models looked"));
}

/** The photo as it is shown first, without anything to press. `url`: of the first photo. */
export function drawing(answer, url) {
  const layers = layersOf(answer).filter((layer) => layer.on);
  return layers.length ? frame(answer, url, layers) : null;
}

/** Whether the answer has the outlines of zones, so that one of them can be shown. Otherwise it has a picture of all. */
export const hasOutlines = ({ skin: { zones } }) => Boolean(zones?.some((zone) => zone.polygon));

function frame({ image: { width, height } }, url, layers) {
  const base = el("img", { src: url, alt: "The photo that was analysed", class: "base" });
  const framed = el("div", { class: "frame", vars: { "--ratio": width ? `${width} / ${height}` : "auto" } }, base, ...layers.map((layer) => layer.element));
  base.addEventListener("error", () => framed.replaceChildren(el("p", { class: "no-preview" }, "This browser cannot show the photo's format.")));
  return framed;
}

function layersOf(answer, spotlight = null) {
  const outlined = hasOutlines(answer);
  return [
    ...(outlined ? [zoneLayer(answer.skin.zones, spotlight)] : []),
    ...answer.overlays.filter((one) => one.name !== "zones" || !outlined).map(imageLayer),
  ];
}

function imageLayer(one) {
  const [label, meaning] = overlay(one.name);
  const score = one.deletion_score;
  const tested = isAbsent(score) ? "" : ` Deletion score ${number(score)}: how much more the result falls when this is hidden than when ` +
    "the same shape is hidden elsewhere; 0 is no better than chance.";
  const on = DRAWN.includes(one.name);
  const element = el("img", { class: "layer", alt: "", src: `data:${one.media_type};base64,${one.data_base64}`, hidden: !on });
  return { label, meaning: meaning + tested, element, on };
}

function zoneLayer(zones, spotlight) {
  const drawing = svg("svg", { class: "layer zones-drawing", viewBox: "0 0 1000 1000", preserveAspectRatio: "none", "aria-hidden": "true" });
  for (const zone of zones) {
    const points = zone.polygon.map(([x, y]) => `${x * 1000},${y * 1000}`).join(" ");
    const shape = svg("polygon", { points, "fill-rule": "evenodd", "vector-effect": "non-scaling-stroke" });
    shape.append(svg("title"));
    shape.firstChild.textContent = plain(zone.name);
    shape.dataset.zone = zone.name;
    drawing.append(shape);
  }
  spotlight?.addEventListener("zone", (event) => {
    for (const shape of drawing.children) shape.classList.toggle("chosen", shape.dataset.zone === event.detail);
  });
  const [label, meaning] = overlay("zones");
  return { label, meaning, element: drawing, on: true };
}

function toggles(layers) {
  const meaning = el("p", { class: "hint", role: "status" });
  const chips = layers.map((layer) => {
    const box = el("input", { type: "checkbox", checked: layer.on });
    box.addEventListener("change", () => {
      layer.element.toggleAttribute("hidden", !box.checked);
      meaning.textContent = box.checked ? layer.meaning : "";
    });
    return el("label", { class: "chip" }, box, el("span", {}, layer.label));
  });
  return el("div", { class: "toggles" }, el("div", { class: "chips", role: "group", "aria-label": "Draw on the photo" }, ...chips), meaning);
}
