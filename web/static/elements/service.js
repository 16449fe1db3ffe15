// One service: its addresses, and what its catalogues say. A catalogue is asked for once, when something of it is shown.

const LOADED_FROM = new URL("../../", import.meta.url).href; // the service that these modules came from

export class Service {
  #base;
  #catalogues = new Map(); // path → promise of a map

  /** `endpoint`: the address of a service; empty for the one that these modules came from. */
  constructor(endpoint = "") {
    this.#base = (endpoint || LOADED_FROM).replace(/\/+$/, "");
  }

  /** The whole address of a path of this service. Other addresses stay as they are. */
  url(path) {
    return path.startsWith("/") ? this.#base + path : path;
  }

  /** The host and port; null if the endpoint is no address. */
  get origin() {
    return URL.canParse(this.#base) ? new URL(this.#base).origin : null;
  }

  /** {disclaimer, limits} as the service states them; null if it cannot be asked. */
  async label() {
    try {
      return await this.#get("/api/label");
    } catch {
      return null;
    }
  }

  /** What a condition is, in a sentence; undefined where the service says nothing. */
  async condition(name) {
    return (await this.#catalogue("/api/conditions", "conditions")).get(name.toLowerCase())?.about;
  }

  /** {direction, method} of a measurement. Only the fullest answers hold both; undefined where the service says nothing. */
  async measure(one) {
    return one.method ? one : (await this.#catalogue("/api/measures", "measures")).get(one.name.toLowerCase());
  }

  /** name → entry. Empty if the service cannot be asked, and then it is asked again the next time. */
  #catalogue(path, field) {
    if (!this.#catalogues.has(path)) this.#catalogues.set(path, this.#load(path, field));
    return this.#catalogues.get(path);
  }

  async #load(path, field) {
    try {
      const { [field]: entries } = await this.#get(path);
      return new Map(entries.map((one) => [one.name.toLowerCase(), one]));
    } catch {
      this.#catalogues.delete(path);
      return new Map();
    }
  }

  async #get(path) {
    return await (await fetch(this.url(path))).json();
  }
}
