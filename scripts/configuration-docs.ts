import { stringify } from "yaml";
import { knownSettings, type KnownSetting } from "../src/config/known-settings.ts";
import { allowedValues } from "../src/config/parse-value.ts";
import type { settings } from "../src/config/settings.ts";
import { yamlLines, yamlValue } from "../src/config/yaml-lines.ts";

const sectionMeanings: Readonly<Record<keyof typeof settings, string>> = {
  service: "The process: its name, its address, its directory.",
  server: "How HTTP is served and how the process ends.",
  database:
    "PostgreSQL. Without `url` an embedded one runs in this process, below `service.data_dir`.",
  redis:
    "What several nodes share. Without `url` there is one node and everything stays in its memory.",
  tls: "Whom this service trusts, and who it says it is, in connections that it opens: PostgreSQL, Redis, agents, speech, gateway, webhooks. Read at start",
  agno: "Agents, teams and workflows of AgentOS servers.",
  models: "Agents that talk to an OpenAI-compatible endpoint.",
  model_service: "Models of a Model Service, named `provider_id/model_id`.",
  builtin: "The agents that need no model.",
  voice: "Speech to text (`stt`) and text to speech (`tts`).",
  gateway: "Registration with a Gateway Service.",
  base_service: "Users and permissions of a Base Service.",
  auth: "How callers prove who they are.",
  audit: "What is kept of what administrators did.",
  security: "Tokens, hosts, origins and proxies.",
  logging: "Log lines go to the console, and to files where named.",
  monitoring: "Metrics, probes and traces.",
  limits: "Where the service says no.",
  sessions: "Conversations.",
  streams: "Event logs of streamed replies.",
  events: "Business events for another system.",
  protocols: "Programs that speak other protocols than this service's own.",
  development: "Help for those who build clients.",
};

/** `config.example.yaml`: every setting with its default, loadable as it is. */
export function exampleConfig(): string {
  const rows = knownSettings.map((known) => ({
    section: known.section,
    key: known.key,
    value: yamlValue(known.setting, known.setting.default),
    before: exampleComment(known),
  }));
  const introduction = wrap(
    "Every setting of Chat Service with its default. Copy what you change to config.yaml; the rest may stay out. Each setting has the name SECTION_KEY in the environment too, as in DATABASE_POOL_SIZE; the environment wins. Sizes are written 65536, 64KB, 10MB or 1GB; null means unset. docs/configuration.md says more.",
    98,
  );
  return [...introduction.map((line) => `# ${line}`), "", ...yamlLines(rows), ""].join("\n");
}

function exampleComment({ setting, environment }: KnownSetting): readonly string[] {
  const facts = [setting.description];
  const isPlain = setting.rule === undefined && ["text", "secret", "list"].includes(setting.kind);
  if (!isPlain && setting.kind !== "boolean" && setting.kind !== "json") {
    facts.push(`Must be ${allowedValues(setting)}`);
  }
  const aliases = environment.slice(1);
  if (aliases.length > 0) facts.push(`In the environment also ${aliases.join(" or ")}`);
  const lines = wrap(`${facts.join(". ")}.`, 96);
  if (setting.example === undefined) return lines;
  const example = stringify(setting.example, { lineWidth: 0 }).trimEnd().split("\n");
  return [...lines, "For example:", ...example.map((line) => `  ${line}`)];
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

/** `docs/configuration.md`: how to configure, and a table per section. */
export function configurationReference(): string {
  const sections = Object.entries(sectionMeanings).flatMap(([section, meaning]) => [
    `## ${section}`,
    "",
    meaning,
    "",
    ...table(
      ["Key", "Environment", "Value", "Default", "Meaning"],
      knownSettings.filter((known) => known.section === section).map(referenceRow),
    ),
    "",
    ...examplesOf(section),
  ]);
  return [introduction, ...sections].join("\n").trimEnd() + "\n";
}

function referenceRow({ path, setting, environment }: KnownSetting): readonly string[] {
  const unset = setting.default === null;
  return [
    code(path),
    environment.map(code).join(", "),
    setting.kind === "secret"
      ? `${allowedValues(setting)}; masked when shown`
      : allowedValues(setting),
    unset ? "unset" : code(yamlValue(setting, setting.default)),
    setting.description,
  ];
}

function examplesOf(section: string): readonly string[] {
  return knownSettings
    .filter((known) => known.section === section && known.setting.example !== undefined)
    .flatMap(({ key, setting }) => [
      `An example of \`${section}.${key}\`:`,
      "",
      "```yaml",
      stringify({ [section]: { [key]: setting.example } }, { lineWidth: 0 }).trimEnd(),
      "```",
      "",
    ]);
}

function code(text: string): string {
  return `\`${text}\``;
}

/** A Markdown table in the shape in which the formatter leaves it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const cells = [head, ...rows].map((row) =>
    row.map((cell) => cell.replaceAll("|", "\\|").replaceAll("*", "\\*")),
  );
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  const [first = [], ...others] = cells;
  return [line(first), rule, ...others.map(line)];
}

const introduction = `# Configuration

Chat Service runs without any configuration. What you want to change goes into a YAML file, into environment variables, or both:

1. Defaults, listed below and in [config.example.yaml](../config.example.yaml).
2. The file named by \`--config\`, else by \`CHAT_CONFIG\`, else \`config.yaml\` in the working directory if it exists.
3. The environment, which wins over the file.

\`\`\`yaml
# config.yaml
service:
  port: 9000
database:
  url: postgresql://chat:password@db.example.com:5432/chat
voice:
  stt:
    provider: openai
    api_url: http://127.0.0.1:8000/v1
\`\`\`

The same in the environment:

\`\`\`sh
PORT=9000 DATABASE_URL=postgresql://chat:password@db.example.com:5432/chat \\
  VOICE_STT_PROVIDER=openai VOICE_STT_API_URL=http://127.0.0.1:8000/v1 npm start
\`\`\`

\`chat-service config\` prints what is in effect and where each value came from. Secrets are masked, also passwords inside URLs.

## How values are written

- **Names.** In the environment a setting is called by section and key, joined by \`_\`, in capitals: \`database.pool_size\` is \`DATABASE_POOL_SIZE\`, \`voice.stt.provider\` is \`VOICE_STT_PROVIDER\`. Some have further names; the first one of a row that is set counts.
- **From files.** Any of these names with \`_FILE\` behind it holds the path of a file with the value: \`DATABASE_URL_FILE=/run/secrets/database-url\`. Variables such as \`\${KEY}\` are not replaced in the YAML file, and refused.
- **Secrets** lose blanks and line feeds at their ends.
- **Unset.** An empty variable counts as unset, as does \`null\` or nothing in the file. Only in the file \`""\` makes a text such as \`redis.key_prefix\` empty.
- **Text** stands in quotes in the file if it begins with a special character or contains \`: \` or \` #\`. Passwords in URLs are percent-encoded: \`p@ss\` is \`p%40ss\`.
- **Lists** are YAML lists in the file. In the environment they are comma-separated (\`a,b\`) or JSON (\`["a","b"]\`, needed where an item contains a comma).
- **Structures** such as \`models.agents\` are YAML in the file and JSON in the environment.
- **Sizes** are bytes, or a number with KB, MB, GB or TB (powers of 1024).
- **Switches** are \`true\` or \`false\`; \`yes\`, \`no\`, \`on\`, \`off\`, \`1\` and \`0\` do as well. Choices may be written in capitals or not.

## When something is wrong

The service checks everything before it listens. It then names all faults at once, with file and line or variable, what is allowed, and the nearest known name for an unknown one, and ends with exit code 2.

- Unknown sections and keys in the file are faults.
- An unknown environment variable is a fault only if it is very probably a misspelt one of ours, because the environment holds those of other programs too: it begins with the name of a section, and differs from a known name in one letter (two, if the key has eight letters or more) or only in the unit at its end. \`DATABASE_POOLSIZE\` and \`DATABASE_STATEMENT_TIMEOUT\` are refused; \`REDIS_HOST\` and \`DATABASE_NAME\` are not. If such a variable belongs to another program, set the right name as well, empty if need be: \`REDIS_URI=… REDIS_URL=\`.
- What Kubernetes and Docker set for neighbours that are named like a section (\`REDIS_SERVICE_HOST\`, \`REDIS_PORT_6379_TCP_ADDR\`, \`SERVICE_PORT=tcp://10.0.0.1:80\`) is ignored.
- Some settings need others: \`auth.mode: jwt\` needs \`security.secret_key\` or \`security.jwks_url\`, \`auth.mode: base-service\` needs \`base_service.url\`, \`redis.sentinel_name\` needs \`redis.url\`, a voice provider \`openai\` or \`command\` needs its \`api_url\` or \`command\`. \`auth.mode: open\` is refused while \`service.environment\` is \`production\`, unless \`auth.allow_open_in_production\` is true.
- The server of \`agno.api_url\` joins those of \`agno.servers\` under the name \`agno\`. Names and addresses there are unique, and so are the ids in \`models.agents\`; their \`handoffs\` name agents that exist.
`;
