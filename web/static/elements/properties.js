// What custom elements need to work like the browser's own: properties for attributes, whenever they are set.

/** Give `kind` a property for each attribute of `names`. null removes the attribute. */
export function reflect(kind, names) {
  for (const name of names) {
    Object.defineProperty(kind.prototype, name, {
      configurable: true,
      enumerable: true,
      get() {
        return this.getAttribute(name);
      },
      set(value) {
        if (value === null || value === undefined) this.removeAttribute(name);
        else this.setAttribute(name, value);
      },
    });
  }
}

/** Set again the properties of `names` that a script set on `element` before the class was known. */
export function upgrade(element, names) {
  for (const name of names) {
    if (!Object.hasOwn(element, name)) continue;
    const value = element[name];
    delete element[name];
    element[name] = value;
  }
}

/** Call `task` if `element` has left the page, and not only moved within it. */
export function whenGone(element, task) {
  queueMicrotask(() => element.isConnected || task());
}
