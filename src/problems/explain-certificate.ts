import { rootOf } from "../lib/root-of.ts";
import type { Explanation } from "./start-fault.ts";

/** What mends that a server asks for a certificate. */
export const showCertificate =
  "TLS_CERT_FILE and TLS_KEY_FILE, with a certificate that the server's authority has issued";
const trust = "TLS_CA_FILE=/path/ca.pem, with the certificate of the authority that has issued it";
const renew = "Renew the server's certificate, or set the clocks right";
const untrusted = "its certificate comes from an authority that is not trusted here";

/** By the codes of OpenSSL, which spells those of alerts in several ways. */
const known: readonly (readonly [code: RegExp, found: string, remedy: string])[] = [
  [/^DEPTH_ZERO_SELF_SIGNED_CERT$/, "its certificate is signed by nobody but itself", trust],
  [/^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?)$/, untrusted, trust],
  [
    /^UNABLE_TO_VERIFY_LEAF_SIGNATURE$/,
    `${untrusted}, or the server does not send the certificates between`,
    trust,
  ],
  [/^CERT_HAS_EXPIRED$/, "its certificate has expired", renew],
  [/^CERT_NOT_YET_VALID$/, "its certificate is not valid yet", renew],
  [/^CERT_REVOKED$/, "its certificate was revoked", renew],
  [
    /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/,
    "its certificate is made out for another name",
    "Use the name that the certificate is made out for, or have it made out for this one",
  ],
  [/ALERT_CERTIFICATE_REQUIRED$/, "it asks for a certificate of this service", showCertificate],
  [/ALERT_HANDSHAKE_FAILURE$/, "it refuses the handshake of TLS", showCertificate],
  [
    /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|(UNSUPPORTED_)?CERTIFICATE(_UNKNOWN|_EXPIRED|_REVOKED)?)$/,
    "it does not accept the certificate of this service",
    showCertificate,
  ],
  [
    /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$/,
    "it does not speak TLS",
    "Use the address without TLS, or the port on which the server speaks it",
  ],
  [
    /UNSUPPORTED_PROTOCOL$|ALERT_PROTOCOL_VERSION$/,
    "it only speaks versions of TLS that are too old",
    "Upgrade it",
  ],
  [
    // With TLS 1.3 a client that is refused may have written already, and then the reset outruns the alert.
    /^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/,
    "it closes the connection without an answer",
    `Look into its log. Servers that ask for a certificate do that too: ${showCertificate}`,
  ],
];

/** Why a TLS connection could not be made or was closed at once; null for what has nothing to do with TLS. */
export function explainCertificate(error: unknown): Explanation | null {
  const { code } = rootOf(error);
  const [, found, remedy] = known.find(([pattern]) => pattern.test(code)) ?? [];
  return found === undefined || remedy === undefined ? null : { found, remedy };
}

/** What mends what `explainCertificate` has found. */
export function certificateRemedy(found: string): string | null {
  return known.find(([, each]) => each === found)?.[2] ?? null;
}
