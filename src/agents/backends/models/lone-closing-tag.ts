/**
 * Some templates write the tag that opens a model's thinking into the prompt: then only `</think>`, at the beginning of
 * a line, shows that all before it was thinking.
 */
export interface LoneClosingTag {
  /** The next piece of a text, after `said`; what stands around the tag, where it ends in this piece. */
  add(piece: string, said: string): { readonly thinking: string; readonly answer: string } | null;
}

const tags = /<\/(?:think|thinking|thought|reasoning)>|\[\/THINK\]/g;
const longest = "</reasoning>".length;

/** Looks without a cost for each token. */
export function createLoneClosingTag(): LoneClosingTag {
  /** A tag may come in three pieces. */
  let before = "";
  let beforeThat = "";
  let isSeen = false;
  return {
    add(piece, said) {
      if (isSeen) return null;
      const seen = piece.includes(">") || piece.includes("]") ? beforeThat + before + piece : "";
      const known = seen.length - piece.length;
      beforeThat = before.slice(-longest);
      before = piece.slice(-longest);
      if (seen === "") return null;
      for (const { 0: found, index } of seen.matchAll(tags)) {
        const end = index + found.length;
        if (end <= known) continue;
        const thinking = said.slice(0, said.length - known) + seen.slice(0, index);
        if (!/(^|\n)[ \t]*$/.test(thinking.slice(-80)) || isInCode(thinking)) continue;
        isSeen = true;
        return { thinking, answer: seen.slice(end) };
      }
      return null;
    },
  };
}

/** An odd number of fences stands before it. */
function isInCode(text: string): boolean {
  return (text.match(/^\s*```/gm)?.length ?? 0) % 2 === 1;
}
