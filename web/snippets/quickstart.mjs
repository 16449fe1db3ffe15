import { readFile } from "node:fs/promises";

const form = new FormData();
form.append("image", new Blob([await readFile("skin.jpg")]), "photo");
form.append("detail", "summary");

const response = await fetch("http://127.0.0.1:8000/api/analyze/skin", {
  method: "POST",
  headers: { Authorization: "Bearer YOUR_KEY" },
  body: form,
});
const answer = await response.json();
if (response.ok) {
  console.log(answer.summary.headline);
  console.log(answer.summary.next_step);
} else {
  console.log(answer.error.message);
}
