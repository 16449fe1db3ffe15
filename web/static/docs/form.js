// The form that runs: it sends a photo, and shows the answer and the curl line of the same request.

import { byId, el, fill } from "../dom.js";
import { copyButton } from "./code.js";
import { drawSample } from "./sample.js";
import { tree } from "./tree.js";

const HEADERS = ["Content-Type", "Content-Language", "Content-Encoding", "X-Request-ID", "Retry-After", "WWW-Authenticate"];

export function prepareForm() {
  const form = byId("try-form");
  const photo = byId("try-photo");
  form.hidden = false;
  byId("try-sample").addEventListener("click", async () => {
    const files = new DataTransfer();
    files.items.add(await drawSample());
    photo.files = files.files;
    showRequest(form, photo);
  });
  form.addEventListener("input", () => showRequest(form, photo));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (photo.files.length === 0) {
      byId("try-status").textContent = "Choose a photo first, or draw a sample.";
      photo.focus();
    } else send(form, photo.files[0]);
  });
  showRequest(form, photo);
}

const path = () => byId("try-path").value;
/** [name, value] of each field that was filled in. */
const fieldsOf = (form) => [...new FormData(form)].filter(([, value]) => value !== "");

function showRequest(form, photo) {
  const [file] = photo.files;
  byId("try-chosen").textContent = file ? `${file.name}, ${kilobytes(file.size)}` : "No photo chosen.";
  byId("try-curl").textContent = curl(form, file?.name ?? "skin.jpg");
}

/** The request as a command. The key stays out of it: what is on a screen is copied and shown. */
function curl(form, name) {
  const lines = [`curl ${quoted(location.origin + path())}`];
  if (form.dataset.key) lines.push(`-H "Authorization: Bearer ${form.dataset.key}"`);
  lines.push(`-F ${quoted(`image=@${/[",;\\]/.test(name) ? JSON.stringify(name) : name}`)}`);
  for (const [field, value] of fieldsOf(form)) lines.push(`-F ${quoted(`${field}=${value}`)}`);
  return lines.join(" \\\n  ");
}

/** `text` as one word of a shell. */
function quoted(text) {
  return /^[\w@%+=:,./[\]-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

async function send(form, file) {
  const body = new FormData();
  body.append("image", file, "photo"); // a file's name may name a person
  for (const [name, value] of fieldsOf(form)) body.append(name, value);
  const key = byId("try-key")?.value.trim();
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  clear("Sending …");
  try {
    const start = performance.now();
    const response = await fetch(path(), { method: "POST", body, headers: key ? { Authorization: `Bearer ${key}` } : {} });
    const text = await response.text();
    show(response, text, performance.now() - start);
  } catch {
    clear("No answer came: the network may be down. Try again.");
  } finally {
    button.disabled = false;
  }
}

function clear(status) {
  byId("try-status").textContent = status;
  fill(byId("try-headers"));
  fill(byId("try-answer"));
}

function show(response, text, ms) {
  clear(`${response.status} ${response.statusText} in ${Math.round(ms)} ms, ${kilobytes(new Blob([text]).size)} of JSON`);
  const headers = HEADERS.filter((name) => response.headers.has(name));
  fill(byId("try-headers"), headers.flatMap((name) => [el("dt", {}, name), el("dd", {}, response.headers.get(name))]));
  fill(byId("try-answer"),
    el("figure", { class: "code" },
      el("figcaption", {}, "Answer", copyButton(() => text)),
      el("div", { class: "tree", tabindex: 0, role: "region", "aria-label": "Answer" }, tree(JSON.parse(text))),
    ));
}

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
