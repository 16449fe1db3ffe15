// How good the photo is to measure on, and what would make it better.

import { el } from "../dom.js";
import { card } from "./card.js";

export function quality({ usable, score, problems }) {
  return card("Photo quality", { name: "quality" },
    el("div", { class: "quality-line" },
      score !== null && el("p", { class: "score" }, el("strong", {}, String(Math.round(score))), " of 100"),
      el("p", {}, words(usable, problems))),
    problems.length > 0 && el("ul", { class: "problems" }, ...problems.map((problem) =>
      el("li", {}, el("strong", {}, problem.message), " ", problem.advice))));
}

function words(usable, problems) {
  if (!usable) return "Nothing can be measured on this photo.";
  return problems.length ? "Usable, with these problems:" : "No problem found.";
}
