// What an answer of the server is called. An answer: of /classify, or a problem with `detail`.

// By the word that a reason begins with.
const ADVICE = {
  "blank": "Draw a digit, or take a picture on which it stands out from the paper.",
  "too faint": "Use a darker pen, or more light.",
  "too narrow": "Crop the picture to the digit: about as wide as it is high.",
  "several digits": "Crop the picture to one digit.",
  "not a digit": "Show one digit alone, without text or a pattern beside it.",
  "too small": "Go nearer, or crop closer to the digit.",
  "unsure": "Write it larger and plainer, or let the other model have a look.",
};

// It is one of two where these have so much of the probability together, and the second so much of what the first has.
const TOGETHER = 0.6;
const CLOSE = 1 / 3;

export const percent = share => share > 0.999 && share < 1 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`;

export function verdict(answer) {
  if (answer.detail !== undefined) return "problem";
  return answer.accepted ? "accepted" : "refused";
}

export const VERDICTS = {accepted: "✓ Accepted", refused: "? Refused", problem: "✕ Cannot be read"};

// "2"; where it is refused "1 or 7?", "2?", or "?" where it might be anything; "–" where nothing was read.
export function headline(answer) {
  const name = answer.digit ?? answer.label;
  if (name == null) return "–";
  if (answer.accepted) return String(name);
  const [[first, most], [second, less]] = Object.entries(answer.probabilities).sort(([, one], [, other]) => other - one);
  if (most + less >= TOGETHER && less >= CLOSE * most) return `${first} or ${second}?`;
  return most >= 0.5 ? `${name}?` : "?";
}

export function says(answer) {
  return answer.detail ?? (answer.accepted ? `${percent(answer.confidence)} sure` : answer.reason);
}

export function advice(answer) {
  if (answer.detail !== undefined || answer.accepted) return "";
  return ADVICE[answer.reason.split(":")[0]] ?? "";
}
