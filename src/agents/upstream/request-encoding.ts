import { randomUUID } from "node:crypto";

/** What goes behind the question mark; undefined members are left out. */
export type QueryParameters = Readonly<Record<string, string | number | boolean | undefined>>;

export type RequestBody = string | URLSearchParams | FormData;

/** Where all requests to one peer go. */
export interface Base {
  readonly origin: string;
  /** Without a slash at its end. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function parseBase(name: string, baseUrl: string): Base {
  // The URL may hold a password: messages name the setting, not the value.
  const url = URL.parse(baseUrl);
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new TypeError(`the address of ${name} is no http or https URL`);
  }
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return {
    origin: url.origin,
    path: url.pathname.replace(/\/+$/, ""),
    headers:
      credentials === ":"
        ? {}
        : { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` },
  };
}

export function queryString(query: QueryParameters | undefined): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined) parameters.append(key, String(value));
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

export function lowerCased(
  headers: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers ?? {}).map(([key, value]) => [key.toLowerCase(), value]),
  );
}

export interface EncodedBody {
  readonly body: string | Uint8Array | null;
  readonly headers: Record<string, string>;
}

export async function encodeBody(body: RequestBody | undefined): Promise<EncodedBody> {
  if (body === undefined) return { body: null, headers: {} };
  if (typeof body === "string") {
    return { body, headers: { "content-type": "application/json" } };
  }
  if (body instanceof URLSearchParams) {
    const type = "application/x-www-form-urlencoded";
    return { body: body.toString(), headers: { "content-type": type } };
  }
  const boundary = `form-${randomUUID()}`;
  return {
    body: await encodeForm(body, boundary),
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
  };
}

/**
 * As bytes, so that it can be sent twice. The platform's own encoder makes every line end of a text CRLF, as browsers
 * do; code and prompts have to arrive as they are.
 */
async function encodeForm(form: FormData, boundary: string): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for (const [name, value] of form) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name)}"`;
    if (typeof value === "string") {
      parts.push(Buffer.from(`${head}\r\n\r\n${value}\r\n`));
      continue;
    }
    const type = value.type === "" ? "application/octet-stream" : value.type;
    parts.push(
      Buffer.from(`${head}; filename="${quoted(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`),
      Buffer.from(await value.arrayBuffer()),
      Buffer.from("\r\n"),
    );
  }
  parts.push(Buffer.from(`--${boundary}--\r\n`));
  return Buffer.concat(parts);
}

/** In the way of browsers, which servers know. */
function quoted(name: string): string {
  return name.replaceAll("\n", "%0A").replaceAll("\r", "%0D").replaceAll('"', "%22");
}
