/** PostgreSQL takes payloads of less than 8,000 bytes. */
const maxPayloadBytes = 7_900;

/** A text in pieces that each are a payload, with who sends it and the how-manieth of his it is: none is like another. */
export function toFrames(from: string, number: number, text: string): string[] {
  const parts = splitBytes(text, maxPayloadBytes - 2 * from.length);
  return parts.map((part, index) => `${from} ${number} ${index + 1}/${parts.length} ${part}`);
}

const head = /^(\S+) (\d+) (\d+)\/(\d+) /;

/** Puts texts together again: pieces of one sender come in order, and one that began in the middle is none. */
export function createAssembler() {
  const begun = new Map<string, { readonly number: string; readonly parts: string[] }>();
  return {
    /** The text that is whole with this payload; null while some of it is missing, and for what is no frame. */
    take(payload: string): { readonly from: string; readonly text: string } | null {
      const [all, from, number, index, count] = head.exec(payload) ?? [];
      if (all === undefined || from === undefined || number === undefined) return null;
      const part = payload.slice(all.length);
      if (count === "1") return { from, text: part };
      if (index === "1") begun.set(from, { number, parts: [] });
      const open = begun.get(from);
      if (open?.number !== number || open.parts.length + 1 !== Number(index)) return null;
      open.parts.push(part);
      if (index !== count) return null;
      begun.delete(from);
      return { from, text: open.parts.join("") };
    },
    forget(from: string): void {
      begun.delete(from);
    },
  };
}

/** At ends of characters. */
function splitBytes(text: string, maxBytes: number): string[] {
  // No character takes more than three bytes a unit.
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return [text];
  const buffer = new Uint8Array(maxBytes);
  const encoder = new TextEncoder();
  const parts: string[] = [];
  for (let start = 0; start < text.length;) {
    const { read } = encoder.encodeInto(text.slice(start, start + maxBytes), buffer);
    parts.push(text.slice(start, start + read));
    start += read;
  }
  return parts;
}
