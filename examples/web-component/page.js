// Shows the answer to the doctor when the visitor sends it, and says what happens meanwhile.

const analyzer = document.querySelector("dermserve-analyzer");
const report = document.querySelector("dermserve-report");
const state = document.querySelector("#state");

document.querySelector("#send").addEventListener("click", () => {
  report.photos = analyzer.photos; // without this line, the doctor sees the answer without the photo
  report.answer = analyzer.answer;
  state.textContent = `Answer ${analyzer.answer.analysis_id} was sent.`;
});

analyzer.addEventListener("dermserve-progress", ({ detail }) => {
  state.textContent = detail.stage === "sending" ? `Sent: ${Math.round(detail.share * 100)} %` : "The photo is being analysed.";
});
analyzer.addEventListener("dermserve-answer", ({ detail }) => {
  state.textContent = `The answer is there: ${detail.summary.headline}`;
});
analyzer.addEventListener("dermserve-error", ({ detail }) => {
  state.textContent = `No answer: ${detail.title}. ${detail.message}`;
});
