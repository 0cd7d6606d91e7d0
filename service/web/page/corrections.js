// Pictures with the labels that the user gave them. They stay in this browser until they are downloaded or sent.

import {ask} from "./service.js";
import {zip} from "./zip.js";

const MOST = 500;
const MOST_BYTES = 50_000_000;

export const NO_DIGIT = "-1";

// Each is {id, label, blob, name, sent}.
export class Corrections {
  all = [];
  #store; // null where the browser keeps nothing, as some do in private windows: until the tab is closed, then

  static async open() {
    const corrections = new Corrections();
    try {
      corrections.#store = await database();
      corrections.all = await done(corrections.#objects("readonly").getAll());
    } catch {
      corrections.#store = null;
    }
    return corrections;
  }

  // A picture that has one gets another. → false where there is no room.
  async put(picture, label) {
    const others = this.all.filter(one => one.id !== picture.id);
    const bytes = others.reduce((sum, one) => sum + one.blob.size, picture.blob.size);
    if (others.length >= MOST || bytes > MOST_BYTES) return false;
    picture.id ??= crypto.getRandomValues(new Uint32Array(2)).join("-");
    const made = {id: picture.id, label, blob: picture.blob, name: picture.name, sent: false};
    await this.#keep(made);
    this.all = [...others, made];
    return true;
  }

  async clear() {
    if (this.#store) await done(this.#objects("readwrite").clear());
    this.all = [];
  }

  // Folders named by label, as `training` reads them.
  zip() {
    return zip(this.all.map(({label, blob, name}, number) =>
      ({path: `corrections/${label}/${String(number + 1).padStart(4, "0")}.${ending(name)}`, blob})));
  }

  // Those that were not yet. Throws Problem at the first that is not taken.
  async send() {
    for (const one of this.all.filter(each => !each.sent)) {
      await ask(`feedback?label=${one.label}`, {method: "POST", body: one.blob});
      one.sent = true;
      await this.#keep(one);
    }
  }

  async #keep(one) {
    if (this.#store) await done(this.#objects("readwrite").put(one));
  }

  #objects(mode) { return this.#store.transaction("corrections", mode).objectStore("corrections"); }
}

function database() {
  const request = indexedDB.open("numeral", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("corrections", {keyPath: "id"});
  return done(request);
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

const ending = name => /\.([A-Za-z0-9]{2,5})$/.exec(name)?.[1].toLowerCase() ?? "png";
