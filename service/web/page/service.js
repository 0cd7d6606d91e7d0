// Asks the server: its key, its patience and its limits are known here and nowhere else.

const TRIES = 8;
const LONGEST_PAUSE = 30; // seconds
const KEY = "numeral-key";

// Of one request: what the server allows by default has room to spare.
const CHUNK_FILES = 16;
const CHUNK_BYTES = 4_000_000;

// An answer that is an error, or none at all. `message` is a sentence for the user.
export class Problem extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

// What a key is asked for by: → the key, or null where the user has none.
let askForKey = async () => null;
let asking = null;
export function askKeyBy(ask) { askForKey = ask; }

// A response that is a success. Waits where the server says so. Throws Problem, or what `options.signal` throws.
export async function ask(path, options = {}) {
  for (let tries = 1; ; tries++) {
    const key = sessionStorage.getItem(KEY);
    const response = await send(path, {...options, ...key && {headers: {Authorization: `Bearer ${key}`}}});
    if (response.ok) return response;
    if (response.status === 401 && await anotherKey(key)) continue;
    if (![429, 503].includes(response.status) || tries === TRIES) throw await problemOf(response);
    await pause(response);
  }
}

async function send(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(`no answer from the server: ${error.message}`);
  }
}

// Whether there is another key than that which was refused. Asked for once, however many requests need it.
async function anotherKey(refused) {
  if (sessionStorage.getItem(KEY) !== refused) return true;
  asking ??= askForKey().finally(() => { asking = null; });
  const key = await asking;
  if (key) sessionStorage.setItem(KEY, key);
  return Boolean(key);
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;

async function problemOf(response) {
  const body = await response.json().catch(() => ({}));
  return new Problem(body.detail ?? `the server answered ${response.status}`, response.status);
}

function pause(response) {
  const seconds = Math.min(Number(response.headers.get("Retry-After")) || 1, LONGEST_PAUSE);
  return new Promise(resolve => setTimeout(resolve, 1000 * seconds));
}

export const json = async path => (await ask(path)).json();

// pictures: [{blob, name}]. → an answer or a problem for each, in their order.
export async function classify(pictures, query, signal) {
  const form = new FormData();
  for (const {blob, name} of pictures) form.append("image", blob, name);
  try {
    const response = await ask(`classify?${new URLSearchParams(query)}`, {method: "POST", body: form, signal});
    const answers = await response.json();
    return pictures.length > 1 ? answers : [answers];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 413 && pictures.length > 1) return halves(pictures, query, signal);
    return pictures.map(() => ({status: error.status ?? 0, detail: error.message}));
  }
}

// Together they are past a limit, of which one alone may not be.
async function halves(pictures, query, signal) {
  const middle = Math.ceil(pictures.length / 2);
  return [
    ...await classify(pictures.slice(0, middle), query, signal),
    ...await classify(pictures.slice(middle), query, signal),
  ];
}

// As many as fit into a request each.
export function* chunks(pictures) {
  let chunk = [], bytes = 0;
  for (const picture of pictures) {
    if (chunk.length && (chunk.length === CHUNK_FILES || bytes + picture.blob.size > CHUNK_BYTES)) {
      yield chunk;
      [chunk, bytes] = [[], 0];
    }
    chunk.push(picture);
    bytes += picture.blob.size;
  }
  if (chunk.length) yield chunk;
}
