import { readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";

const form = new FormData();
form.append("image", new Blob([await readFile("skin.jpg")]), "photo");
form.append("detail", "summary");

async function analyse(tries = 5) {
  const response = await fetch("http://127.0.0.1:8000/api/analyze/skin", {
    method: "POST",
    headers: { Authorization: "Bearer YOUR_KEY" },
    body: form,
  });
  const seconds = response.headers.get("Retry-After");
  if (seconds === null || tries === 1) return response.json();
  await wait(1000 * Number(seconds));
  return analyse(tries - 1);
}

const answer = await analyse();
console.log(answer.success ? answer.summary.headline : answer.error.message);
