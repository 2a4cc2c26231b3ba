import { readFileSync } from "node:fs";
import tls from "node:tls";
import { Agent, setGlobalDispatcher } from "undici";

/** Files in PEM. */
export interface CertificateFiles {
  /** Of authorities that are trusted beside the public ones. */
  readonly caFile: string | null;
  /** What this process shows to servers that ask who it is, and the key to it: both or none. */
  readonly certFile: string | null;
  readonly keyFile: string | null;
}

/** What this process shows to servers that ask for a certificate. */
export interface OwnCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** One of the files is of no use; `message` begins with its path. */
export class CertificateFault extends Error {
  override readonly name = "CertificateFault";
  /** Which of the files. */
  readonly file: keyof CertificateFiles;

  constructor(file: keyof CertificateFiles, message: string, options?: ErrorOptions) {
    super(message, options);
    this.file = file;
  }
}

const publicAuthorities = tls.getCACertificates("default");
let own: OwnCertificate | null = null;

/** For connections that this process opens: null where it shows none. */
export function ownCertificate(): OwnCertificate | null {
  return own;
}

/** The same, in the words of a TLS connection's options. */
export function shownCertificate(): { readonly cert?: string; readonly key?: string } {
  return own === null ? {} : { cert: own.cert, key: own.key };
}

/**
 * Whom this process trusts and who it says it is, in every TLS connection that it opens from now on. It is one for the
 * whole process, as the authorities are in Node. Raises CertificateFault, and then changes nothing.
 */
export function useCertificates({ caFile, certFile, keyFile }: CertificateFiles): void {
  const trusted = caFile === null ? [] : readAuthorities(caFile);
  const shown = certFile === null || keyFile === null ? null : readPair(certFile, keyFile);
  tls.setDefaultCACertificates([...publicAuthorities, ...trusted]);
  own = shown;
  if (shown === null) return;
  const { cert, key } = shown;
  setGlobalDispatcher(new Agent({ connect: { cert, key } }));
}

function readAuthorities(path: string): string[] {
  const blocks = read("caFile", path).match(
    /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g,
  );
  if (blocks === null) throw new CertificateFault("caFile", `${path} holds no certificate in PEM`);
  try {
    tls.createSecureContext({ ca: blocks });
  } catch (error) {
    throw new CertificateFault("caFile", `${path} holds a damaged certificate`, { cause: error });
  }
  return blocks;
}

function readPair(certFile: string, keyFile: string): OwnCertificate {
  const cert = read("certFile", certFile);
  const key = read("keyFile", keyFile);
  try {
    tls.createSecureContext({ cert });
  } catch (error) {
    throw new CertificateFault("certFile", `${certFile} holds no certificate in PEM`, {
      cause: error,
    });
  }
  try {
    tls.createSecureContext({ cert, key });
  } catch (error) {
    const why = /mismatch/i.test(String(error))
      ? `is not the key of ${certFile}`
      : "holds no private key in PEM without a password";
    throw new CertificateFault("keyFile", `${keyFile} ${why}`, { cause: error });
  }
  return { certFile, keyFile, cert, key };
}

function read(file: keyof CertificateFiles, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CertificateFault(file, `${path} cannot be read (${code})`, { cause: error });
  }
}
