// The camera: live in the page where the browser allows it, otherwise the phone's own, and the page says why.

import { byId } from "../dom.js";

const WHY = {
  insecure: "The camera cannot open inside this page, because the page does not come over https. " +
    "On a phone, “Take a photo” opens its own camera instead.",
  absent: "This browser cannot open a camera inside the page. On a phone, “Take a photo” opens its own camera instead.",
  NotAllowedError: "The camera was not allowed. Allow it in the browser's settings for this page, or choose a photo.",
  NotFoundError: "No camera was found. Choose a photo instead.",
  NotReadableError: "Another application uses the camera. Close it and try again, or choose a photo.",
};

export function prepareCamera(views) {
  if (!window.isSecureContext) return offerPhonesOwn("insecure");
  if (!navigator.mediaDevices?.getUserMedia) return offerPhonesOwn("absent");
  const camera = new Camera(views);
  byId("camera").hidden = false;
  byId("camera").addEventListener("click", () => camera.open());
}

function offerPhonesOwn(reason) {
  byId("capture").hidden = false;
  byId("capture-label").hidden = false;
  say(WHY[reason]);
}

function say(text) {
  byId("camera-why").textContent = text;
  byId("camera-why").hidden = !text;
}

class Camera {
  #views;
  #stream = null;
  #facing = "environment";
  #dialog = byId("viewfinder");
  #video = byId("video");

  constructor(views) {
    this.#views = views;
    byId("shoot").addEventListener("click", () => this.#shoot());
    byId("close-camera").addEventListener("click", () => this.#dialog.close());
    byId("turn").addEventListener("click", () => {
      this.#facing = this.#facing === "environment" ? "user" : "environment";
      this.#start();
    });
    this.#dialog.addEventListener("close", () => this.#stop());
    this.#video.addEventListener("loadeddata", () => (byId("shoot").disabled = false));
  }

  open() {
    say("");
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
      say(WHY[error.name] ?? "The camera could not be opened. Choose a photo instead.");
    }
  }

  /** The camera's light goes out as soon as the dialog closes. */
  #stop() {
    if (this.#stream) release(this.#stream);
    this.#stream = null;
    this.#video.srcObject = null;
    byId("shoot").disabled = true;
  }

  #shoot() {
    const canvas = document.createElement("canvas");
    canvas.width = this.#video.videoWidth;
    canvas.height = this.#video.videoHeight;
    canvas.getContext("2d").drawImage(this.#video, 0, 0);
    canvas.toBlob((blob) => {
      this.#dialog.close();
      this.#views.add([new File([blob], "camera.jpg", { type: blob.type })]);
    }, "image/jpeg", 0.95);
  }
}

function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}
