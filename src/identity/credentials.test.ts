import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bearerToken, readCredentials, tokenCredentials } from "./credentials.ts";

const invalid = expect.objectContaining({ type: "unauthorized", status: 401 });

// What Node really makes of bytes on the wire, not what we think it does.
const server = createServer((request, response) => {
  try {
    response.end(JSON.stringify(readCredentials(request.rawHeaders)));
  } catch {
    response.writeHead(401).end("{}");
  }
});

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterAll(() => {
  server.close();
});

async function send(path: string, ...headers: readonly string[]): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.end(
    [`GET ${path} HTTP/1.1`, "Host: a", "Connection: close", ...headers, "", ""].join("\r\n"),
  );
  let text = "";
  for await (const piece of socket.setEncoding("utf8")) text += piece;
  return `${text.split(" ")[1]} ${/\{.*\}/.exec(text)?.[0] ?? ""}`;
}

test.each([
  ["one header", ["Authorization: Bearer a.b.c"], '200 {"authorization":"Bearer a.b.c"}'],
  ["any case of its name", ["aUTHORIZATION: bearer t"], '200 {"authorization":"bearer t"}'],
  ["blanks around it", ["Authorization:  \t Bearer t  "], '200 {"authorization":"Bearer t"}'],
  ["a key", ["X-API-Key: k"], '200 {"apiKey":"k"}'],
  ["both", ["X-Api-Key: k", "Authorization: t"], '200 {"authorization":"t","apiKey":"k"}'],
  ["empty ones", ["Authorization:", "X-API-Key: "], "200 {}"],
  ["two of them", ["Authorization: Bearer a", "Authorization: Bearer b"], "401 {}"],
  ["two equal ones", ["Authorization: Bearer a", "authorization: Bearer a"], "401 {}"],
  ["one of two empty", ["Authorization: Bearer a", "Authorization:"], "401 {}"],
  ["two keys", ["X-API-Key: a", "x-api-key: b"], "401 {}"],
  ["a huge one", [`Authorization: Bearer ${"a".repeat(9_000)}`], "401 {}"],
  ["a blank before the colon", ["Authorization : Bearer a"], "400 "],
  ["a name that is cut", ["Authorizatio: Bearer a"], "200 {}"],
  ["an underscore for the hyphen", ["X_API_Key: k"], "200 {}"],
  ["a proxy's header", ["Proxy-Authorization: Bearer a"], "200 {}"],
  ["an identity header", ["X-User-Id: root", "X-Forwarded-User: root", "X-Roles: admin"], "200 {}"],
  ["an internal token", ["X-Internal-Token: a.b.c"], "200 {}"],
  ["a cookie", ["Cookie: authorization=Bearer a; token=b"], "200 {}"],
])("%s on the wire", async (_name, headers, expected) => {
  expect(await send("/", ...headers)).toBe(expected);
});

test("a token in the query is not read", async () => {
  expect(await send("/?token=t&access_token=t&authorization=Bearer%20t&api_key=k")).toBe("200 {}");
});

test.each([
  ["Bearer abc", "abc"],
  ["bearer  abc", "abc"],
  ["BEARER 12|opaque_Token~+/=", "12|opaque_Token~+/="],
  ["Bearer", null],
  ["Bearer ", null],
  ["Bearer a b", null],
  ["Bearer a, Bearer b", null],
  ["Bearer a,b", null],
  ["Bearer\ta", null],
  ["Bearer a\u00a0", null],
  ["Bearer é", null],
  ["Basic dTpw", null],
  ["Bearera", null],
  ["a.b.c", null],
  ["Internal a.b.c", null],
])("the token of %j is %j", (authorization, token) => {
  expect(bearerToken({ authorization })).toBe(token);
});

test("a token in a message is treated as one in a header", () => {
  expect(bearerToken(tokenCredentials("a.b.c"))).toBe("a.b.c");
  expect(bearerToken(tokenCredentials("a b"))).toBeNull();
  expect(bearerToken(tokenCredentials("a, Bearer b"))).toBeNull();
  for (const token of [undefined, null, "", 7, ["a"], { token: "a" }, "a".repeat(9_000)]) {
    expect(() => tokenCredentials(token)).toThrow(invalid);
  }
});
