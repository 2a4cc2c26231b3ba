import type { Decision, Requirement } from "./agent-backend.ts";

/**
 * Reads a message as the answer to what a paused reply asks. Only what is nothing else than an answer is one: yes or no
 * in a few fixed words, a refusal with its reason, a choice by its name, a value that can be nothing but that. Null:
 * it is a message like any other. An approval that was not meant runs a tool; a message that was one can be said again.
 */
export function decideInWords(
  text: string,
  requirements: readonly Requirement[],
): readonly Decision[] | null {
  // What ran elsewhere has a result that nobody types, and all has to be decided at once.
  if (requirements.length === 0 || requirements.some(({ kind }) => kind === "external"))
    return null;
  if (text.length > maxLength) return null;
  const [only] = requirements;
  if (requirements.length > 1 || only === undefined) return decideAll(text, requirements);
  const decided = only.kind === "confirm" ? confirmed(text) : filled(text, fieldsOf(only));
  return decided === null ? null : [{ id: only.id, ...decided }];
}

type Decided = Omit<Decision, "id">;

interface Field {
  readonly name: string;
  readonly type: string;
  readonly options: readonly unknown[];
  readonly isMultiple: boolean;
}

/** A reason may be a few sentences; whoever writes more has more to say. */
const maxLength = 1_000;

const yes = wordsOf(`
  yes | y | yep | yeah | yup | sure | ok | okay | approve | approved | i approve | allow | allowed | allow it | confirm
  confirmed | i confirm | proceed | please proceed | go ahead | please go ahead | do it | please do | please do it
  yes please | yes do it | yes please do | yes go ahead | yes please go ahead | yes proceed | yes i approve | yes i confirm
  yes approve | yes confirm | yes ok | ok yes | ok do it | ok go ahead | okay go ahead | sure go ahead | sure do it
  sure yes | yes sure | yes of course | of course
  是 | 是的 | 好 | 好的 | 可以 | 可以的 | 行 | 同意 | 我同意 | 批准 | 允许 | 确认 | 确定 | 执行 | 执行吧 | 去做吧 | 做吧
  是的 请 | 好 请执行 | 可以执行 | 同意执行 | 确认执行 | 好的 执行吧 | 好的 请执行 | 是的 同意 | 是的 可以 | 好的 可以 | 好的 同意 | 当然 | 当然可以`);

const no = wordsOf(`
  no | n | nope | reject | rejected | i reject | decline | declined | i decline | deny | denied | refuse | i refuse
  don't | do not | don't do it | do not do it | don't do that | please don't | no thanks | no thank you | no don't | no do not
  no don't do it | no please don't | no stop | no cancel | stop | never mind
  不 | 不要 | 不行 | 不可以 | 不同意 | 我不同意 | 拒绝 | 我拒绝 | 否 | 别 | 不用 | 不用了 | 不允许 | 不批准 | 不确认 | 停止 | 停
  不 不要 | 不要执行 | 别执行 | 不 谢谢 | 不用 谢谢`);

const cancel = wordsOf(`
  cancel | cancel it | cancel this | cancel that | please cancel | abort
  取消 | 请取消 | 取消吧 | 算了`);

const all = {
  yes: wordsOf(`
    yes to all | yes to both | approve all | approve both | approve everything | allow all | allow both | confirm all | all approved
    全部同意 | 都同意 | 全部批准 | 都批准 | 全部允许 | 都允许 | 全部确认 | 都可以 | 全都可以`),
  no: wordsOf(`
    no to all | no to both | reject all | reject both | reject everything | decline all | decline both | deny all | deny both
    cancel all | cancel both | cancel everything
    全部拒绝 | 都拒绝 | 全部取消 | 都取消 | 都不要 | 都不同意 | 全部不同意 | 都不行 | 都不可以`),
};

/** Behind one of these and a pause, the rest is why. `No. 5`, `no-one` and `cancel: the order` are no refusals. */
const refusal =
  /^(?:(?:no|nope|reject(?:ed)?|decline|deny|refuse|不|不行|不要|不可以|不同意|拒绝|否)(?:\s*[,;:!、—]+\s*|\s*[.。]\s+|。|\s+[-–]+\s+)|(?:cancel(?: it| this| that)?|取消|算了)(?:\s*[,;、—]+\s*|\s*[.。]\s+|。|\s+[-–]+\s+))(?<reason>["“「`\p{L}][\s\S]*)$/iu;

/** A reason with one of these may take the refusal back, or wants to know something first. */
const takesBack =
  /[?？]|\b(?:yes|yeah|yep|ok|okay|sure|fine|good|problem|problems|worries|mind|wait|go ahead|do it|please do|feel free|of course|by all means|be my guest|approve|allow|proceed|continue|actually|but|just kidding|why not|not at all|i mean|mistake|(?:don'?t|do not|never) (?:stop|cancel|abort|reject|decline|refuse))\b|是的|好的|可以|没关系|没问题|没事|等|继续|同意|执行吧|但|不过|吗|呢|别停|不要停|不是/iu;

function confirmed(text: string): Decided | null {
  const said = wordsIn(text);
  if (said !== null) {
    if (yes.has(said)) return { approved: true };
    if (no.has(said) || cancel.has(said)) return { approved: false };
  }
  const reason = refusal.exec(text.normalize("NFKC").trim())?.groups?.["reason"]?.trim();
  if (reason === undefined || takesBack.test(unquoted(reason))) return null;
  return { approved: false, note: original(text, reason) };
}

/** Several that are open are only decided by who says that all of them are meant. */
function decideAll(text: string, requirements: readonly Requirement[]): readonly Decision[] | null {
  const said = wordsIn(text);
  if (said === null) return null;
  if (all.no.has(said)) return requirements.map(({ id }) => ({ id, approved: false }));
  const canBeApproved = requirements.every(({ kind }) => kind === "confirm");
  if (!canBeApproved || !all.yes.has(said)) return null;
  return requirements.map(({ id }) => ({ id, approved: true }));
}

function filled(text: string, fields: readonly Field[]): Decided | null {
  if (fields.length === 0) return null;
  const named = namedValues(text, fields);
  if (named !== null) return { approved: true, result: named };
  const [only] = fields;
  const said = wordsIn(text);
  const bare = fields.length === 1 && only !== undefined ? bareValue(text, only) : null;
  const isRefused = said !== null && cancel.has(said);
  // A choice may be called `Cancel` too: then nobody knows which is meant.
  if (isRefused) return bare === null ? { approved: false } : null;
  return bare === null || only === undefined
    ? null
    : { approved: true, result: { [only.name]: bare } };
}

/** `name: value`, one a line, for each of the fields and nothing else. */
function namedValues(text: string, fields: readonly Field[]): Record<string, unknown> | null {
  const lines = text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line]));
  const values = new Map<string, unknown>();
  for (const line of lines) {
    const parts = /^\s*(?<name>[^:：=]{1,200}?)\s*[:：=]\s*(?<value>\S.*?)\s*$/u.exec(line)?.groups;
    const field = fields.find(({ name }) => folded(name) === folded(parts?.["name"] ?? ""));
    if (field === undefined || values.has(field.name)) return null;
    const value = valueOf(parts?.["value"] ?? "", field);
    if (value === null) return null;
    values.set(field.name, value);
  }
  return values.size === fields.length ? Object.fromEntries(values) : null;
}

/** Where nothing but a value is said, and it can be nothing else. */
function bareValue(text: string, field: Field): unknown {
  const value = text.trim();
  const isFree = field.options.length === 0 && isText(field.type);
  return isFree && !isName(value) ? null : valueOf(value, field);
}

/** Words of whoever talks, not of a value. */
const talk =
  /[?？!！\n]|\b(?:i|i'?m|you|your|me|my|we|us|our|it|its|this|that|these|those|is|are|was|do|does|did|don'?t|can|can'?t|could|would|should|will|please|why|what|how|when|where|who|which|wait|not|no|nope|yes|yeah|ok|okay|sure|but|because|stop|cancel|reject|help|sorry|thanks|thank|hi|hello|dunno|idk|whatever|something|anything|nothing|none|skip|maybe|later|approve|go ahead|never ?mind)\b|[我你您他她它吗呢吧啊什怎哪谁为请等不没别好是行随]|可以|取消|算了|谢谢|帮|停止/iu;

function isName(value: string): boolean {
  return value.length <= 100 && value.split(/\s+/u).length <= 6 && !talk.test(value);
}

/** As the field wants it; null: that is none of its values. */
function valueOf(text: string, { type, options, isMultiple }: Field): unknown {
  if (options.length > 0) {
    const one = choiceOf(text, options);
    if (one !== undefined) return isMultiple ? [one] : one;
    if (!isMultiple) return null;
    const many = text.split(/[,;，；、]|\band\b|和/iu).map((each) => choiceOf(each, options));
    return many.includes(undefined) ? null : [...new Set(many)];
  }
  if (type.startsWith("bool")) {
    const said = wordsIn(text);
    if (said === "true" || said === "yes" || said === "y" || said === "是" || said === "是的")
      return true;
    if (said === "false" || said === "no" || said === "n" || said === "否" || said === "不")
      return false;
    return null;
  }
  if (/^(?:int|float|num)/.test(type)) {
    const digits = text.normalize("NFKC").trim().replace(/\.$/, "");
    if (!/^[+-]?\d{1,15}(?:\.\d{1,15})?$/.test(digits)) return null;
    const number = Number(digits);
    return type.startsWith("int") && !Number.isInteger(number) ? null : number;
  }
  return isText(type) ? text : null;
}

function isText(type: string): boolean {
  return type.startsWith("str") || type === "text";
}

/** The one that is called so; undefined where that is none, or several. */
function choiceOf(text: string, options: readonly unknown[]): unknown {
  const exact = options.filter((option) => String(option) === text.trim());
  const wanted = folded(text);
  const fitting =
    exact.length > 0 ? exact : options.filter((each) => folded(String(each)) === wanted);
  return fitting.length === 1 ? fitting[0] : undefined;
}

function fieldsOf({ arguments: { fields } }: Requirement): readonly Field[] {
  if (!Array.isArray(fields)) return [];
  return fields.map((field: Readonly<Record<string, unknown>>) => ({
    name: String(field["name"] ?? ""),
    type: String(field["type"] ?? "str").toLowerCase(),
    options: Array.isArray(field["options"]) ? (field["options"] as unknown[]) : [],
    isMultiple: field["multiple"] === true,
  }));
}

/** What is said, without case, width and the signs that end or part it; null where it is more than an answer. */
function wordsIn(text: string): string | null {
  const said = folded(text);
  return said.length > 60 || /[?\n]/.test(said) ? null : said;
}

/** One way of writing the same, for comparing. */
function folded(text: string): string {
  return text
    .normalize("NFKC")
    .trim()
    .toLowerCase()
    .replaceAll("’", "'")
    .replaceAll(/(?<=\p{L}), */gu, " ")
    .replaceAll(/[ \t]+/g, " ")
    .replace(/(?:[.。]|!{1,3})$/u, "")
    .trim();
}

/** The caller's own letters: what was made equal for reading is not kept. */
function original(text: string, reason: string): string {
  const at = text.length - reason.length;
  const end = text.trimEnd();
  const same = end.slice(end.length - reason.length);
  return at >= 0 && same.normalize("NFKC") === reason ? same : reason;
}

/** What is quoted says nothing of whoever quotes it. */
function unquoted(text: string): string {
  return text.replaceAll(/"[^"]*"|“[^”]*”|「[^」]*」|`[^`]*`/gu, "");
}

function wordsOf(lines: string): ReadonlySet<string> {
  return new Set(
    lines
      .split(/[|\n]/)
      .map((each) => each.trim())
      .filter((each) => each !== ""),
  );
}
