// The same question for a shell, and the answer for a program.

import {hasKey} from "./service.js";

export function curl({name}, model) {
  const key = hasKey() ? '-H "Authorization: Bearer $NUMERAL_API_KEY" ' : "";
  return `curl ${key}--data-binary @${quoted(name)} ${quoted(new URL(`classify?model=${encodeURIComponent(model)}&explain=1`, location.href).href)}`;
}

// For a POSIX shell. A file may be called anything; what is pasted must not do anything.
function quoted(text) {
  return `'${text.replace(/[\x00-\x1f\x7f-\x9f]/g, "_").replaceAll("'", "'\\''")}'`;
}

export async function toClipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Over plain http from another machine there is only the old way.
  const field = document.body.appendChild(Object.assign(document.createElement("textarea"), {value: text}));
  field.select();
  document.execCommand("copy");
  field.remove();
}
