// The photos of one case, in order. They live in this page's memory; each object URL is revoked with its photo.

const PICTURE_NAME = /\.(jpe?g|png|webp|gif|bmp|tiff?|mpo|hei[cf]|avif)$/i;
const ANALYSIS_RUNS = "An analysis is running. Wait for it or cancel it, then choose the photo again.";

/** Tells of "change", and with "refused" why a file was not taken. */
export class Photos extends EventTarget {
  #photos = [];

  /** While an analysis runs, no photo is taken. */
  locked = false;

  constructor(most) {
    super();
    this.most = most;
  }

  /** [{file, url}] */
  get all() {
    return this.#photos;
  }

  get files() {
    return this.#photos.map((photo) => photo.file);
  }

  /** Whether another view of the same spot can be added. */
  get canGrow() {
    return this.#photos.length > 0 && this.#photos.length < this.most;
  }

  /** Begin a case with the first picture among `files`. */
  choose(files) {
    const pictures = this.#pictures(files);
    if (!pictures) return;
    this.#release();
    this.#take(pictures[0]);
    if (pictures.length > 1) this.#tell("refused", "One photo was taken. Add other views of the same spot one by one.");
  }

  /** Add the first picture among `files` as another view of this case. */
  add(files) {
    const pictures = this.#pictures(files);
    if (!pictures) return;
    if (this.canGrow) this.#take(pictures[0]);
    else this.#tell("refused", `One case has at most ${this.most} photos.`);
  }

  remove(photo) {
    this.#photos = this.#photos.filter((one) => one !== photo);
    URL.revokeObjectURL(photo.url);
    this.#tell("change");
  }

  clear() {
    this.#release();
    this.#tell("change");
  }

  #take(file) {
    this.#photos.push({ file, url: URL.createObjectURL(file) });
    this.#tell("change");
  }

  /** The pictures among `files`; null, and the reason is told, if none can be taken now. */
  #pictures(files) {
    const pictures = [...files].filter(isPicture);
    const why = this.locked ? ANALYSIS_RUNS : pictures.length ? null : "That file is not a picture. Choose a photo.";
    if (why) this.#tell("refused", why);
    return why ? null : pictures;
  }

  #release() {
    this.#photos.forEach((photo) => URL.revokeObjectURL(photo.url));
    this.#photos = [];
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Some systems give no type for HEIC and AVIF: then the name decides. */
function isPicture(file) {
  return file.type ? file.type.startsWith("image/") : PICTURE_NAME.test(file.name);
}
