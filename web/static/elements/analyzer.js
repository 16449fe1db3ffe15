// <dermserve-analyzer>: takes a photo, sends it to the service, and shows the answer.

import { announce, byId, el, fill, liveRegion } from "../dom.js";
import { prepareCamera, viewfinder } from "../photo/camera.js";
import { form, presetModality, showMost } from "../photo/form.js";
import { acceptDrops, prepareIntake } from "../photo/intake.js";
import { Photos } from "../photo/photos.js";
import { showFailure } from "../request/failures.js";
import { Submission } from "../request/submission.js";
import { reflect, upgrade, whenGone } from "./properties.js";
import { Service } from "./service.js";
import * as styles from "./styles.js";

const MOST_PHOTOS = 3;
const PARTS = ["summary", "headline", "next-step", "photo", "findings", "details"]; // of the report, for the page's styles

export class AnalyzerElement extends HTMLElement {
  static observedAttributes = ["endpoint", "modality"];

  #root = this.attachShadow({ mode: "open" });
  #report = el("dermserve-report", { part: "report", exportparts: PARTS.join(", ") });
  #anotherView = action("Add a view", () => this.#addView());
  #photos = new Photos(MOST_PHOTOS);
  #service = new Service();
  #most = null; // bytes that the service takes
  #case = null; // {answer, files, details} of the answer that is shown
  #submission;
  #closeCamera;
  #connection = null; // ends what listens outside of the shadow root

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [styles.base, styles.intake];
    this.#root.append(this.#build());
    this.#report.append(
      action("New analysis", () => this.startAnew(), "primary"),
      el("slot", { name: "actions", slot: "actions" }), // what the page adds
      this.#anotherView);
    prepareIntake(this.#root, this.#photos);
    this.#closeCamera = prepareCamera(this.#root, this.#photos);
    this.#submission = new Submission(this.#root, this.#photos, () => ({
      service: this.#service, language: this.language, detail: this.detail, most: this.#most,
    }));
    this.#listen();
  }

  /** The visitor's key of the service, or "". It is never written into an attribute. */
  get key() {
    return byId("key", this.#root).value.trim();
  }

  set key(value) {
    byId("key", this.#root).value = value ?? "";
  }

  /** The answer that was given last, or null. */
  get answer() {
    return this.#case?.answer ?? null;
  }

  /** The photos (File) that the answer is about, in order. */
  get photos() {
    return this.#case?.files ?? [];
  }

  /** What is shown: "photo" or "answer". Without an answer, "photo" stays. */
  get view() {
    return byId("photo-screen", this.#root).hidden ? "answer" : "photo";
  }

  set view(name) {
    const answered = name === "answer" && this.#case !== null;
    byId("photo-screen", this.#root).hidden = answered;
    byId("answer-screen", this.#root).hidden = !answered;
  }

  /** Begin a case with the first picture among `files`, as if the visitor had chosen it. */
  choose(files) {
    this.#photos.choose(files);
  }

  /** Send what is chosen, as if the visitor had pressed the button. */
  analyse() {
    this.#submission.send();
  }

  /** Stop a running analysis. */
  cancel() {
    this.#submission.cancel();
  }

  /** Empty the form for another photo. The key is the visitor's, not the photo's: it stays. */
  startAnew() {
    this.#reset();
    this.scrollIntoView();
    byId("file", this.#root).focus({ preventScroll: true });
  }

  attributeChangedCallback(name) {
    if (name === "modality") presetModality(this.#root, this.modality);
    else if (this.isConnected) this.#meetService();
  }

  connectedCallback() {
    upgrade(this, ["endpoint", "key", "language", "modality", "detail"]);
    this.#connection ??= this.#connect();
    this.#meetService();
  }

  disconnectedCallback() {
    whenGone(this, () => {
      this.#connection.abort();
      this.#connection = null;
      this.#submission.cancel();
      this.#closeCamera();
      this.#reset();
    });
  }

  #build() {
    return el("div", { class: "visit" },
      el("div", { id: "failure", class: "failure", part: "failure", role: "alert", tabIndex: -1, hidden: true }),
      el("section", { id: "photo-screen", part: "form", "aria-label": "Photo" },
        el("slot", {}),
        el("slot", { name: "notice" }, el("p", { id: "notice", class: "notice" })),
        form()),
      el("section", { id: "answer-screen", "aria-label": "Answer", hidden: true }, this.#report),
      el("div", { id: "progress", class: "progress-card", part: "progress", hidden: true },
        el("label", { id: "progress-label", for: "bar" }),
        el("progress", { id: "bar", max: 100, value: 0 }),
        el("button", { id: "cancel", class: "button", type: "button" }, "Cancel")),
      liveRegion(),
      viewfinder());
  }

  #listen() {
    byId("form", this.#root).addEventListener("submit", (event) => {
      event.preventDefault();
      this.analyse();
    });
    this.#photos.addEventListener("change", () => this.#forget());
    this.#photos.addEventListener("refused", ({ detail: message }) =>
      showFailure(byId("failure", this.#root), { title: "Not added", message }));
    this.#submission.addEventListener("answer", ({ detail }) => this.#answered(detail));
    this.#submission.addEventListener("cancelled", () => (this.view === "photo" ? byId("analyse", this.#root) : this.#report).focus());
    this.#submission.addEventListener("failure", ({ detail }) => this.#tell("error", detail));
    this.#submission.addEventListener("progress", ({ detail }) => this.#tell("progress", detail));
  }

  #connect() {
    const connection = new AbortController();
    acceptDrops(this.hasAttribute("anywhere") ? document : this, this.#root, this.#photos, connection.signal);
    return connection;
  }

  /** Ask the service at the endpoint what it takes, and what must be said of it. */
  async #meetService() {
    const service = new Service(this.endpoint ?? "");
    this.#service = service;
    this.#report.endpoint = this.endpoint;
    this.#most = null;
    const label = await service.label();
    if (service !== this.#service) return; // the endpoint has changed meanwhile
    this.#most = label?.limits?.max_request_bytes ?? null;
    showMost(this.#root, this.#most);
    fill(byId("notice", this.#root), label?.disclaimer);
  }

  #answered(given) {
    this.#case = given;
    this.#report.photos = given.files;
    this.#report.explain = () => this.#submission.explain(given);
    this.#report.answer = given.answer;
    this.#anotherView.hidden = !this.#photos.canGrow;
    this.#go("answer");
    this.#tell("answer", given.answer);
    announce(byId("form", this.#root), "The answer is ready.");
    this.scrollIntoView();
    this.#report.focus({ preventScroll: true });
  }

  #addView() {
    this.#go("photo");
    byId("another", this.#root).focus();
  }

  /** The photos have changed, so the answer is about others. */
  #forget() {
    this.#case = null;
    this.#report.answer = null;
    this.#report.photos = [];
    this.#go("photo");
  }

  #reset() {
    const { key } = this;
    byId("form", this.#root).reset();
    this.key = key;
    this.#photos.clear();
  }

  #go(view) {
    this.view = view;
    this.#tell("view", view);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(`dermserve-${name}`, { detail, bubbles: true, composed: true }));
  }
}

reflect(AnalyzerElement, ["endpoint", "language", "modality", "detail"]);

function action(text, onclick, kind = "") {
  return el("button", { type: "button", class: `button ${kind}`, slot: "actions", onclick }, text);
}
