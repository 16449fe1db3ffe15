// The photo with what was found on it. Overlays and zones belong to the first view.

import { el, svg } from "../dom.js";
import { number } from "../format.js";
import { overlay, plain } from "../words.js";
import { card } from "./card.js";

export function photo(answer, urls, spotlight, explain) {
  const { width, height } = answer.image;
  const layers = [...zoneLayer(answer.skin.zones, spotlight), ...answer.overlays.filter((one) => one.name !== "zones").map(imageLayer)];
  const picture = el("img", { src: urls[0], alt: "The photo that was analysed", class: "base" });
  picture.addEventListener("error", () => picture.replaceWith(el("p", { class: "no-preview" }, "This browser cannot show the photo's format.")));
  const frame = el("div", { class: "frame", vars: { "--ratio": `${width} / ${height}` } }, picture, ...layers.map((layer) => layer.element));
  const others = urls.slice(1).map((url, index) => el("img", { src: url, alt: `View ${index + 2}` }));
  return card("Your photo", { name: "photo" },
    el("figure", {}, frame, el("figcaption", { class: "hint" }, `${width} × ${height} pixels, ${answer.image.format}`)),
    layers.length > 0 && toggles(layers, frame),
    others.length > 0 && el("div", { class: "other-views" }, ...others),
    !answer.overlays.length && el("button", { type: "button", class: "button no-print", onclick: explain },
      "Show skin, pigment and where the models looked"));
}

function imageLayer(one) {
  const [label, meaning] = overlay(one.name);
  const score = one.deletion_score;
  const tested = score === null ? "" : ` Deletion score ${number(score)}: how much more the result falls when this is hidden than when ` +
    "the same shape is hidden elsewhere; 0 is no better than chance.";
  const element = el("img", { class: "layer", alt: "", src: `data:${one.media_type};base64,${one.data_base64}`, hidden: true });
  return { label, meaning: meaning + tested, element, on: false };
}

function zoneLayer(zones, spotlight) {
  if (!zones?.length) return [];
  const drawing = svg("svg", { class: "layer zones-drawing", viewBox: "0 0 1000 1000", preserveAspectRatio: "none", "aria-hidden": "true" });
  for (const zone of zones) {
    const points = zone.polygon.map(([x, y]) => `${x * 1000},${y * 1000}`).join(" ");
    const shape = svg("polygon", { points, "fill-rule": "evenodd", "vector-effect": "non-scaling-stroke" });
    shape.append(svg("title"));
    shape.firstChild.textContent = plain(zone.name);
    shape.dataset.zone = zone.name;
    drawing.append(shape);
  }
  spotlight.addEventListener("zone", (event) => {
    for (const shape of drawing.children) shape.classList.toggle("chosen", shape.dataset.zone === event.detail);
  });
  return [{ label: "Face zones", meaning: "The zones that are measured one by one.", element: drawing, on: true }];
}

function toggles(layers, frame) {
  const meaning = el("p", { class: "hint", role: "status" });
  const chips = layers.map((layer) => {
    const box = el("input", { type: "checkbox", checked: layer.on });
    show(layer, layer.on);
    box.addEventListener("change", () => {
      show(layer, box.checked);
      meaning.textContent = box.checked ? layer.meaning : "";
    });
    return el("label", { class: "chip" }, box, el("span", {}, layer.label));
  });
  const strength = el("input", { type: "range", min: "10", max: "100", value: "75", "aria-label": "Strength of what is drawn on the photo" });
  strength.addEventListener("input", () => frame.style.setProperty("--strength", String(strength.value / 100)));
  return el("div", { class: "toggles no-print" },
    el("div", { class: "chips", role: "group", "aria-label": "Draw on the photo" }, ...chips), strength, meaning);
}

function show(layer, on) {
  layer.element.toggleAttribute("hidden", !on);
}
