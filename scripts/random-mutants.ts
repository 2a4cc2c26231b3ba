/** A change of one line of a source, made without knowing what it means. */
export interface LineMutant {
  /** Where the line begins. */
  readonly at: number;
  readonly from: string;
  readonly to: string;
}

/** Statements that may be left out: a call, an assignment, a way out. */
const omitted = [
  /^(await |void )?[\w.#?!]+(\(.*\))+;$/,
  /^[\w.#]+ [-+]?= .*;$/,
  /^if \(.*\) (return|continue|break|throw)\b.*;$/,
];
const exchanged: readonly (readonly [string, string])[] = [
  [" && ", " || "],
  [" || ", " && "],
  [" === ", " !== "],
  [" !== ", " === "],
  [" < ", " <= "],
  [" <= ", " < "],
  [" > ", " >= "],
  [" >= ", " > "],
  [" + 1", ""],
  [" - 1", ""],
  ["true", "false"],
  ["false", "true"],
];
/** Comments, types, and what is only brought in. */
const passive = /^(\/\/|\/?\*|import |export (type|interface) |readonly |\}? ?from )/;

/** All such changes of a source. */
export function lineMutants(source: string): LineMutant[] {
  let at = 0;
  return source.split("\n").flatMap((from) => {
    const begins = at;
    at += from.length + 1;
    const text = from.trim();
    if (passive.test(text)) return [];
    const condition = /\bif \((.*)\)(?= \S)/.exec(from);
    const changed = [
      ...(omitted.some((shape) => shape.test(text)) ? [""] : []),
      ...(condition === null || condition[0].includes("==")
        ? []
        : [from.replace(condition[0], () => `if (!(${String(condition[1])}))`)]),
      ...exchanged.map(([one, other]) => from.replace(one, other)),
    ];
    return [...new Set(changed)]
      .filter((to) => to !== from)
      .map((to) => ({ at: begins, from, to }));
  });
}

/** `count` of the list; the same ones for the same seed. */
export function sample<T>(list: readonly T[], count: number, seed: number): T[] {
  const rest = [...list];
  let state = seed;
  return Array.from({ length: Math.min(count, rest.length) }, () => {
    // A linear congruential generator, as in the appendix of the C standard.
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7f_ff_ff_ff;
    return rest.splice(Math.floor((state / 0x80_00_00_00) * rest.length), 1)[0] as T;
  });
}
