import { expect, test } from "vitest";
import { certificateRemedy, explainCertificate } from "./explain-certificate.ts";

test.each([
  ["DEPTH_ZERO_SELF_SIGNED_CERT", /nobody but itself/, /TLS_CA_FILE/],
  ["SELF_SIGNED_CERT_IN_CHAIN", /not trusted here/, /TLS_CA_FILE/],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", /not trusted here/, /TLS_CA_FILE/],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", /certificates between/, /TLS_CA_FILE/],
  ["CERT_HAS_EXPIRED", /has expired/, /clocks/],
  ["ERR_TLS_CERT_ALTNAME_INVALID", /another name/, /name/],
  ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", /asks for a certificate/, /TLS_CERT_FILE/],
  ["ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE", /handshake/, /TLS_CERT_FILE/],
  ["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", /handshake/, /TLS_CERT_FILE/],
  ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", /does not accept/, /TLS_CERT_FILE/],
  ["ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE", /does not accept/, /TLS_CERT_FILE/],
  ["ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED", /does not accept/, /TLS_CERT_FILE/],
  ["ERR_SSL_WRONG_VERSION_NUMBER", /does not speak TLS/, /without TLS/],
  ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", /too old/, /Upgrade/],
  ["UND_ERR_SOCKET", /closes the connection/, /TLS_CERT_FILE/],
])("%s is explained, however deep it lies", (code, found, remedy) => {
  const error = new Error("outer", { cause: Object.assign(new Error("inner"), { code }) });
  const why = explainCertificate(error);
  expect(why?.found).toMatch(found);
  expect(why?.remedy).toMatch(remedy);
  expect(certificateRemedy(why?.found ?? "")).toBe(why?.remedy);
});

test("what has nothing to do with TLS is not", () => {
  expect(explainCertificate(Object.assign(new Error(), { code: "ECONNREFUSED" }))).toBeNull();
  expect(explainCertificate("no")).toBeNull();
  expect(certificateRemedy("no")).toBeNull();
});
