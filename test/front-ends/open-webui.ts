import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { pythonWith } from "../support/python.ts";

export const openWebUiVersion = process.env["OPEN_WEBUI_VERSION"] ?? "0.12.4";

export interface OpenWebUi {
  readonly url: string;
  /** Makes a user who can sign in; resolves with his token. The first one is the administrator. */
  user(name: string): Promise<string>;
  /** With an administrator's token. */
  post(path: string, body: object, token: string): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

/** Settings of docs/openai.md, and those without which it would look for models of its own elsewhere. */
const settings = {
  ENABLE_FORWARD_USER_INFO_HEADERS: "true",
  DEFAULT_MODEL_METADATA: '{"capabilities": {"builtin_tools": false}}',
  BYPASS_MODEL_ACCESS_CONTROL: "true",
  ENABLE_OLLAMA_API: "false",
  OFFLINE_MODE: "true",
  HF_HUB_OFFLINE: "1",
  RAG_EMBEDDING_ENGINE: "openai",
  AUDIO_STT_ENGINE: "openai",
  ENABLE_VERSION_UPDATE_CHECK: "false",
  ANONYMIZED_TELEMETRY: "false",
};

/** From the registry, with all that it needs but what only models of its own need (PyTorch, gigabytes). */
async function install(): Promise<string> {
  const name = `open-webui-${openWebUiVersion}`;
  const made = await pythonWith(name, ["--no-deps", `open-webui==${openWebUiVersion}`], name);
  if ("missing" in made) throw new Error(made.missing);
  const run = promisify(execFile);
  const list = `
from importlib.metadata import requires
names = [line for line in requires("open-webui") if "extra ==" not in line]
print("\\n".join(line for line in names if not line.startswith(("accelerate", "sentence-transformers"))))`;
  const { stdout } = await run(made.python, ["-c", list]);
  await run(made.python, ["-m", "pip", "install", "--quiet", ...stdout.trim().split("\n")]);
  return made.python;
}

/** A real Open WebUI before a service. */
export async function startOpenWebUi(serviceUrl: string, apiKey: string): Promise<OpenWebUi> {
  const python = await install();
  const [port, dataDir] = [await freePort(), await mkdtemp(join(tmpdir(), "open-webui-"))];
  const child = spawn(
    join(dirname(python), "open-webui"),
    ["serve", "--host", "127.0.0.1", "--port", String(port)],
    {
      cwd: dataDir,
      env: {
        PATH: process.env["PATH"],
        HOME: dataDir,
        DATA_DIR: dataDir,
        WEBUI_SECRET_KEY: "a secret for tests",
        OPENAI_API_BASE_URL: `${serviceUrl}/v1`,
        OPENAI_API_KEY: apiKey,
        ...settings,
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  }
  const url = `http://127.0.0.1:${port}`;
  const isUp = () =>
    fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isUp())) {
    if (child.exitCode !== null)
      throw new Error(`Open WebUI ended before it was ready:\n${output}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const post = async (path: string, body: object, token = "") => {
    const answer = await fetch(url + path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token !== "" && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Record<string, unknown>;
  };
  let administrator = "";
  return {
    url,
    post,
    async user(name) {
      const body = {
        name,
        email: `${name.toLowerCase()}@example.com`,
        password: "correct-horse-1",
      };
      const made =
        administrator === ""
          ? await post("/api/v1/auths/signup", body)
          : await post("/api/v1/auths/add", { ...body, role: "user" }, administrator);
      administrator ||= String(made["token"]);
      return String(made["token"]);
    },
    async close() {
      child.kill("SIGKILL");
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
