/**
 * What every answer has. This is not all: generate types of the whole answer from `/api/openapi.json` of a service, for
 * example with openapi-typescript, whose `components["schemas"]["AnalysisAnswer"]` has these fields too.
 */
export interface Answer {
  success: true;
  analysis_id: string;
  /** ISO 8601. */
  timestamp: string;
  version: string;
  /** True for a canned answer: nothing in it was measured on the photo. */
  mock: boolean;
  language: string;
  summary: Summary;
  /** For people: what was not done, and why. */
  notes: readonly string[];
  /** Show this to users. */
  disclaimer: string;
}

export interface Summary {
  headline: string;
  headline_code: string;
  certainty: string;
  findings: ReadonlyArray<{ code: string; text: string; basis: string; certainty: string }>;
  next_step: string;
  next_step_code: string;
  limits: string;
}

/** The detail of a `dermserve-error` event: what the visitor reads, and what a script may want. */
export interface Failure {
  title: string;
  message: string;
  advice?: string;
  /** HTTP status; 0 if no answer came. */
  status: number;
  /** The service's error code, such as `unsupported_image`. */
  code: string | null;
  requestId: string | null;
  /** Seconds after which the service may be asked again. The element does so by itself. */
  retryAfter: number | null;
}

/** The detail of a `dermserve-progress` event. */
export interface Progress {
  stage: "sending" | "analysing";
  /** Share of the bytes sent, 0 to 1. How far an analysis is, nobody knows. */
  share: number;
}

export type View = "photo" | "answer";

/** `<dermserve-analyzer>`: takes a photo, sends it, and shows the answer. */
export declare class AnalyzerElement extends HTMLElement {
  /** The address of the service, such as `https://dermserve.example.com`; by default the one that the module came from. */
  endpoint: string | null;
  /** The language of the summary, such as `es`; by default that of the browser. */
  language: string | null;
  /** The kind of photo that is chosen beforehand. */
  modality: "face" | "lesion_close_up" | "close_up" | "dermatoscopic" | null;
  /** How much the answer holds; by default `standard`. */
  detail: "summary" | "standard" | "full" | null;
  /** The visitor's key of the service, or "". A property only: it is never written into the page. */
  key: string;
  /** The answer that was given last. */
  readonly answer: Answer | null;
  /** The photos that the answer is about. */
  readonly photos: readonly File[];
  /** What is shown. Without an answer, `photo` stays. */
  view: View;
  /** Begin a case with the first picture among `files`, as if the visitor had chosen it. */
  choose(files: Iterable<File>): void;
  /** Send what is chosen, as if the visitor had pressed the button. */
  analyse(): void;
  /** Stop a running analysis. */
  cancel(): void;
  /** Empty the form for another photo. */
  startAnew(): void;
}

/** `<dermserve-report>`: shows an answer. */
export declare class ReportElement extends HTMLElement {
  /** The address of the service that gave the answer; by default the one that the module came from. */
  endpoint: string | null;
  /** The answer as the service gave it, parsed from JSON. */
  answer: Answer | null;
  /** The photos that the answer is about, in order. Without them none is shown. */
  photos: Iterable<Blob>;
  /** Called when the reader asks for all that can be drawn on the photo; null: the report does not offer it. */
  explain: (() => void) | null;
}

interface ElementEvents {
  "dermserve-answer": CustomEvent<Answer>;
  "dermserve-error": CustomEvent<Failure>;
  "dermserve-progress": CustomEvent<Progress>;
  "dermserve-view": CustomEvent<View>;
}

declare global {
  interface HTMLElementTagNameMap {
    "dermserve-analyzer": AnalyzerElement;
    "dermserve-report": ReportElement;
  }
  interface HTMLElementEventMap extends ElementEvents {}
  interface DocumentEventMap extends ElementEvents {}
}
