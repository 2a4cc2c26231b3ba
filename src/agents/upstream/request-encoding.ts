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
  // The platform's own multipart encoder; as bytes, so that it can be sent twice.
  const encoded = new Response(body);
  return {
    body: new Uint8Array(await encoded.arrayBuffer()),
    headers: { "content-type": encoded.headers.get("content-type") ?? "multipart/form-data" },
  };
}
