// The diary, in this browser's own database (IndexedDB). It never leaves the device.
// An entry is {id, place, saved, answer, photos}: `saved` is a Date, `photos` are the files of the case.

const NAME = "dermserve-diary";
const ENTRIES = "entries";

/** All entries, the oldest first. */
export async function entries() {
  return await run("readonly", (store) => store.getAll());
}

export async function save(place, answer, photos) {
  const id = await run("readwrite", (store) => store.add({ place, saved: new Date(answer.timestamp), answer, photos }));
  navigator.storage?.persist?.(); // ask the browser not to clear it when the disk is full
  return id;
}

export async function remove(id) {
  await run("readwrite", (store) => store.delete(id));
}

/** Delete everything: the database itself. */
export async function erase() {
  await asPromise(indexedDB.deleteDatabase(NAME));
}

async function run(mode, task) {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(ENTRIES, { keyPath: "id", autoIncrement: true });
  const database = await asPromise(opening);
  try {
    const transaction = database.transaction(ENTRIES, mode);
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
    const result = await asPromise(task(transaction.objectStore(ENTRIES)));
    await done;
    return result;
  } finally {
    database.close();
  }
}

function asPromise(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
