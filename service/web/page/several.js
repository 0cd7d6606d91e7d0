// Many pictures, each with its answer; read a few at a time.

import {$, element} from "./answer.js";
import {chunks, classify} from "./service.js";
import {headline, says, verdict} from "./words.js";

export const MOST = 500;

export class Several {
  #cards = [];
  #left = 0;
  #reading = new AbortController();

  // chosen(picture): a card was clicked.
  constructor(chosen) { this.chosen = chosen; }

  // pictures: [{blob, name}]. left: how many more there were.
  open(pictures, left) {
    this.close();
    this.#left = left;
    this.#cards = pictures.map(picture => this.#card(picture));
    $("grid").replaceChildren(...this.#cards.map(card => card.item));
    $("several").hidden = false;
  }

  close() {
    this.#reading.abort();
    for (const card of this.#cards) URL.revokeObjectURL(card.source);
    this.#cards = [];
    $("grid").replaceChildren();
    $("several").hidden = true;
    $("progress").textContent = "";
  }

  // All of them, asked by `query`; what an earlier call has not finished is dropped.
  async read(query) {
    this.#reading.abort();
    const {signal} = this.#reading = new AbortController();
    const counts = {accepted: 0, refused: 0, problem: 0};
    try {
      for (const chunk of chunks(this.#cards.map(card => ({...card.picture, card})))) {
        const answers = await classify(chunk, query, signal);
        chunk.forEach(({card}, number) => {
          fill(card, answers[number]);
          counts[verdict(answers[number])] += 1;
        });
        $("progress").textContent = this.#told(counts);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #told({accepted, refused, problem}) {
    const done = accepted + refused + problem;
    const left = this.#left ? ` ${this.#left} more were left out: ${MOST} are the most.` : "";
    return `${done} of ${this.#cards.length} read: ${accepted} accepted, ${refused} refused, ${problem} unreadable.${left}`;
  }

  #card(picture) {
    const source = URL.createObjectURL(picture.blob);
    const image = element("img", {src: source, alt: "", loading: "lazy"});
    const digit = element("strong", {}, "…");
    const button = element("button", {}, image, digit, element("span", {className: "name"}, picture.name));
    button.onclick = () => this.chosen(picture);
    return {picture, source, digit, button, item: element("li", {}, button)};
  }
}

function fill(card, answer) {
  card.item.dataset.verdict = verdict(answer);
  card.digit.textContent = verdict(answer) === "problem" ? "!" : headline(answer);
  card.button.title = `${verdict(answer)}: ${says(answer)}`;
}
