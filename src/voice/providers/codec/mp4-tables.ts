/** Boxes that hold others, on the way to the tables of a track. */
const holders = new Set(["moov", "trak", "mdia", "minf", "stbl", "moof", "traf"]);
const maxDepth = 8;

/**
 * Whether the sample tables of an MP4 file name no more samples than it has bytes. A demuxer walks them one sample after
 * the other: a few bytes could keep it busy for minutes.
 */
export function hasHonestTables(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return walk(view, 0, bytes.length, 0);
}

function walk(view: DataView, start: number, end: number, depth: number): boolean {
  for (let at = start; at + 8 <= end;) {
    const name = String.fromCharCode(...[4, 5, 6, 7].map((index) => view.getUint8(at + index)));
    let length = view.getUint32(at);
    let header = 8;
    if (length === 1 && at + 16 <= end) {
      length = view.getUint32(at + 8) * 2 ** 32 + view.getUint32(at + 12);
      header = 16;
    } else if (length === 0) length = end - at;
    if (length < header) return true;
    // What is cut off is the demuxer's to judge.
    const boxEnd = Math.min(end, at + length);
    if (holders.has(name)) {
      if (depth >= maxDepth || !walk(view, at + header, boxEnd, depth + 1)) return false;
    } else if (!isHonest(view, name, at + header, boxEnd)) return false;
    at += length;
  }
  return true;
}

/** Every sample takes a byte at least, and each entry what the format says. */
function isHonest(view: DataView, name: string, start: number, end: number): boolean {
  const most = view.byteLength;
  const room = end - start;
  const word = (index: number) =>
    start + index * 4 + 4 <= end ? view.getUint32(start + index * 4) : 0;
  switch (name) {
    case "stsz":
      return word(1) === 0 ? word(2) * 4 <= room : word(2) * word(1) <= most;
    case "stz2":
      return word(2) <= room * 2;
    case "stco":
      return word(1) * 4 <= room;
    case "co64":
      return word(1) * 8 <= room;
    case "stsc":
      return entries(word(1), 3, room) && sum(word, 3, word(1), 3) <= most;
    case "stts":
    case "ctts":
      return entries(word(1), 2, room) && sum(word, 2, word(1), 2) <= most;
    case "stss":
      return entries(word(1), 1, room);
    case "trun":
      return word(1) <= most;
    default:
      return true;
  }
}

function entries(count: number, words: number, room: number): boolean {
  return count * words * 4 <= room;
}

function sum(word: (index: number) => number, first: number, count: number, step: number): number {
  let total = 0;
  for (let index = 0; index < count; index++) total += word(first + index * step);
  return total;
}
