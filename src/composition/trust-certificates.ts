import type { Config } from "../config/settings.ts";
import { CertificateFault, useCertificates } from "../lib/certificates.ts";
import { StartFault } from "../problems/start-fault.ts";

const settings = { caFile: "ca_file", certFile: "cert_file", keyFile: "key_file" } as const;

/** What `tls` says, for all connections that this process opens from now on. Raises StartFault. */
export function trustCertificates({ tls }: Pick<Config, "tls">): void {
  try {
    useCertificates({ caFile: tls.ca_file, certFile: tls.cert_file, keyFile: tls.key_file });
  } catch (error) {
    if (!(error instanceof CertificateFault)) throw error;
    const key = settings[error.file];
    const remedy = `Correct tls.${key} (TLS_${key.toUpperCase()})`;
    throw new StartFault({ found: error.message, remedy }, { cause: error });
  }
}
