// <dermserve-report>: shows an answer.

import { answerView } from "../answer/answer.js";
import { el, fill, liveRegion } from "../dom.js";
import { reflect, upgrade, whenGone } from "./properties.js";
import { Service } from "./service.js";
import * as styles from "./styles.js";

export class ReportElement extends HTMLElement {
  static observedAttributes = ["endpoint"];

  #root = this.attachShadow({ mode: "open" });
  #place = el("div", {});
  #answer = null;
  #photos = [];
  #explain = null;
  #service = new Service();
  #urls = []; // object URLs of the photos that are shown
  #outdated = false;

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [styles.base, styles.answer];
    this.#root.append(this.#place, liveRegion());
  }

  /** The answer, as the service gave it. */
  get answer() {
    return this.#answer;
  }

  set answer(value) {
    this.#answer = value ?? null;
    this.#change();
  }

  /** The photos that the answer is about (Blob or File), in order. Without them none is shown. */
  get photos() {
    return this.#photos;
  }

  set photos(value) {
    this.#photos = [...(value ?? [])];
    this.#change();
  }

  /** Called when the reader asks for all that can be drawn on the photo; null: the report does not offer it. */
  get explain() {
    return this.#explain;
  }

  set explain(value) {
    this.#explain = value ?? null;
    this.#change();
  }

  /** Focus the headline. */
  focus(options) {
    this.#render();
    this.#root.getElementById("headline")?.focus(options);
  }

  attributeChangedCallback() {
    this.#service = new Service(this.endpoint ?? "");
    this.#change();
  }

  connectedCallback() {
    upgrade(this, ["endpoint", "photos", "explain", "answer"]);
    this.#change();
  }

  disconnectedCallback() {
    whenGone(this, () => this.#clear());
  }

  /** Render once for all that is set in one go. */
  #change() {
    this.#outdated = true;
    queueMicrotask(() => this.#render());
  }

  #render() {
    if (!this.#outdated || !this.isConnected) return;
    this.#clear();
    this.#outdated = false;
    if (this.#answer) fill(this.#place, this.#view(this.#answer));
  }

  #view(answer) {
    if (!answer.summary) return el("p", { class: "card" }, "This is not an answer to a photo, so nothing can be shown.");
    this.#urls = this.#photos.map((photo) => URL.createObjectURL(photo));
    return answerView(answer, this.#urls, { service: this.#service, explain: this.#explain });
  }

  #clear() {
    this.#urls.forEach((url) => URL.revokeObjectURL(url));
    this.#urls = [];
    this.#outdated = true;
    fill(this.#place);
  }
}

reflect(ReportElement, ["endpoint"]);
