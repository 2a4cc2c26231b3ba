import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pythonClient, pythonEnvironment, pythonForClient } from "../support/python-client.ts";
import { startService, type TestService } from "../support/start-service.ts";

const python = (await pythonForClient()) as string;
const run = promisify(execFile);

describe.skipIf(python === null)("the Python package, as it is installed", () => {
  let directory: string;
  let service: TestService;
  const environment = () => ({ ...pythonEnvironment, PYTHONPATH: join(directory, "installed") });

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "chat-python-package-"));
    // Built elsewhere: nothing is left in the tree.
    const source = join(directory, "source");
    await cp(pythonClient, source, { recursive: true });
    const wheels = join(directory, "wheels");
    const options = { cwd: source, env: pythonEnvironment };
    await run(python, ["-m", "hatchling", "build", "-t", "wheel", "-d", wheels], options);
    const [wheel = ""] = await readdir(wheels);
    await run(python, [
      "-m",
      "pip",
      "install",
      "--quiet",
      "--no-deps",
      "--no-index",
      "--target",
      join(directory, "installed"),
      join(wheels, wheel),
    ]);
    service = await startService();
  });
  afterAll(async () => {
    await service.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it("works as its README begins, and brings its types and its licence", async () => {
    const readme = await readFile(join(pythonClient, "README.md"), "utf8");
    const [first = "", second = ""] = [...readme.matchAll(/```python\n([^]*?)```/g)].map(
      ([, lines = ""]) => lines.replace("http://127.0.0.1:8001", service.url),
    );
    expect(first.trim().split("\n").length).toBeLessThanOrEqual(10);
    const begun = await run(python, ["-c", first], { env: environment() });
    expect(begun.stdout).toContain("144");
    expect(begun.stdout.trimEnd().split("\n").at(-1)).toContain("5");
    const awaited = await run(python, ["-c", second], { env: environment() });
    expect(awaited.stdout).toContain("144");
    const files = await readdir(join(directory, "installed"), { recursive: true });
    expect(files).toContain("chat_service/py.typed");
    expect(files.some((name) => name.endsWith("licenses/LICENSE"))).toBe(true);
    const silent = `import sys; sys.modules["websockets"] = None
from chat_service import ChatClient; ChatClient("http://x").voice.talk()`;
    await expect(run(python, ["-c", silent], { env: environment() })).rejects.toThrow(
      "pip install 'chat-service-client[voice]'",
    );
  });

  it("keeps mypy and ruff content, for the oldest Python that it is for", async () => {
    const typed = join(directory, "typed");
    await mkdir(typed);
    await writeFile(
      join(typed, "uses.py"),
      `from chat_service import ApiError, ChatClient, Message
client = ChatClient("http://127.0.0.1:8001", token=lambda refused: "t")
try:
    for event in client.send("x", agent_id="a", idempotency_key="k"):
        if event["type"] == "tool_call":
            name: str = event["name"]
        client.send("x", nonsense=1)  # type: ignore[call-arg]
    messages: list[Message] = list(client.messages.history("x")["messages"])
except ApiError as error:
    kind: str = error.type
`,
    );
    const told = await run(
      python,
      [
        "-m",
        "mypy",
        "--strict",
        "--python-version",
        "3.10",
        "--cache-dir",
        join(directory, "mypy"),
        "src",
        join(typed, "uses.py"),
      ],
      { cwd: pythonClient, env: { ...pythonEnvironment, MYPYPATH: "src" } },
    ).catch((error: { stdout: string }) => error);
    expect(told.stdout).toMatch(/^Success/);
    for (const command of [["check"], ["format", "--check"]]) {
      const ruff = await run(
        python,
        ["-m", "ruff", ...command, "--no-cache", ".", "../../examples/fastapi-front"],
        { cwd: pythonClient, env: pythonEnvironment },
      ).catch((error: { stdout: string }) => error);
      expect(ruff.stdout).toMatch(/All checks passed|already formatted/);
    }
  });
});
