// The style sheets of the elements. Each is fetched once and adopted by all elements, because a page with a strict policy
// allows no styles inside it.

const HIDDEN = ":host { visibility: hidden; }"; // so that nobody sees an element without its styles

export const base = sheet(new URL("../base.css", import.meta.url), HIDDEN);
export const intake = sheet(new URL("../intake.css", import.meta.url));
export const answer = sheet(new URL("../answer.css", import.meta.url));

/** A sheet with the rules at `url`, and with those of `until` as long as they are not there. */
function sheet(url, until = "") {
  const made = new CSSStyleSheet();
  made.replaceSync(until);
  load(url).then((text) => made.replaceSync(text));
  return made;
}

async function load(url) {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return await response.text();
  } catch (error) {
    console.error(`DermServe: ${url} could not be loaded (${error.message}). Allow its host in connect-src of this page's Content-Security-Policy.`);
    return "";
  }
}
