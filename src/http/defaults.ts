/** What JSON Schema says of a value and its members, as far as it matters here. */
interface Schema {
  readonly type?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** Of one member of an object: what it is when it is left out, and how to read it. */
interface Member {
  readonly name: string;
  readonly initial: unknown;
  readonly read: ((text: string) => unknown) | undefined;
  readonly complete: (value: unknown) => void;
}

const nothing = () => {};

/**
 * Makes what gives the members of an object their defaults, in place. With `isText` the values come from a URL or a
 * header: strings that stand for numbers and booleans become these, and anything else stays for the check to refuse.
 */
export function completer(schema: unknown, isText: boolean): (value: unknown) => void {
  const { properties = {} } = schema as Schema;
  const members: Member[] = Object.entries(properties)
    .map(([name, member]) => ({
      name,
      initial: member.default,
      read: isText ? readers[member.type ?? ""] : undefined,
      complete: completer(member, isText),
    }))
    .filter(({ initial, read, complete }) => initial !== undefined || read || complete !== nothing);
  if (members.length === 0) return nothing;
  return (value) => {
    if (typeof value !== "object" || value === null) return;
    const object = value as Record<string, unknown>;
    for (const { name, initial, read, complete } of members) {
      if (object[name] === undefined && initial !== undefined) {
        object[name] = structuredClone(initial);
      } else if (read !== undefined && typeof object[name] === "string") {
        object[name] = read(object[name]);
      }
      complete(object[name]);
    }
  };
}

function readNumber(text: string): unknown {
  const number = Number(text);
  return text.trim() === "" || !Number.isFinite(number) ? text : number;
}

const readers: Readonly<Record<string, (text: string) => unknown>> = {
  number: readNumber,
  integer: readNumber,
  boolean: (text) => (text === "true" ? true : text === "false" ? false : text),
};
