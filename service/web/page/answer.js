// Shows one answer, and nothing else on the page.

import {advice, headline, percent, says, verdict, VERDICTS} from "./words.js";

export const $ = id => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// source: an address of the picture. final: announced to those who listen; not while a stroke is being drawn.
export function show(answer, source, final) {
  const kind = verdict(answer);
  $("answer").dataset.verdict = kind;
  $("nothing").hidden = true;
  $("result").hidden = false;
  $("digit").textContent = kind === "problem" ? "!" : headline(answer);
  $("verdict").textContent = VERDICTS[kind];
  $("says").textContent = says(answer);
  $("advice").textContent = advice(answer);
  $("advice").hidden = !advice(answer);
  $("figures").replaceChildren(pictureRead(source), ...(answer.candidates ?? []).filter(one => one.image).map(seen));
  $("unread").replaceChildren(...unread(answer));
  showBars(answer.probabilities ?? {});
  $("times").hidden = $("wrong").hidden = $("copy-curl").hidden = kind === "problem";
  $("source").textContent = sourceOf(answer);
  if (final) $("status").textContent = [headline(answer), VERDICTS[kind].slice(2), says(answer), advice(answer)].join(". ");
}

// fault: why there is nothing, where that is one.
export function showNothing(fault = "") {
  $("answer").dataset.verdict = "none";
  $("nothing").hidden = false;
  $("nothing").textContent = fault || "Nothing is read yet.";
  $("result").hidden = true;
  $("status").textContent = fault;
  $("figures").replaceChildren();
  $("bars").replaceChildren();
}

function pictureRead(source) {
  const image = element("img", {src: source, alt: "The picture that was read"});
  const caption = element("figcaption", {}, "The picture");
  image.onerror = () => {
    image.remove();
    caption.textContent = "This browser cannot show the picture.";
  };
  return element("figure", {}, image, caption);
}

function seen(candidate, number, all) {
  const read = `read as ${candidate.read}, ${percent(candidate.confidence)}`;
  const decided = all.length > 1 && candidate.decided;
  return element("figure", {className: decided ? "seen decided" : "seen"},
    element("img", {src: candidate.image, alt: `What the network saw, ${read}`}),
    element("figcaption", {}, `${candidate.assumed}: ${read}${decided ? " – this decided" : ""}`));
}

// Why there is no more to see, and what becomes of two that were read.
function unread(answer) {
  const candidates = answer.candidates ?? [];
  const lines = candidates.filter(one => one.refused).map(one => `Not read: ${one.assumed}: ${one.refused}.`);
  if (candidates.filter(one => one.image).length > 1)
    lines.push("The answer is the geometric mean of what was read in each: where they disagree, it is less sure.");
  if (answer.note) lines.push(`Note: ${answer.note}.`);
  return lines.map(line => element("li", {}, line));
}

// Rows stay where they are while a drawing grows, and only their lengths change.
function showBars(probabilities) {
  const rows = Object.entries(probabilities);
  if ($("bars").children.length !== rows.length) {
    $("bars").replaceChildren(...rows.map(() =>
      element("li", {}, element("span"), element("i", {className: "bar"}), element("span"))));
  }
  rows.forEach(([label, share], number) => {
    const [name, bar, value] = $("bars").children[number].children;
    name.textContent = label;
    bar.style.width = `${100 * share}%`;
    value.textContent = percent(share);
  });
}

// latency, percentiles: by stage, milliseconds.
export function showStages(latency, percentiles) {
  $("stages").replaceChildren(...Object.entries(latency).map(([stage, taken]) => {
    const bar = element("i", {className: "bar"});
    bar.style.width = `calc((100% - 3.5rem) * ${taken / latency.total})`;
    const others = ["p50", "p95", "p99"].map(one => element("td", {}, percentiles?.[stage]?.[one]?.toFixed(2) ?? "–"));
    return element("tr", {}, element("th", {scope: "row"}, stage), element("td", {}, bar, taken.toFixed(2)), ...others);
  }));
}

function sourceOf(answer) {
  if (!answer.model) return "";
  return `${answer.model.name}, ${answer.model.precision}, ${answer.model.sha256.slice(0, 12)} on ${answer.provider}`;
}
