import { BlockList, isIP } from "node:net";

/** What a text, or each item of a list, must be: in words for people, and as a test. */
export interface Rule {
  /** Continues "must be …". */
  readonly words: string;
  readonly holds: (value: string) => boolean;
}

/** An http or https URL. */
export const webUrl: Rule = {
  words: "a URL that starts with http:// or https://",
  holds: (value) => /^https?:\/\/\S+$/i.test(value) && URL.canParse(value),
};

/** A URL that paths are put behind; what follows a question mark would be lost. */
export const baseUrl: Rule = {
  words: "a URL that starts with http:// or https://, without ? and #",
  holds: (value) => webUrl.holds(value) && !/[?#]/.test(value),
};

/** A PostgreSQL URL; an undecodable password is refused here because the driver would name it in its error. */
export const databaseUrl: Rule = {
  words:
    "a URL that starts with postgres:// or postgresql://, with special characters percent-encoded",
  holds: (value) => /^postgres(ql)?:\/\/\S+$/i.test(value) && isDecodable(value),
};

/** One or more comma-separated Redis hosts; the scheme is needed on the first only. */
export const redisUrl: Rule = {
  words:
    "a URL that starts with redis:// or rediss://, or several hosts of one scheme separated by commas",
  holds: (value) => {
    const [first = "", ...others] = value.split(",").map((host) => host.trim());
    const scheme = /^rediss?:\/\//i.exec(first)?.[0];
    if (scheme === undefined) return false;
    return [first, ...others.map((host) => (host.includes("://") ? host : scheme + host))].every(
      (host) =>
        host.toLowerCase().startsWith(scheme.toLowerCase()) &&
        /^\w+:\/\/\S+$/.test(host) &&
        isDecodable(host) &&
        new URL(host).hostname !== "",
    );
  },
};

function isDecodable(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed !== null && !/%(?![0-9a-f]{2})/i.test(parsed.username + parsed.password);
}

/** The path of a URL. */
export const urlPath: Rule = {
  words: "a path such as /metrics, without a slash at its end",
  holds: (value) => /^(\/[\w.~%-]+)+$/.test(value),
};

/** The path of a URL, or nothing. */
export const urlPathOrEmpty: Rule = {
  words: "a path such as /api/v1, without a slash at its end, or empty",
  holds: (value) => value === "" || urlPath.holds(value),
};

/** An origin as browsers send it; no path, no pattern. */
export const browserOrigin: Rule = {
  words: "* or an origin such as https://chat.example.com, without a path",
  holds: (value) => value === "*" || /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#*@]+$/i.test(value),
};

/** A host name or address, as one can listen on or be reached at. */
export const hostName: Rule = {
  words: "a host name or an address",
  holds: (value) => isIP(value) !== 0 || /^[\w.-]+$/.test(value),
};

/** A host that others can connect to: not the address that stands for all of this machine's. */
export const reachableHost: Rule = {
  words: "a host name or an address that others can reach, not 0.0.0.0",
  holds: (value) => hostName.holds(value) && value !== "0.0.0.0" && !/^[0:]+$/.test(value),
};

/** A host as it stands in a Host header. */
export const hostPattern: Rule = {
  words: "*, a host name such as chat.example.com or *.example.com, or an address",
  holds: (value) =>
    value === "*" ||
    isIP(value.replace(/^\[(.*)\]$/, "$1")) !== 0 ||
    /^(\*\.)?[\w.-]+$/.test(value),
};

/** An address, or a range of them in CIDR notation. */
export const addressRange: Rule = {
  words: "an address such as 10.1.2.3 or a range such as 10.0.0.0/8 or fd00::/8",
  holds: (value) => {
    const [address = "", bits, ...rest] = value.split("/");
    const family = isIP(address);
    if (family === 0 || rest.length > 0) return false;
    if (bits === undefined) return true;
    if (!/^\d{1,3}$/.test(bits)) return false;
    try {
      new BlockList().addSubnet(address, Number(bits), family === 4 ? "ipv4" : "ipv6");
      return true;
    } catch {
      // BlockList knows the bounds of a prefix length and how zones are written.
      return false;
    }
  },
};

/** How many processes serve. */
export const workerCount: Rule = {
  words: "auto or a whole number from 1 to 256",
  holds: (value) => value === "auto" || (/^[1-9]\d{0,2}$/.test(value) && Number(value) <= 256),
};
