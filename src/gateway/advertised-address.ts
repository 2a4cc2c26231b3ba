import { isIPv6 } from "node:net";
import { networkInterfaces, type NetworkInterfaceInfo } from "node:os";

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Interfaces that lead to containers and virtual machines on this very machine, not to others. */
const inward = /^(docker|br-|veth|virbr|vmnet|vboxnet|cni|flannel|cali|lxc|podman)/;

/**
 * Where others reach this node: the configured address; else the one it listens on; else, when it listens on all
 * of them, the first IPv4 address of the machine that is not its own loopback (IPv6 where there is no IPv4).
 */
export function advertisedHost(
  configured: string | null,
  listeningOn: string,
  interfaces: Interfaces = networkInterfaces(),
): string {
  if (configured !== null && configured !== "") return configured;
  if (!isUnspecified(listeningOn)) return listeningOn;
  const entries = Object.entries(interfaces);
  const outward = entries.filter(([name]) => !inward.test(name));
  for (const candidates of [outward, entries]) {
    const addresses = candidates
      .flatMap(([, infos]) => infos ?? [])
      .filter((info) => !info.internal);
    const found =
      addresses.find(({ family }) => family === "IPv4") ??
      addresses.find(({ address }) => !/^fe[89ab]/i.test(address));
    if (found !== undefined) return found.address;
  }
  return "127.0.0.1";
}

/** `0.0.0.0`, `::` in any spelling, or nothing: all addresses of the machine. */
function isUnspecified(host: string): boolean {
  return host === "" || /^[0.]+$/.test(host) || (isIPv6(host) && /^[0:.]+$/.test(host));
}

/** `http://host:port`, with the brackets that an IPv6 address needs. */
export function serviceUrl(host: string, port: number): string {
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** Where a program on this machine reaches what listens on `host`: nobody can go to "all addresses". */
export function reachableHost(host: string): string {
  return isUnspecified(host) ? "127.0.0.1" : host;
}

export function localUrl(host: string, port: number): string {
  return serviceUrl(reachableHost(host), port);
}

/** An address or name that leads every machine to itself. */
export function isLoopback(host: string): boolean {
  return /^(127(\.\d+){3}|\[?::1\]?|localhost)$/i.test(host);
}
