import type { UpstreamError } from "../../upstream/upstream-error.ts";

/** What a model's server says no to, where people can do something about it. */
export type RefusalKind =
  | "path"
  | "protocol"
  | "model"
  | "key"
  | "credit"
  | "overflow"
  | "images"
  | "picture";

const credit =
  /insufficient[_ ](quota|balance|credits?|funds)|exceeded your current quota|billing|payment required|credit balance|out of credits|余额不足|欠费|额度/i;

/** Models that exist only in one of the protocols say so with any status. */
const protocol =
  /only supported in v1\/responses|(use|via|only|through) (the )?(v1\/)?\/?(responses|completions)( api| endpoint)\b|not a chat model|not supported (in|with) the (v1\/)?(chat\/completions|responses|chat completions)/i;

/** Not every server has 401 for it. */
const key = /api[ _-]?key (is )?(not valid|invalid)|API_KEY_INVALID/i;

/** Nor 404. */
const noModel =
  /\bmodel\b.{0,120}\b(does ?n.t exist|does not exist|not exist|not found)|(invalid|unknown|no such) model\b|not a valid model|model_not_found|is not found for api version/i;

/** Servers agree on nothing but the matter. */
const overflow = [
  /context[_ ]?(length|window|size)|(maximum|max)[_ ](context|model|sequence|seq|prompt|input)[_ ]?(length|len|tokens?|size)/i,
  /(prompt|input|request|message|conversation)s? (is|are|was) too (long|large)|too many (input |prompt )?tokens/i,
  /tokens?\b.{0,60}(exceeds?|exceeded|over|greater than|larger than|more than)\b|exceeds?.{0,60}\b(tokens|context)/i,
  /tokens?\b.{0,60}must (be|have) (<|less|at most|smaller|fewer|no more)/i,
  /exceed_context_size|max_seq_len|string_above_max_length|reduce the length|range of input length|上下文|最大长度|超过.{0,10}长度/i,
];

const images =
  /(image|vision|multi-?modal)\w*.{0,60}(not|n't|un)[ _-]?(support|allow|recogni|available|accept)|(not|n't|un)[ _-]?(\w+ )?(support|accept|allow).{0,40}(image|vision|multi-?modal)|unknown variant .{0,4}image_url|mmproj/i;

/** Takes images, and not this one: broken, of another kind, too large. */
const picture =
  /(invalid|unsupported|corrupt\w*|malformed|broken|truncated|cannot identify|(could|can) ?not|failed to|unable to|error) .{0,40}(image|picture)|image[ _.-]*(\w+[ _.-]*){0,3}(invalid|corrupt|malformed|broken|truncated|parse|decode|format|too (large|big|small)|exceeds?|dimensions?|could not|cannot|failed)|图片.{0,20}(格式|无效|无法|损坏|过大|错误)/i;

/** Of a refused request as well as of an error that came with status 200; null where nothing is to be said. */
export function refusalKindOf(fault: UpstreamError): RefusalKind | null {
  const { status, bodyExcerpt: text } = fault;
  if (status === 404 && !isAboutModel(text)) return "path";
  if (status === undefined && fault.fault !== "failed") return null;
  if (status === 402 || credit.test(text)) return "credit";
  if (status === 401 || status === 403 || (status === 400 && key.test(text))) return "key";
  if ((status === 400 || status === 404 || status === 422) && protocol.test(text))
    return "protocol";
  if ((status === 400 || status === 404 || status === 422) && noModel.test(text)) return "model";
  // Of a length some say that it is their own error.
  if (status !== undefined && status > 500) return null;
  if (status === 413 || overflow.some((pattern) => pattern.test(text))) {
    // How fast is another question than how much.
    return status === 429 || /rate.?limit|per (minute|day)/i.test(text) ? null : "overflow";
  }
  if (status === 500) return null;
  if (images.test(text) && !/image[ _](format|type)|unsupported image\b(?! input)/i.test(text))
    return "images";
  return picture.test(text) ? "picture" : null;
}

/** A model that does not exist is told in JSON, a path that does not exist by whatever stands there. */
function isAboutModel(text: string): boolean {
  return /^\s*[[{]/.test(text) && !/"detail": ?"Not Found"/i.test(text);
}

export const refusals: Readonly<
  Record<
    Exclude<RefusalKind, "model" | "overflow"> | "malformed",
    { readonly en: string; readonly zh: string }
  >
> = {
  path: {
    en: "Its model endpoint does not know the path; the operator must check MODELS_API_URL, which usually ends in /v1, and MODELS_API.",
    zh: "其模型端点没有该路径，请联系管理员检查 MODELS_API_URL（通常以 /v1 结尾）和 MODELS_API。",
  },
  malformed: {
    en: "What answers at its model endpoint does not speak the expected protocol; the operator must check MODELS_API_URL and MODELS_API.",
    zh: "其模型端点的应答不符合预期的协议，请联系管理员检查 MODELS_API_URL 和 MODELS_API。",
  },
  protocol: {
    en: "Its model speaks another protocol than the endpoint is asked in. Choose another model, or the operator must set MODELS_API (responses or completions).",
    zh: "其模型不支持当前使用的协议。请选择其他模型，或联系管理员设置 MODELS_API（responses 或 completions）。",
  },
  key: {
    en: "Its model endpoint refuses this service's key; the operator must check the configuration.",
    zh: "其模型端点拒绝了本服务的密钥，请联系管理员检查配置。",
  },
  credit: {
    en: "Its model endpoint has no credit left for this service; the operator must top it up.",
    zh: "本服务在其模型端点的额度已用完，请联系管理员充值。",
  },
  images: {
    en: "Its model takes no images. Send the message without them, or choose another model.",
    zh: "其模型不支持图片。请去掉图片后重新发送，或选择其他模型。",
  },
  picture: {
    en: "Its model cannot read the image. Send it again as a PNG or JPEG file that is not too large.",
    zh: "其模型无法读取该图片。请转换为大小合适的 PNG 或 JPEG 文件后重新发送。",
  },
};
