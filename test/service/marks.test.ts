import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startPostgres } from "../support/postgres.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface List {
  sessions: { session_id: string; pinned: boolean; tags: string[] }[];
  pagination: { total: number; has_more: boolean; next_cursor: string | null };
}

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

describe.each(["embedded", ...(postgres === null ? [] : ["postgres"])])("on %s", (kind) => {
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    const url = kind === "postgres" ? await postgres?.freshDatabase() : undefined;
    service = await startService({ env: url === undefined ? {} : { DATABASE_URL: url } });
    client = createClient(service.url);
  });
  afterAll(() => service.stop());

  const list = async (query: string) => (await client.get<List>(`/sessions?${query}`)).body;
  const ids = async (query: string) =>
    (await list(query)).sessions.map(({ session_id }) => session_id);
  const change = (sessionId: string, change: object) =>
    client.send<Record<string, unknown>>("PATCH", `/sessions/${sessionId}`, change);

  describe("pins and tags", () => {
    it("are set, trimmed, each once, and change neither activity nor order", async () => {
      const [older, newer] = [await client.session("ann"), await client.session("ann")];
      const before = (await client.get<Record<string, unknown>>(`/sessions/${older}`)).body;
      expect(before).toMatchObject({ pinned: false, tags: [] });
      const tags = [" Work ", "work", "Work", "\u3000工作\u3000"];
      const { status, body } = await change(older, { pinned: true, tags });
      expect(status).toBe(200);
      expect(body).toEqual({ ...before, pinned: true, tags: ["Work", "work", "工作"] });
      expect(await ids("user_id=ann")).toEqual([newer, older]);
      expect(await ids("user_id=ann&order=pinned")).toEqual([older, newer]);
      expect(await ids("user_id=ann&pinned=true")).toEqual([older]);
      expect(await ids("user_id=ann&pinned=false")).toEqual([newer]);
      expect(await ids("user_id=ann&tag=Work&tag=%E5%B7%A5%E4%BD%9C")).toEqual([older]);
      expect(await ids("user_id=ann&tag=%20Work%20")).toEqual([older]);
      expect(await ids("user_id=ann&tag=WORK")).toEqual([]);
      expect((await list("user_id=ann&tag=Work")).pagination.total).toBe(1);
      expect((await change(older, { tags: [], pinned: false })).body).toEqual(before);
    });

    it("go on by cursor, which belongs to its order", async () => {
      const made = [];
      for (let index = 0; index < 5; index += 1) made.unshift(await client.session("bob"));
      await change(made[3] ?? "", { pinned: true });
      const found: string[] = [];
      for (let cursor = ""; ;) {
        const { sessions, pagination } = await list(`user_id=bob&order=pinned&limit=2${cursor}`);
        found.push(...sessions.map(({ session_id }) => session_id));
        if (pagination.next_cursor === null) break;
        cursor = `&cursor=${pagination.next_cursor}`;
        const other = await client.get(`/sessions?user_id=bob${cursor}`);
        expect(other.status).toBe(422);
      }
      expect(found).toEqual([made[3], made[0], made[1], made[2], made[4]]);
    });

    it.each([
      { pinned: null },
      { pinned: "yes" },
      { tags: null },
      { tags: ["  "] },
      { tags: [1] },
      { tags: ["x".repeat(41)] },
      { tags: Array.from({ length: 21 }, (_, index) => `t${index}`) },
    ])("%j is refused", async (wrong) => {
      const sessionId = await client.session("carl");
      expect((await change(sessionId, wrong)).status).toBe(422);
    });
  });
});
