// A zip of files that are stored as they are: pictures are compressed already.

const TABLE = Uint32Array.from({length: 256}, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? byte >>> 1 ^ 0xEDB88320 : byte >>> 1;
  return byte;
});

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) crc = crc >>> 8 ^ TABLE[(crc ^ byte) & 255];
  return ~crc >>> 0;
}

// Little-endian numbers of so many bytes each.
function pack(...fields) {
  const bytes = fields.flatMap(([size, value]) => Array.from({length: size}, (_, at) => value >>> 8 * at & 255));
  return new Uint8Array(bytes);
}

const JANUARY_1980 = 0x21;

// files: [{path, blob}], paths in ASCII. → Blob
export async function zip(files) {
  const parts = [], directory = [];
  let offset = 0;
  for (const {path, blob} of files) {
    const content = new Uint8Array(await blob.arrayBuffer()), name = new TextEncoder().encode(path);
    // Version, flags, method (0: stored), time, date, checksum, sizes, and those of the name and of no extra field.
    const common = [[2, 20], [2, 0], [2, 0], [2, 0], [2, JANUARY_1980], [4, crc32(content)], [4, content.length],
      [4, content.length], [2, name.length], [2, 0]];
    const head = pack([4, 0x04034B50], ...common);
    parts.push(head, name, content);
    directory.push(pack([4, 0x02014B50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), name);
    offset += head.length + name.length + content.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = pack([4, 0x06054B50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, size], [4, offset], [2, 0]);
  return new Blob([...parts, ...directory, end], {type: "application/zip"});
}
