import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEventCuttingProxy } from "../support/event-cutting-proxy.ts";
import { freePort, startProgram } from "../support/backends.ts";
import { pythonEnvironment, pythonForClient } from "../support/python-client.ts";
import { startService, type TestService } from "../support/start-service.ts";

const python = (await pythonForClient()) as string;
const examples = join(import.meta.dirname, "../../examples");

describe.skipIf(python === null)("examples in Python", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.stop());

  it("the front in FastAPI passes a reply on, whole, though its own connections are cut", async () => {
    const proxy = await startEventCuttingProxy(() => service.url);
    proxy.cutStreamsAfter(2);
    const port = await freePort();
    const front = await startProgram(
      "env",
      [
        `CHAT_URL=${proxy.url}`,
        `PYTHONPATH=${pythonEnvironment.PYTHONPATH}`,
        "PYTHONDONTWRITEBYTECODE=1",
        python,
        "-m",
        "uvicorn",
        "front:app",
        "--port",
        String(port),
      ],
      /Uvicorn running/,
      { cwd: join(examples, "fastapi-front") },
    );
    const url = `http://127.0.0.1:${port}`;
    expect(await (await fetch(url)).text()).toContain('type="module"');
    const ask = () =>
      fetch(`${url}/ask`, {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          "Idempotency-Key": "one",
          Cookie: "user=ann",
        },
        body: JSON.stringify({ text: "What is 12 * 12?" }),
      });
    const answer = await ask();
    const messageId = answer.headers.get("X-Message-ID");
    const text = await answer.text();
    const numbers = [...text.matchAll(/^id: (\d+)$/gm)].map(([, number]) => Number(number));
    expect(numbers.length).toBeGreaterThan(3);
    expect(numbers).toEqual(numbers.map((_number, index) => index + 1));
    expect(text).toContain("144");
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
    // The same message, and behind an event that the browser has seen.
    expect((await ask()).headers.get("X-Message-ID")).toBe(messageId);
    const follow = (cookie: string) =>
      fetch(`${url}/replies/${messageId}?after=2`, { headers: { Cookie: cookie } });
    const rest = await (await follow("user=ann")).text();
    expect(rest.startsWith("id: 3\n")).toBe(true);
    const foreign = await follow("user=bob");
    expect(foreign.status).toBe(404);
    expect(await foreign.json()).toMatchObject({ type: "message_not_found" });
    await front.end("SIGTERM");
    proxy.close();
  });

  it("the notebook runs from its first cell to its last", async () => {
    const notebook = JSON.parse(await readFile(join(examples, "notebook/chat.ipynb"), "utf8")) as {
      cells: { cell_type: string; source: string[]; outputs?: unknown[] }[];
    };
    const cells = notebook.cells.filter((cell) => cell.cell_type === "code");
    expect(cells.length).toBeGreaterThan(4);
    // Kept as it comes, and not as it was run here.
    expect(cells.flatMap((cell) => cell.outputs)).toEqual([]);
    // Cells await as they stand, and show their last expression.
    const program = `
import ast, asyncio, inspect, json, sys
names = {}
async def main():
    for source in json.load(sys.stdin):
        tree = ast.parse(source)
        if isinstance(tree.body[-1], ast.Expr):
            tree.body[-1] = ast.Assign([ast.Name("_shown", ast.Store())], tree.body[-1].value)
            ast.fix_missing_locations(tree)
        code = compile(tree, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        found = eval(code, names)
        if inspect.iscoroutine(found):
            await found
        print(json.dumps(names.get("_shown"), default=str))
asyncio.run(main())`;
    const child = spawn(python, ["-c", program], {
      env: { ...pythonEnvironment, CHAT_URL: service.url },
      stdio: ["pipe", "pipe", "inherit"],
    });
    child.stdin.end(JSON.stringify(cells.map(({ source }) => source.join(""))));
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    const [code] = (await once(child, "exit")) as [number];
    expect(code).toBe(0);
    expect(output).toContain('["general-chat"');
    expect(output.match(/144/g)?.length).toBeGreaterThan(2);
    expect(output).toContain('"rating": "up"');
  });
});
