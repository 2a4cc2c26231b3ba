/** What one message, or one piece of it, holds for the reader. */
export interface Said {
  text: string;
  reasoning: string;
  /** It is a refusal, in words. */
  isRefusal: boolean;
  /** Addresses of images, most of them `data:` URLs. */
  readonly images: string[];
}

type Fields = Readonly<Record<string, unknown>>;

/** Lists in lists and so on are not followed for ever. */
const maxDepth = 4;

/**
 * Reads the members of a message in which servers put what is said: a text, a list of parts, a refusal, images beside
 * the text, and thinking under one of its names (the first that is not empty, because some send it twice).
 */
export function readMessage(message: Fields): Said {
  const said: Said = { text: "", reasoning: "", isRefusal: false, images: [] };
  const { content } = message;
  if (typeof content === "string") said.text = content;
  else if (content !== null && content !== undefined) readParts(content, said, 0);
  readRefusal(message["refusal"], said);
  const { images } = message;
  if (images !== null && images !== undefined) readImages(images, said);
  // Models that speak say the same in writing.
  const audio = message["audio"];
  if (said.text === "" && isFields(audio)) said.text = textOf(audio["transcript"]);
  for (const name of thinkingNames) {
    const value = message[name];
    if (value === undefined || value === null || value === "") continue;
    const thinking = textOf(value);
    if (thinking === "") continue;
    said.reasoning += thinking;
    break;
  }
  return said;
}

/** Members that hold thinking. */
export const thinkingNames = [
  "reasoning_content",
  "reasoning",
  "thinking",
  "thinking_content",
  "thought",
  "reasoning_details",
] as const;

function readParts(content: unknown, said: Said, depth: number): void {
  if (typeof content === "string") said.text += content;
  else if (Array.isArray(content)) {
    for (const part of content as readonly unknown[]) {
      if (depth < maxDepth) readParts(part, said, depth + 1);
    }
  } else if (isFields(content)) readPart(content, said, depth);
}

function readPart(part: Fields, said: Said, depth: number): void {
  const type = typeof part["type"] === "string" ? part["type"] : "";
  if (/think|reason|thought/i.test(type) || part["thought"] === true) {
    said.reasoning += textOf(part["thinking"] ?? part["reasoning"] ?? part);
  } else if (/refusal/i.test(type)) {
    readRefusal(part["refusal"] ?? part["text"], said);
  } else if (/image/i.test(type)) {
    readImages([part], said);
  } else if (part["text"] !== undefined && part["text"] !== null) {
    said.text += textOf(part["text"]);
  } else {
    const inner = part["content"] ?? part["parts"];
    if (inner !== undefined && inner !== null && depth < maxDepth)
      readParts(inner, said, depth + 1);
  }
}

function readRefusal(refusal: unknown, said: Said): void {
  const words = textOf(refusal);
  if (words === "") return;
  said.text += words;
  said.isRefusal = true;
}

function readImages(images: unknown, said: Said): void {
  for (const image of (Array.isArray(images) ? images : [images]) as readonly unknown[]) {
    const url = imageUrl(image);
    if (url !== null) said.images.push(url);
  }
}

function imageUrl(image: unknown): string | null {
  if (typeof image === "string") return isImageUrl(image) ? image : null;
  if (!isFields(image)) return null;
  const given = image["image_url"] ?? image["url"] ?? image["image"];
  const url = isFields(given) ? given["url"] : given;
  if (typeof url === "string" && isImageUrl(url)) return url;
  const source = isFields(image["source"]) ? image["source"] : image;
  const data = source["data"] ?? source["b64_json"];
  const type = source["media_type"] ?? source["mime_type"] ?? "image/png";
  return typeof data === "string" && typeof type === "string" && type.startsWith("image/")
    ? `data:${type};base64,${data}`
    : null;
}

function isImageUrl(url: string): boolean {
  return url.startsWith("data:image/") || (/^https?:/i.test(url) && URL.canParse(url));
}

/** The words in a text, a list of texts or an object around one. */
function textOf(value: unknown, depth = 0): string {
  if (typeof value === "string") return value;
  if (depth >= maxDepth) return "";
  if (Array.isArray(value)) {
    return (value as readonly unknown[]).map((each) => textOf(each, depth + 1)).join("");
  }
  if (!isFields(value)) return "";
  for (const name of ["text", "thinking", "reasoning", "summary", "content"]) {
    const words = textOf(value[name], depth + 1);
    if (words !== "") return words;
  }
  return "";
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
