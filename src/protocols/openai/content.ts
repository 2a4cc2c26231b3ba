import { maxAttachments, readAttachments } from "../../attachments/read-attachments.ts";
import { Problem } from "../../problems/problem.ts";
import type { Said } from "../said.ts";
import { paramOf } from "./errors.ts";

interface GivenFile {
  readonly name: string;
  readonly media_type: string;
  readonly data: string;
}

type Part = Readonly<Record<string, unknown>>;

/**
 * Reads the content of a message: a text, or parts of text, images, files and sound. Raises `bad_request` for what is none
 * of these, `unsupported_parameter` for what is to be fetched from elsewhere, and what files are refused for.
 */
export function readContent(content: unknown, path: string, maxUploadBytes: number): Said {
  if (content === null || content === undefined) return { text: "", files: [] };
  if (typeof content === "string") return { text: content, files: [] };
  if (!Array.isArray(content)) throw invalid(path);
  const texts: string[] = [];
  const files: GivenFile[] = [];
  const paths: string[] = [];
  for (const [index, given] of content.entries()) {
    const at = `${path}/${index}`;
    if (typeof given !== "object" || given === null) throw invalid(at);
    const part = given as Part;
    const text = textOf(part);
    if (text !== undefined) texts.push(text);
    else {
      files.push(fileOf(part, at));
      paths.push(at);
    }
  }
  if (files.length > maxAttachments) {
    throw new Problem("bad_request", {
      en: `A message may have ${maxAttachments} files.`,
      zh: `每条消息最多可带 ${maxAttachments} 个文件。`,
    });
  }
  return { text: texts.join("\n"), files: readAttachments(files, maxUploadBytes, paths) };
}

/** Of an earlier message: files were seen then. */
export function textOfContent(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .flatMap((part) =>
      typeof part === "object" && part !== null ? (textOf(part as Part) ?? []) : [],
    )
    .join("\n");
}

function textOf({ type, text, refusal }: Part): string | undefined {
  if (type === "text" || type === "input_text" || type === "output_text") {
    return typeof text === "string" ? text : undefined;
  }
  return type === "refusal" && typeof refusal === "string" ? refusal : undefined;
}

function fileOf(part: Part, path: string): GivenFile {
  const { type } = part;
  switch (type) {
    case "image_url":
      return ofUrl(member(part["image_url"], "url") ?? part["image_url"], "image", path);
    case "input_image":
      return ofUrl(part["image_url"], "image", path);
    case "file":
    case "input_file": {
      const file = type === "file" ? part["file"] : part;
      const name = member(file, "filename");
      return ofUrl(member(file, "file_data"), typeof name === "string" ? name : "file", path);
    }
    case "input_audio": {
      const { data, format } = (part["input_audio"] ?? {}) as Part;
      if (typeof data !== "string" || typeof format !== "string") throw invalid(path);
      return { name: `audio.${format}`, media_type: `audio/${format}`, data };
    }
    default:
      throw invalid(path);
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Part)[name] : undefined;
}

const dataUrl = /^data:([\w.+-]+\/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,/;

/** Nothing is fetched for a caller: what he can reach from here is not what he can reach from there. */
function ofUrl(url: unknown, name: string, path: string): GivenFile {
  if (typeof url !== "string") throw invalid(path);
  const found = dataUrl.exec(url);
  if (found === null) {
    throw new Problem("unsupported_parameter", {
      parameter: paramOf(path) ?? "",
      en: "files come as data URLs (data:image/png;base64,…), and are not fetched from elsewhere",
      zh: "文件须以 data URL 形式发送（data:image/png;base64,…），不会从其他地址下载",
    });
  }
  return { name, media_type: found[1] ?? "", data: url.slice(found[0].length) };
}

function invalid(path: string): Problem {
  const details = [
    {
      path,
      message: "must be a text, or parts of type text, image, file or audio",
      zh: "必须是文本，或类型为文本、图片、文件、音频的内容片段",
    },
  ];
  return new Problem(
    "bad_request",
    { en: "A message cannot be read.", zh: "无法读取消息。" },
    { details },
  );
}
