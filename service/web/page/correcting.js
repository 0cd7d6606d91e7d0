// "That is wrong: it is a …", and what becomes of what was said.

import {$, element} from "./answer.js";
import {Corrections, NO_DIGIT} from "./corrections.js";
import {Problem} from "./service.js";

const LABELS = [...Array.from("0123456789", digit => [digit, digit]), [NO_DIGIT, "no digit"]];

// current(): the picture that is shown, or null. → {showLabel, maySend}
export function connectCorrections(current) {
  const opening = Corrections.open();
  let sendable = false;

  async function correct(label) {
    const picture = current();
    if (!picture) return;
    const corrections = await opening;
    const kept = await corrections.put(picture, label).catch(() => false);
    showLabel();
    showKept(kept ? "" : "There is no room for another: download these, and discard them.");
  }

  async function showLabel() {
    const mine = (await opening).all.find(one => one.id === current()?.id);
    for (const button of $("labels").children) button.ariaPressed = String(button.dataset.label === mine?.label);
  }

  async function showKept(said = "") {
    const {all} = await opening, sent = all.filter(one => one.sent).length;
    $("corrections").hidden = !all.length && !said;
    $("send").hidden = !sendable || sent === all.length;
    $("kept").textContent = said || `${all.length} kept in this browser${sent ? `, ${sent} of them sent` : " alone"}: ` +
      all.map(one => one.label === NO_DIGIT ? "no digit" : one.label).join(", ");
  }

  async function download() {
    const href = URL.createObjectURL(await (await opening).zip());
    element("a", {href, download: "numeral-corrections.zip"}).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  }

  async function discard() {
    await (await opening).clear();
    showLabel();
    showKept();
  }

  async function send() {
    try {
      await (await opening).send();
      showKept();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      showKept(`Not all were sent: ${error.message}`);
    }
  }

  $("labels").append(...LABELS.map(([label, text]) => {
    const button = element("button", {textContent: text, onclick: () => correct(label)});
    button.dataset.label = label;
    return button;
  }));
  $("labels").onkeydown = event => {
    if (/^\d$/.test(event.key)) correct(event.key);
  };
  $("download").onclick = download;
  $("discard").onclick = discard;
  $("send").onclick = send;
  showKept();
  return {
    showLabel,
    maySend(allowed) {
      sendable = allowed;
      showKept();
    },
  };
}
