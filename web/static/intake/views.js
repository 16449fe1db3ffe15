// The photos that were chosen, in order. They live in this page's memory; each object URL is revoked with its photo.

const PICTURE_NAME = /\.(jpe?g|png|webp|gif|bmp|tiff?|mpo|hei[cf]|avif)$/i;

export class Views extends EventTarget {
  #views = [];

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

  /** Take what fits and is a picture. What was left out is told with a "refused" event. */
  add(files) {
    const pictures = [...files].filter(isPicture);
    const room = this.most - this.#views.length;
    for (const file of pictures.slice(0, room)) {
      this.#views.push({ file, url: URL.createObjectURL(file) });
    }
    if (pictures.length < files.length) this.#tell("refused", "That file is not a picture. Choose a photo.");
    else if (pictures.length > room) this.#tell("refused", `One case has at most ${this.most} photos.`);
    this.#tell("change");
  }

  remove(view) {
    this.#views = this.#views.filter((one) => one !== view);
    URL.revokeObjectURL(view.url);
    this.#tell("change");
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Some systems give no type for HEIC and AVIF: then the name decides. */
function isPicture(file) {
  return file.type ? file.type.startsWith("image/") : PICTURE_NAME.test(file.name);
}
