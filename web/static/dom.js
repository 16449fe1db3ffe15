// Making and finding elements. Text is always set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** The element of that id in `root`: the document, or the shadow root of an element, which has ids of its own. */
export const byId = (id, root = document) => root.getElementById(id);

/** Answers leave out what is null, so an absent field and null mean the same. */
export const isAbsent = (value) => value === null || value === undefined;

/** `children` in one list, without those that are null, undefined, false or "": what `condition && element` gives. */
export function present(...children) {
  return children.flat().filter((child) => !isAbsent(child) && child !== false && child !== "");
}

/** Put `children` in the place of what `element` holds; absent ones are left out. */
export function fill(element, ...children) {
  element.replaceChildren(...present(...children));
}

/** An element with properties, attributes (names with a dash, `role`, `for`, `list`) and children; absent ones are left out. */
export function el(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (isAbsent(value)) continue;
    if (name === "class") element.className = value;
    else if (name === "vars") for (const [key, item] of Object.entries(value)) element.style.setProperty(key, item);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "list" || !(name in element)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...present(...children));
  return element;
}

/** An SVG element with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...present(...children));
  return element;
}

/** Say `text` to people who listen to the page, through the live region of the document or shadow root that holds `element`. */
export function announce(element, text) {
  byId("status", element.getRootNode()).textContent = text;
}

/** The live region that `announce` uses. */
export const liveRegion = () => el("p", { id: "status", class: "visually-hidden", role: "status" });
