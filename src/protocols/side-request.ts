/** What prompts say about what they quote takes at least so much. */
const around = 60;
/** Of long messages they quote the beginning. */
const quoted = 200;
/** Of a short one, what may be a quotation is looked at so often. */
const maxFinds = 1_000;

/**
 * Whether a message is about another one, as prompts for titles, tags and follow-up questions are: the other stands in it
 * word for word, on lines or between quotes of its own, and there is much beside it. Who says a message otherwise and
 * longer is not taken for one: what he adds goes on behind it.
 */
export function isAbout(text: string, other: string): boolean {
  const said = other.trim();
  if (said === "" || text.length < Math.min(said.length, quoted) + around) return false;
  const start = said.slice(0, quoted);
  let at = -1;
  for (let finds = 0; finds < maxFinds; finds += 1) {
    at = text.indexOf(start, at + 1);
    if (at < 0) return false;
    const end = at + start.length;
    const isApart = begins.test(text.slice(Math.max(0, at - 12), at));
    const isLonger = start.length < said.length;
    if (isApart && (isLonger || ends.test(text.slice(end, end + 12)))) return true;
  }
  return false;
}

const begins = /(?:^|[\n:：>"'“‘«「『[(])[ \t]*$/u;
const ends = /^[ \t]*(?:$|[\r\n<"'”’»」』\])]|\\n)/u;
