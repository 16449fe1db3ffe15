// <dermserve-analyzer> and <dermserve-report>, for this service's own page and for any other.

import { AnalyzerElement } from "./elements/analyzer.js";
import { ReportElement } from "./elements/report.js";

const ELEMENTS = { "dermserve-report": ReportElement, "dermserve-analyzer": AnalyzerElement };

// A page may load this from two services. The elements work with any, so the first that comes is enough.
for (const [name, kind] of Object.entries(ELEMENTS)) if (!customElements.get(name)) customElements.define(name, kind);

export { AnalyzerElement, ReportElement };
