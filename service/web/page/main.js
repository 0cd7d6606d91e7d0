// What the page does when: each part is a module of its own.

import {$, show, showNothing, showStages} from "./answer.js";
import {connectCamera} from "./camera.js";
import {curl, toClipboard} from "./copy.js";
import {connectCorrections} from "./correcting.js";
import {Pad} from "./pad.js";
import {picture} from "./picture.js";
import {ask, askKeyBy, classify, json, Problem} from "./service.js";
import {MOST, Several} from "./several.js";
import {verdict} from "./words.js";

let current = null; // the picture that is shown, or about to be
let answer = null; // to it
let source = ""; // its address in this browser

const corrections = connectCorrections(() => current);

// ---- One picture: read, shown -------------------------------------------------------------------------------------

// One request at a time: of what changes meanwhile the last is read next.
let next = null, reading = false;

async function read(picture, final = true) {
  current = picture;
  next = {picture, final};
  if (reading) return;
  reading = true;
  try {
    while (next) await readNext();
  } finally {
    reading = false;
  }
}

async function readNext() {
  const {picture, final} = next;
  next = null;
  if (picture.drawn) picture.blob = await pad.blob();
  const [answered] = await classify([picture], {explain: 1, ...chosenModel()});
  if (picture === current) present(picture, answered, final && !next);
}

function present(picture, answered, final) {
  answer = answered;
  URL.revokeObjectURL(source);
  source = URL.createObjectURL(picture.blob);
  show(answer, source, final);
  $("save").href = source;
  $("save").download = picture.name;
  $("wrong").hidden ||= answer.digit === undefined;
  corrections.showLabel();
  if (verdict(answer) === "problem") return;
  showStages(answer.latency_ms, percentiles);
  if (final) refreshPercentiles();
}

function clear() {
  current = next = answer = null;
  URL.revokeObjectURL(source);
  $("save").removeAttribute("href");
  showNothing();
  clearSheet();
}

// All but the answer, which stands until there is the next.
function clearSheet() {
  drawing = newDrawing();
  pad.clear();
  several.close();
  $("file").value = $("capture").value = "";
  $("wrong").open = false;
}

function fail(message) {
  clear();
  showNothing(message);
}

// ---- The server's own times, beside those of this picture ---------------------------------------------------------

let percentiles = null, refreshed = -Infinity;

async function refreshPercentiles() {
  if (performance.now() - refreshed < 2000) return;
  refreshed = performance.now();
  percentiles = (await json("stats").catch(() => ({}))).latency_ms;
  if (answer?.latency_ms) showStages(answer.latency_ms, percentiles);
}

// ---- Ways in: drawn, chosen, dropped, pasted, photographed, an example --------------------------------------------

const newDrawing = () => ({drawn: true, name: "drawing.png"});
let drawing = newDrawing();

const pad = new Pad($("pad"), () => $("width").valueAsNumber, final => {
  delete drawing.id; // what was said of it was said of what it was
  read(drawing, final);
});

function undo() {
  if (pad.empty) return;
  pad.undo();
  delete drawing.id;
  if (pad.empty) clear();
  else read(drawing);
}

async function open(list) {
  const files = [...list]; // it empties itself with its field, or once its event is over
  if (!files.length) return;
  const pictures = [];
  for (const file of files.slice(0, MOST)) pictures.push(await picture(file));
  clearSheet();
  look(pictures[0]);
  if (pictures.length === 1) return;
  several.open(pictures, files.length - pictures.length);
  several.read(chosenModel());
}

const several = new Several(look);

// On a small screen the answer is above what was clicked.
async function look(picture) {
  await read(picture);
  $("digit").scrollIntoView({block: "nearest"});
}

for (const id of ["file", "capture"]) {
  $(id).onchange = async () => {
    await open($(id).files);
    $(id).value = ""; // the same file may be chosen again
  };
}

for (const button of $("examples").querySelectorAll("button")) {
  button.onclick = async () => {
    const {src} = button.firstElementChild;
    try {
      open([new File([await (await ask(src)).blob()], src.split("/").at(-1))]);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      fail(error.message);
    }
  };
}

connectCamera(blob => open([new File([blob], "camera.jpg")]), fail);

const hasFiles = event => event.dataTransfer?.types.includes("Files");
document.ondragover = event => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  document.body.classList.add("over");
};
document.ondragleave = event => {
  if (!event.relatedTarget) document.body.classList.remove("over"); // out of the window
};
document.ondrop = event => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  document.body.classList.remove("over");
  open(event.dataTransfer.files);
};
document.onpaste = event => open(event.clipboardData.files);

// ---- Buttons and keys ---------------------------------------------------------------------------------------------

$("undo").onclick = undo;
$("clear").onclick = clear;
document.onkeydown = event => {
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") clear();
  if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    undo();
  }
};

async function copy(button, text) {
  await toClipboard(text);
  $("status").textContent = `${button.textContent}: copied.`;
}
$("copy-json").onclick = event => copy(event.target, JSON.stringify(answer, null, 2));
$("copy-curl").onclick = event => copy(event.target, curl(current, answer.model.name));

// ---- Models -------------------------------------------------------------------------------------------------------

const chosenModel = () => $("model").value && {model: $("model").value};

async function listModels() {
  const wanted = new URLSearchParams(location.search).get("model");
  const models = await json("models");
  for (const [name, model] of Object.entries(models)) {
    const chosen = wanted in models ? name === wanted : model.default;
    $("model").add(new Option(`${name} · ${(100 * model.test_accuracy).toFixed(2)} %`, name, model.default, chosen));
  }
}

$("model").onchange = () => {
  const address = new URL(location);
  address.searchParams.set("model", $("model").value);
  history.replaceState(null, "", address);
  if (current) read(current);
  several.read(chosenModel());
};

// ---- The start ----------------------------------------------------------------------------------------------------

askKeyBy(() => new Promise(resolve => {
  const dialog = $("key-dialog");
  dialog.returnValue = $("key").value = "";
  dialog.onclose = () => resolve(dialog.returnValue === "use" ? $("key").value : null);
  dialog.showModal();
}));

try {
  await listModels();
  corrections.maySend((await json("feedback")).kept);
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  fail(error.message);
}
