"use strict";

const form = document.getElementById("form");
const status = document.getElementById("status");
const answer = document.getElementById("answer");

async function analyse() {
  const response = await fetch(form.action, { method: "POST", body: new FormData(form) });
  const result = await response.json();
  answer.textContent = JSON.stringify(result, null, 2);
  answer.hidden = false;
  if (response.ok) {
    return "Done.";
  }
  const wait = response.headers.get("Retry-After");
  return result.error.message + (wait ? ` (in ${wait} s)` : "");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  answer.hidden = true;
  status.textContent = "Analysing …";
  try {
    status.textContent = await analyse();
  } catch {
    status.textContent = "The service could not be reached. Check the connection and try again.";
  } finally {
    button.disabled = false;
  }
});
