// The photos that were chosen, in order. They live in this page's memory; each object URL is revoked with its photo.

const PICTURE_NAME = /\.(jpe?g|png|webp|gif|bmp|tiff?|mpo|hei[cf]|avif)$/i;

/** Tells of "change", of "answered", and with "refused" why a file was not taken. */
export class Views extends EventTarget {
  #views = [];
  #answered = false;

  /** While an analysis runs, no photo is taken. */
  locked = false;

  constructor(most) {
    super();
    this.most = most;
  }

  get all() {
    return this.#views;
  }

  get files() {
    return this.#views.map((view) => view.file);
  }

  /** Whether these photos have an answer, and there is room for another view of the same spot. */
  get canGrow() {
    return this.#answered && this.#views.length > 0 && this.#views.length < this.most;
  }

  /** Take the pictures among `files`: as views of this case, or of a new one where this one has its answer. */
  add(files) {
    this.#take(files, () => {
      if (this.#answered) this.#release();
    });
  }

  /** Take the pictures among `files` as views of this case, also after its answer. */
  addView(files) {
    this.#take(files);
  }

  remove(view) {
    this.#views = this.#views.filter((one) => one !== view);
    URL.revokeObjectURL(view.url);
    this.#tell("change");
  }

  clear() {
    this.#release();
    this.#tell("change");
  }

  /** An answer came about `files`: of this case, or of one before it. */
  answer(files) {
    const chosen = this.files;
    if (files.length === chosen.length && files.every((file) => chosen.includes(file))) this.#answered = true;
    this.#tell("answered");
  }

  #take(files, before = () => {}) {
    if (this.locked) {
      this.#tell("refused", "An analysis is running. Wait for it or cancel it, then choose the photo again.");
      return;
    }
    const pictures = [...files].filter(isPicture);
    if (pictures.length) before();
    const room = this.most - this.#views.length;
    for (const file of pictures.slice(0, room)) {
      this.#views.push({ file, url: URL.createObjectURL(file) });
    }
    this.#tell("change");
    if (pictures.length < files.length) this.#tell("refused", "That file is not a picture. Choose a photo.");
    else if (pictures.length > room) this.#tell("refused", `One case has at most ${this.most} photos.`);
  }

  #release() {
    this.#views.forEach((view) => URL.revokeObjectURL(view.url));
    this.#views = [];
    this.#answered = false;
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Some systems give no type for HEIC and AVIF: then the name decides. */
function isPicture(file) {
  return file.type ? file.type.startsWith("image/") : PICTURE_NAME.test(file.name);
}
