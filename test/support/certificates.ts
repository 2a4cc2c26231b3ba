import { execFile } from "node:child_process";
import { chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { missingBackend, ordinaryUser } from "./backends.ts";

export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A private authority and what it has issued: paths of PEM files, readable by PostgreSQL's user too. */
export interface TestAuthority {
  readonly directory: string;
  readonly ca: string;
  /** For localhost and 127.0.0.1. */
  readonly server: IssuedCertificate;
  /** For a host of another name. */
  readonly elsewhere: IssuedCertificate;
  /** Of the login `chat`. */
  readonly client: IssuedCertificate;
  remove(): Promise<void>;
}

const openssl = (...args: string[]) => promisify(execFile)("openssl", args);

/** Null, said aloud, where there is no openssl. */
export async function createAuthority(): Promise<TestAuthority | null> {
  const found = await openssl("version").catch(() => null);
  if (found === null) return missingBackend("openssl", "install openssl");
  const directory = await mkdtemp(join(tmpdir(), "chat-authority-"));
  const at = (name: string) => join(directory, name);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const ca = { cert: at("ca.pem"), key: at("ca.key") };
  await openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    ca.key,
    "-out",
    ca.cert,
    "-days",
    "2",
    "-subj",
    "/CN=A private authority",
  );
  const issue = async (name: string, subject: string, extension: string) => {
    const [request, extensions] = [at(`${name}.csr`), at(`${name}.ext`)];
    const issued = { cert: at(`${name}.pem`), key: at(`${name}.key`) };
    await writeFile(extensions, extension);
    await openssl(
      "req",
      ...newKey,
      "-keyout",
      issued.key,
      "-out",
      request,
      "-subj",
      `/CN=${subject}`,
    );
    await openssl(
      "x509",
      "-req",
      "-in",
      request,
      "-CA",
      ca.cert,
      "-CAkey",
      ca.key,
      "-CAcreateserial",
      "-out",
      issued.cert,
      "-days",
      "2",
      "-extfile",
      extensions,
    );
    return issued;
  };
  const here = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  const server = await issue("server", "localhost", here);
  const elsewhere = await issue("elsewhere", "elsewhere", "subjectAltName=DNS:elsewhere.test");
  const client = await issue("client", "chat", "extendedKeyUsage=clientAuth");
  const user = ordinaryUser();
  // Keys are for their owner's eyes alone, and the owner is PostgreSQL: root, where tests run as such, reads them too.
  if (user !== null) {
    for (const path of [directory, ca.cert, server.cert, server.key]) {
      await chown(path, user.uid, user.gid);
    }
  }
  return {
    directory,
    ca: ca.cert,
    server,
    elsewhere,
    client,
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
