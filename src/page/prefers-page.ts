/**
 * Whether an `Accept` header asks for a page rather than for JSON. Browsers name text/html when they open an address;
 * API clients send `application/json`, anything (`*`), or nothing, and get JSON.
 */
export function prefersPage(accept: string | undefined): boolean {
  let page = 0;
  let json = 0;
  for (const part of (accept ?? "").split(",", 30)) {
    const [type = "", ...parameters] = part.trim().toLowerCase().split(";");
    const given = parameters.find((parameter) => parameter.trim().startsWith("q="));
    const quality = given === undefined ? 1 : Number(given.trim().slice(2));
    if (type === "text/html" || type === "application/xhtml+xml") page = Math.max(page, quality);
    if (type === "application/json") json = Math.max(json, quality);
  }
  return page > 0 && page >= json;
}
