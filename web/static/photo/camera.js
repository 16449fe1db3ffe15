// The camera. A phone opens its own application, whose photos are sharper; elsewhere the camera opens in the page.

import { byId, el } from "../dom.js";
import { checkPicture } from "./check.js";

const WHY = {
  insecure: "The camera cannot open inside this page, because the page does not come over https. Choose a photo instead.",
  absent: "This browser cannot open a camera inside the page. Choose a photo instead.",
  NotAllowedError: "The camera was not allowed. Allow it in the browser's settings for this page, or choose a photo.",
  NotFoundError: "No camera was found. Choose a photo instead.",
  NotReadableError: "Another application uses the camera. Close it and try again, or choose a photo.",
};

const HINT_MS = 700; // between two checks of what the camera sees

/** What the camera sees. */
export function viewfinder() {
  return el("dialog", { id: "viewfinder", class: "viewfinder", "aria-labelledby": "viewfinder-title" },
    el("h2", { id: "viewfinder-title" }, "Camera"),
    el("video", { id: "video", autoplay: true, muted: true, playsInline: true, "aria-label": "What the camera sees" }),
    el("p", { id: "camera-hint", class: "hint", role: "status" }, "Fill the picture with skin, hold still, and use even light."),
    el("div", { class: "buttons" },
      el("button", { id: "shoot", class: "button primary", type: "button", disabled: true }, "Take the photo"),
      el("button", { id: "turn", class: "button", type: "button" }, "Other camera"),
      el("button", { id: "close-camera", class: "button", type: "button" }, "Close")));
}

/** Offer the camera in `root`, which holds the viewfinder. The function that is returned closes it. */
export function prepareCamera(root, photos) {
  const part = (id) => byId(id, root);
  const say = (text) => {
    part("camera-why").textContent = text;
    part("camera-why").hidden = !text;
  };
  const nothingToClose = () => {};
  if (matchMedia("(pointer: coarse)").matches) {
    part("capture").hidden = false;
    part("capture-label").hidden = false;
    return nothingToClose;
  }
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
    say(window.isSecureContext ? WHY.absent : WHY.insecure);
    return nothingToClose;
  }
  const camera = new Camera(part, photos, say);
  part("camera").hidden = false;
  part("camera").addEventListener("click", () => camera.open());
  return () => camera.close();
}

class Camera {
  #part;
  #photos;
  #say;
  #hints = null;
  #stream = null;
  #facing = "environment";
  #dialog;
  #video;

  constructor(part, photos, say) {
    this.#part = part;
    this.#photos = photos;
    this.#say = say;
    this.#dialog = part("viewfinder");
    this.#video = part("video");
    part("shoot").addEventListener("click", () => this.#shoot());
    part("close-camera").addEventListener("click", () => this.close());
    part("turn").addEventListener("click", () => {
      this.#facing = this.#facing === "environment" ? "user" : "environment";
      this.#start();
    });
    this.#dialog.addEventListener("close", () => this.#stop());
    this.#video.addEventListener("loadeddata", () => {
      part("shoot").disabled = false;
      clearInterval(this.#hints);
      this.#hints = setInterval(() => this.#hint(), HINT_MS);
    });
  }

  close() {
    this.#dialog.close();
    this.#stop(); // no event comes from a dialog that has left the page
  }

  open() {
    this.#say("");
    this.#dialog.showModal();
    this.#start();
  }

  async #start() {
    this.#stop();
    const video = { facingMode: this.#facing, width: { ideal: 1920 }, height: { ideal: 1080 } };
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
      if (!this.#dialog.open) return release(stream); // closed while the browser asked
      this.#stream = stream;
      this.#video.srcObject = stream;
    } catch (error) {
      this.#dialog.close();
      this.#say(WHY[error.name] ?? "The camera could not be opened. Choose a photo instead.");
    }
  }

  /** The camera's light goes out as soon as the dialog closes. */
  #stop() {
    if (this.#stream) release(this.#stream);
    this.#stream = null;
    this.#video.srcObject = null;
    this.#part("shoot").disabled = true;
    clearInterval(this.#hints);
  }

  /** What would make the photo better, as the camera sees it now. */
  #hint() {
    const { videoWidth: width, videoHeight: height } = this.#video;
    if (!width) return;
    const [worst] = checkPicture(this.#video, width, height);
    const text = worst ? `${worst.message} ${worst.advice}` : "Good light and sharp: take the photo.";
    if (this.#part("camera-hint").textContent !== text) this.#part("camera-hint").textContent = text;
  }

  #shoot() {
    const canvas = document.createElement("canvas");
    canvas.width = this.#video.videoWidth;
    canvas.height = this.#video.videoHeight;
    canvas.getContext("2d").drawImage(this.#video, 0, 0);
    canvas.toBlob((blob) => {
      this.#dialog.close();
      this.#photos.choose([new File([blob], "camera.jpg", { type: blob.type })]);
    }, "image/jpeg", 0.95);
  }
}

function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}
