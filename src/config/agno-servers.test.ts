import { expect, test } from "vitest";
import { agnoServers, agnoSettings } from "./agno-servers.ts";

const research = { name: "research", api_url: "http://r:7777", api_key: "rk" };

test("the server of agno.api_url comes first, with its own key only", () => {
  expect(
    agnoServers({ api_key_file: null, api_url: "http://a", api_key: "k", servers: [research] }),
  ).toEqual([{ name: "agno", api_url: "http://a", api_key: "k" }, research]);
  expect(
    agnoServers({ api_key_file: null, api_url: "http://a", api_key: null, servers: [] }),
  ).toEqual([{ name: "agno", api_url: "http://a" }]);
});

test("a server that is listed as well is not doubled", () => {
  expect(
    agnoServers({
      api_key_file: null,
      api_url: "http://R:7777/",
      api_key: "k",
      servers: [research],
    }),
  ).toEqual([research]);
});

test("without agno.api_url there are those of agno.servers, if any", () => {
  expect(
    agnoServers({ api_key_file: null, api_url: null, api_key: "k", servers: [research] }),
  ).toEqual([research]);
  expect(agnoServers({ api_key_file: null, api_url: null, api_key: null, servers: [] })).toEqual(
    [],
  );
});

test("a key may be in a file, and every server's settings have names", () => {
  const alone = { api_url: "http://a", api_key: null, api_key_file: "/k", servers: [research] };
  const [first, second] = agnoServers(alone);
  expect(first).toEqual({ name: "agno", api_url: "http://a", api_key_file: "/k" });
  expect(agnoSettings(first!, alone)).toEqual({
    address: "AGNO_API_URL",
    key: "AGNO_API_KEY_FILE",
  });
  expect(agnoSettings(second!, alone)).toEqual({
    address: "api_url of research in agno.servers",
    key: "api_key of research in agno.servers",
  });
});
