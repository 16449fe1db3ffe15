const form = new FormData();
form.append("image", document.querySelector("input[type=file]").files[0]);
form.append("detail", "summary");

const response = await fetch("http://127.0.0.1:8000/api/analyze/skin", {
  method: "POST",
  headers: { Authorization: "Bearer YOUR_KEY" },
  body: form,
});
const answer = await response.json();
console.log(response.ok ? answer.summary.headline : answer.error.message);
