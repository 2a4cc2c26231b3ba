/**
 * Carries out the Dockerfile where there is no Docker engine, and tries what came of it:
 *
 *     sudo node scripts/prove-image.ts [directory]
 *
 * Debian's debootstrap makes the base (with this machine's npm and the Node of package.json in the place of the image
 * node:24-bookworm-slim), each instruction is run in it as Docker would, and the result is started as its user on a
 * read-only root. Needs root, debootstrap, and a network that reaches Debian's and npm's registries.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const project = join(import.meta.dirname, "..");
const work = resolve(process.argv[2] ?? join(project, ".cache/image"));
const base = join(work, "base");
const port = "18001";

interface Stage {
  readonly root: string;
  directory: string;
  user: string;
  environment: Record<string, string>;
  volumes: string[];
  entrypoint: string[];
  command: string[];
  healthcheck: string[];
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
}

/** What the official image brings: Debian, Node, npm, a user named node. */
function makeBase(): void {
  if (existsSync(join(base, "usr/local/bin/node"))) return;
  rmSync(base, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  run("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", base);
  cpSync(join(project, "node_modules/node/bin/node"), join(base, "usr/local/bin/node"), {
    dereference: true,
  });
  // Of the program itself: under npm's Node of this project, `npm root -g` would name that Node's own folder.
  const npm = realpathSync(
    execFileSync("sh", ["-c", "command -v npm"], { encoding: "utf8" }).trim(),
  );
  cpSync(dirname(dirname(npm)), join(base, "usr/local/lib/node_modules/npm"), { recursive: true });
  for (const name of ["npm", "npx"]) {
    run(
      "ln",
      "-s",
      `../lib/node_modules/npm/bin/${name}-cli.js`,
      join(base, "usr/local/bin", name),
    );
  }
  run("chroot", base, "useradd", "--uid", "1000", "--create-home", "node");
  // How this machine reaches the registries.
  for (const path of [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/ssl/certs",
    "/root/.npmrc",
    "/etc/npmrc",
    "/usr/etc/npmrc",
    "/etc/apt/apt.conf.d/99artifact-registry",
  ]) {
    if (!existsSync(path)) continue;
    mkdirSync(dirname(join(base, path)), { recursive: true });
    cpSync(path, join(base, path), { recursive: true, dereference: true });
  }
}

function openStage(name: string): Stage {
  const root = join(work, name);
  rmSync(root, { recursive: true, force: true });
  run("cp", "-a", base, root);
  return {
    root,
    directory: "/",
    user: "root",
    environment: {},
    volumes: [],
    entrypoint: [],
    command: [],
    healthcheck: [],
  };
}

/** Instructions with their continuation lines joined. */
function instructions(text: string): string[] {
  return text
    .replaceAll(/^\s*#.*\n/gm, "")
    .replaceAll(/\\\n\s*/g, " ")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

function copy(stage: Stage, from: string, sources: readonly string[], target: string): void {
  const into = join(stage.root, resolve(stage.directory, target));
  for (const source of sources) {
    const path = join(from, source);
    const isFileTarget = sources.length === 1 && !target.endsWith("/");
    const destination = isFileTarget ? into : join(into, basename(source));
    mkdirSync(dirname(destination), { recursive: true });
    cpSync(path, destination, {
      recursive: true,
      verbatimSymlinks: true,
      // As .dockerignore says.
      filter: (each) => !/\.(?:test|contract)\.ts$|web\/dist$/.test(each) || from !== project,
    });
  }
}

function shell(stage: Stage, command: string): void {
  const settings = Object.entries({
    ...stage.environment,
    HOME: "/root",
    PATH: process.env["PATH"] ?? "",
  }).map(([name, value]) => `${name}=${value}`);
  run(
    "chroot",
    stage.root,
    "env",
    "-i",
    ...settings,
    "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt",
    "sh",
    "-ec",
    `cd ${stage.directory} && ${command}`,
  );
}

function build(): Stage {
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const instruction of instructions(readFileSync(join(project, "Dockerfile"), "utf8"))) {
    const [name = "", ...words] = instruction.split(/\s+/);
    const rest = words.join(" ");
    process.stdout.write(`\n--- ${instruction.slice(0, 120)}\n`);
    if (name === "FROM") {
      const alias = words[1] === "AS" ? (words[2] ?? "") : "image";
      stage = openStage(alias);
      stages.set(alias, stage);
      continue;
    }
    if (stage === undefined) throw new Error("an instruction before FROM");
    switch (name) {
      case "WORKDIR":
        stage.directory = rest;
        mkdirSync(join(stage.root, rest), { recursive: true });
        break;
      case "COPY": {
        const fromStage = /^--from=(\w+)$/.exec(words[0] ?? "")?.[1];
        const paths = fromStage === undefined ? words : words.slice(1);
        const from = fromStage === undefined ? project : (stages.get(fromStage)?.root ?? "");
        copy(stage, from, paths.slice(0, -1), paths.at(-1) ?? ".");
        break;
      }
      case "RUN":
        shell(stage, rest);
        break;
      case "ENV":
        for (const [, key = "", value = ""] of rest.matchAll(/(\w+)=(\S+)/g))
          stage.environment[key] = value;
        break;
      case "USER":
        stage.user = rest;
        break;
      case "VOLUME":
        stage.volumes = JSON.parse(rest) as string[];
        break;
      case "ENTRYPOINT":
        stage.entrypoint = JSON.parse(rest) as string[];
        break;
      case "CMD":
        stage.command = JSON.parse(rest) as string[];
        break;
      case "HEALTHCHECK":
        stage.healthcheck = JSON.parse(rest.slice(rest.indexOf("["))) as string[];
        break;
      case "EXPOSE":
      case "STOPSIGNAL":
        break;
      default:
        throw new Error(`${name} is not known here`);
    }
  }
  if (stage === undefined) throw new Error("the Dockerfile is empty");
  return stage;
}

/** Runs a command in the image as Docker would: its user, a read-only root, its volumes, /tmp in memory. */
function start(image: Stage, command: readonly string[]): ChildProcess {
  const mounts = image.volumes
    .map((volume) => {
      const outside = join(work, "volumes", basename(volume));
      mkdirSync(outside, { recursive: true });
      run("chown", "1000:1000", outside);
      return `mount --bind ${outside} ${image.root}${volume}`;
    })
    .join(" && ");
  const script = join(work, "start.sh");
  const settings = Object.entries({
    ...image.environment,
    PORT: port,
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: "/home/node",
  })
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
  const quoted = command.map((word) => `'${word}'`).join(" ");
  writeFileSync(
    script,
    `set -e
mount --bind ${image.root} ${image.root}
mount -o remount,bind,ro ${image.root}
mount -t proc proc ${image.root}/proc
mount -t tmpfs tmpfs ${image.root}/tmp
${mounts}
exec chroot --userspec=${image.user}:${image.user} ${image.root} env -i ${settings} sh -c 'cd ${image.directory} && exec "$@"' - ${quoted}
`,
  );
  return spawn("unshare", ["--mount", "sh", script], { stdio: ["ignore", "inherit", "inherit"] });
}

function check(what: string, holds: boolean): void {
  process.stdout.write(`${holds ? "ok" : "FAILED"}: ${what}\n`);
  if (!holds) process.exitCode = 1;
}

async function exitCode(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

makeBase();
const image = build();
process.stdout.write("\n--- the image runs\n");
rmSync(join(work, "volumes"), { recursive: true, force: true });
const service = start(image, [...image.entrypoint, ...image.command]);
const url = `http://127.0.0.1:${port}`;
let isReady = false;
for (let tries = 0; tries < 120 && !isReady && service.exitCode === null; tries += 1) {
  await delay(500);
  isReady = await fetch(`${url}/health/readiness`).then(
    ({ ok }) => ok,
    () => false,
  );
}
check("it becomes ready", isReady);
const answer = await fetch(`${url}/chat/message`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ user_id: "ann", message: "12 * 12 = ?" }),
});
check("it answers a message", (await answer.text()).includes("144"));
const page = await fetch(url, { headers: { accept: "text/html" } });
check("it serves the chat page", page.status === 200 && (await page.text()).includes("<script"));
check("its HEALTHCHECK succeeds", (await exitCode(start(image, image.healthcheck))) === 0);
check("its root cannot be written", (await exitCode(start(image, ["touch", "/app/src/x"]))) !== 0);
check("its logs are where they should be", existsSync(join(work, "volumes/logs/chat-service.log")));
check(
  "it has no development dependencies",
  !existsSync(join(image.root, "app/node_modules/typescript")),
);
service.kill("SIGTERM");
check("it stops properly", (await exitCode(service)) === 0);
