import TokenParser from "@streamparser/json/tokenparser.js";
import Tokenizer from "@streamparser/json/tokenizer.js";
import TokenType from "@streamparser/json/utils/types/tokenType.js";
import { ImportFault } from "./conversation.ts";

interface Bounds {
  /** Of one value, long texts not counted. */
  readonly maxValueBytes: number;
  /** Of one text. */
  readonly maxTextBytes: number;
}

/** Longer texts are put aside. */
const longText = 256 * 1024;
/** What is deeper is no conversation, and could not be written again. */
const maxDepth = 200;

/**
 * The elements of the array, or the values behind one another, that a file of JSON consists of, one at a time: what is
 * held is one of them. Texts that are long go through `putAside`, which gives what stands for them. Raises ImportFault for
 * what is no JSON, is cut off, too deep or too large.
 */
export async function* readValues(
  bytes: AsyncIterable<Uint8Array>,
  bounds: Bounds,
  putAside: (text: string) => string,
): AsyncGenerator {
  let found: unknown[] = [];
  let reader: ReturnType<typeof createReader> | undefined;
  const take = (value: unknown) => void found.push(value);
  try {
    for await (const chunk of bytes) {
      reader ??= begin(chunk, bounds, putAside, take);
      reader?.write(chunk);
      yield* found;
      found = [];
    }
    if (reader === undefined) throw new ImportFault("The file is empty.", "文件为空。");
    reader.end();
  } catch (error) {
    if (error instanceof ImportFault || !isOfParser(error)) throw error;
    throw new ImportFault(
      `The file is no whole JSON: ${error.message.slice(0, 200)}. Take it from its source again.`,
      `文件不是完整的 JSON：${error.message.slice(0, 200)}。请从来源处重新导出。`,
      { cause: error },
    );
  }
  yield* found;
}

function isOfParser(error: unknown): error is Error {
  return error instanceof Error && !("code" in error);
}

/** Undefined while there is nothing but space. */
function begin(
  chunk: Uint8Array,
  bounds: Bounds,
  putAside: (text: string) => string,
  take: (value: unknown) => void,
) {
  const start = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .trimStart();
  if (start === "") return undefined;
  return createReader(start.startsWith("["), bounds, putAside, take);
}

function createReader(
  isArray: boolean,
  { maxValueBytes, maxTextBytes }: Bounds,
  putAside: (text: string) => string,
  take: (value: unknown) => void,
) {
  const separator = isArray ? {} : { separator: "" };
  const tokenizer = new Tokenizer({ stringBufferSize: 64 * 1024, ...separator });
  const parser = new TokenParser({
    paths: [isArray ? "$.*" : "$"],
    keepStack: false,
    ...separator,
  });
  let written = 0;
  let lastToken = 0;
  let valueStart = 0;
  let aside = 0;
  /** Where the text begins that was put aside last, until it is known where it ends. */
  let asideFrom: number | null = null;
  let depth = 0;
  parser.onEnd = () => {
    if (!tokenizer.isEnded) tokenizer.end();
  };
  parser.onValue = ({ value }) => {
    take(value);
    valueStart = lastToken;
    aside = 0;
  };
  tokenizer.onToken = ({ token, value, offset }) => {
    lastToken = offset;
    if (asideFrom !== null) aside += offset - asideFrom;
    asideFrom = null;
    if (token === TokenType.LEFT_BRACE || token === TokenType.LEFT_BRACKET) depth += 1;
    else if (token === TokenType.RIGHT_BRACE || token === TokenType.RIGHT_BRACKET) depth -= 1;
    if (depth > maxDepth) throw tooDeep();
    if (typeof value === "string" && value.length > longText) {
      asideFrom = offset;
      parser.write({ token, value: putAside(value) });
    } else parser.write({ token, value });
    if (lastToken - valueStart - aside > maxValueBytes) throw tooLarge(maxValueBytes);
  };
  return {
    write(chunk: Uint8Array) {
      if (tokenizer.isEnded) {
        if (!chunk.every((byte) => byte <= 0x20)) throw new Error("there is more behind its end");
        return;
      }
      tokenizer.write(chunk);
      written += chunk.byteLength;
      if (written - lastToken > maxTextBytes) throw tooLarge(maxTextBytes);
    },
    end() {
      if (!tokenizer.isEnded) tokenizer.end();
      if (!parser.isEnded) parser.end();
    },
  };
}

function tooDeep(): ImportFault {
  return new ImportFault(
    `The file nests deeper than ${maxDepth} levels: this is no export of conversations.`,
    `文件嵌套超过 ${maxDepth} 层：这不是对话导出文件。`,
  );
}

function tooLarge(maxBytes: number): ImportFault {
  const room = Math.floor(maxBytes / 1024 / 1024);
  return new ImportFault(
    `A conversation or text in the file is larger than ${room} MiB. Export it alone, without files, or leave it out.`,
    `文件中的某个对话或文本超过 ${room} MiB。请单独导出、去掉文件，或将其排除。`,
  );
}
