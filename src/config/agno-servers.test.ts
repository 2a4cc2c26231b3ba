import { expect, test } from "vitest";
import { agnoServers } from "./agno-servers.ts";

const research = { name: "research", api_url: "http://r:7777", api_key: "rk" };

test("the server of agno.api_url comes first, with its own key only", () => {
  expect(agnoServers({ api_url: "http://a", api_key: "k", servers: [research] })).toEqual([
    { name: "agno", api_url: "http://a", api_key: "k" },
    research,
  ]);
  expect(agnoServers({ api_url: "http://a", api_key: null, servers: [] })).toEqual([
    { name: "agno", api_url: "http://a" },
  ]);
});

test("a server that is listed as well is not doubled", () => {
  expect(agnoServers({ api_url: "http://R:7777/", api_key: "k", servers: [research] })).toEqual([
    research,
  ]);
});

test("without agno.api_url there are those of agno.servers, if any", () => {
  expect(agnoServers({ api_url: null, api_key: "k", servers: [research] })).toEqual([research]);
  expect(agnoServers({ api_url: null, api_key: null, servers: [] })).toEqual([]);
});
