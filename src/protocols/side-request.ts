/** What prompts say about what they quote takes at least so much. */
const around = 60;
/** Of long messages they quote the beginning. */
const quoted = 200;

/**
 * Whether a message is about another one, as prompts for titles, tags and follow-up questions are: the other stands in it
 * word for word, on lines or between quotes of its own, and there is much beside it. Who says a message otherwise and
 * longer is not taken for one: what he adds goes on behind it.
 */
export function isAbout(text: string, other: string): boolean {
  const said = other.trim();
  if (said === "" || text.length < Math.min(said.length, quoted) + around) return false;
  const start = said.slice(0, quoted);
  for (let at = text.indexOf(start); at >= 0; at = text.indexOf(start, at + 1)) {
    const before = text.slice(Math.max(0, at - 12), at);
    const behind = text.slice(at + start.length, at + start.length + 12);
    if (
      /(?:^|[\n:：>"'“‘«「『[(])[ \t]*$/u.test(before) &&
      (start.length < said.length || ends.test(behind))
    ) {
      return true;
    }
  }
  return false;
}

const ends = /^[ \t]*(?:$|[\r\n<"'”’»」』\])]|\\n)/u;
