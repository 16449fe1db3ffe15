// The table of face zones: one row per zone, one column per measure. A row highlights its zone on the photo.

import { el } from "../dom.js";
import { amount, unitName } from "../format.js";
import { plain } from "../words.js";
import { card } from "./card.js";

/** `spotlight` gets a "zone" event with the name of the zone that is looked at, or null. */
export function zones(found, spotlight) {
  if (!found?.length) return null;
  const measured = found.filter((zone) => zone.measurements.length); // the forehead is compared with nothing
  if (!measured.length) return null;
  const names = [...new Set(found.flatMap((zone) => zone.measurements.map((one) => one.name)))];
  const named = (name) => found.flatMap((zone) => zone.measurements).find((one) => one.name === name);
  return card("Zones of the face", { name: "zones", intro: "Left and right are the person's own. ± is as under Measurements. Choose a zone to see it on the photo." },
    el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of the zones" },
      el("table", { class: "matrix" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Zone"),
          ...names.map(named).map(({ label, unit }) => el("th", { scope: "col" }, label, " ", el("span", { class: "unit" }, unitName(unit)))))),
        el("tbody", {}, ...measured.map((zone) => row(zone, names, spotlight))))));
}

function row(zone, names, spotlight) {
  const cells = names.map((name) => {
    const one = zone.measurements.find((candidate) => candidate.name === name);
    return el("td", {}, amount(one ?? { value: null }));
  });
  const show = (name) => spotlight.dispatchEvent(new CustomEvent("zone", { detail: name }));
  const button = el("button", {
    type: "button",
    class: "zone-name",
    "aria-pressed": "false",
    onclick: () => {
      const pressed = button.getAttribute("aria-pressed") === "true";
      for (const other of button.closest("tbody").querySelectorAll("button")) other.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-pressed", String(!pressed));
      show(pressed ? null : zone.name);
    },
  }, plain(zone.name));
  return el("tr", {}, el("th", { scope: "row" }, button), ...cells);
}
