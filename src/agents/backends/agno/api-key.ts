import { readFileSync } from "node:fs";
import { rootOf } from "../../../lib/root-of.ts";

/** The key of one server: as it is set, or as its file has it. */
export interface ApiKey {
  /** For requests in the service's own name. */
  headers(): Readonly<Record<string, string>>;
  /** Looks at the file anew; whether there is another key in it. */
  renew(): boolean;
  /** Why there is none although there should be, without the path; null: nothing is wrong. */
  readonly fault: string | null;
}

/** Read at once, then when the key is refused and with every listing: so it is changed without a restart. */
export function createApiKey(set: {
  readonly apiKey?: string | undefined;
  readonly apiKeyFile?: string | undefined;
}): ApiKey {
  const { apiKeyFile } = set;
  let key = set.apiKey;
  let fault: string | null = null;

  function renew(): boolean {
    if (apiKeyFile === undefined) return false;
    const before = key;
    try {
      const found = readFileSync(apiKeyFile, "utf8").trim();
      const isUsable = /^[\x21-\x7e]+$/.test(found);
      fault = isUsable ? null : "its key file holds no key";
      // A file that is just being written is no reason to forget the key.
      if (isUsable) key = found;
    } catch (error) {
      fault = `its key file cannot be read (${rootOf(error).code})`;
    }
    return key !== before;
  }
  renew();

  return {
    headers: () => (key === undefined ? {} : { authorization: `Bearer ${key}` }),
    renew,
    get fault() {
      return fault;
    },
  };
}
