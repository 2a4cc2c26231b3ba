import { createInterface } from "node:readline";
import { trustCertificates } from "../composition/trust-certificates.ts";
import { readClientEnvironment } from "../config/client-environment.ts";
import { describeFaults } from "../config/describe-faults.ts";
import { loadFromProcess } from "../config/load-from-process.ts";
import { localUrl } from "../gateway/advertised-address.ts";
import { connectTo } from "./service-client.ts";
import { createConversation } from "./conversation.ts";
import { explainFault } from "./explain-fault.ts";
import { runSlashCommand } from "./slash-commands.ts";
import { painter, processTerminal, type Terminal } from "./terminal.ts";
import { readSecretFile } from "./secret-file.ts";
import { parseCommand, UsageFault } from "./usage.ts";

export const chatHelp = `chat-service chat [options] [message …]

Talks to a running service. With a message: sends it, prints the reply and leaves.

  --url URL            where the service is (CHAT_URL; else where this configuration has it on this machine)
  --config FILE        the configuration of the service, as for serve
  --user NAME          who is talking, where auth.mode is open (CHAT_USER; your login name)
  --agent ID           whom to talk to; default: the service's default agent
  --session ID         go on with this conversation
  --token-file FILE    a token for Authorization: Bearer (CHAT_TOKEN)
  --api-key-file FILE  a key for X-API-Key (CHAT_API_KEY)
  --no-color           plain text (NO_COLOR)
  --help`;

const options = {
  url: { type: "string" },
  config: { type: "string" },
  user: { type: "string" },
  agent: { type: "string" },
  session: { type: "string" },
  "token-file": { type: "string" },
  "api-key-file": { type: "string" },
  "no-color": { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** The terminal chat. Returns the exit code: 0, 1 for a fault, 2 for wrong arguments. */
export async function runChat(
  args: readonly string[],
  terminalForTests?: Terminal,
): Promise<number> {
  const environment = readClientEnvironment();
  let terminal = terminalForTests ?? processTerminal(environment.noColour);
  try {
    const { values, positionals } = parseCommand(args, options, chatHelp);
    if (values["no-color"] === true) terminal = { ...terminal, isColoured: false };
    if (values.help === true) {
      terminal.output.write(`${chatHelp}\n`);
      return 0;
    }
    const userId = values.user ?? environment.userName ?? "me";
    const client = connectTo({
      url: values.url ?? environment.url ?? configuredUrl(args),
      token: readSecretFile(values["token-file"]) ?? environment.token,
      apiKey: readSecretFile(values["api-key-file"]) ?? environment.apiKey,
      userId,
    });
    const conversation = createConversation({
      client,
      terminal,
      userId,
      agentId: values.agent ?? null,
    });
    if (values.session !== undefined) await conversation.open(values.session);
    if (positionals.length > 0) return await conversation.say(positionals.join(" "), null);
    return await converse(conversation, terminal);
  } catch (error) {
    return explainFault(error, terminal);
  }
}

/** Where `serve` and `doctor` with the same configuration would be. */
function configuredUrl(args: readonly string[]): string {
  const loaded = loadFromProcess(args);
  if (!loaded.ok) throw new UsageFault(describeFaults(loaded.faults).trimEnd());
  const { config } = loaded;
  trustCertificates(config);
  return localUrl(config.service.host, config.service.port);
}

/** Reads lines until the end of input or /quit. */
async function converse(
  conversation: ReturnType<typeof createConversation>,
  terminal: Terminal,
): Promise<number> {
  const paint = painter(terminal.isColoured);
  const lines = createInterface({
    input: terminal.input,
    ...(terminal.isInteractive && { output: terminal.output, prompt: paint("bold", "you › ") }),
    terminal: terminal.isInteractive,
    historySize: 500,
  });
  if (terminal.isInteractive) await conversation.greet();
  // Ctrl-C stops the reply that is being made; at the prompt it ends the chat.
  let replying: AbortController | null = null;
  lines.on("SIGINT", () => {
    if (replying === null) lines.close();
    else replying.abort();
  });
  let worst = 0;
  if (terminal.isInteractive) lines.prompt();
  const reader = lines[Symbol.asyncIterator]();
  /** The next line, for questions in the middle of a reply; null at the end of input. */
  const ask = async (question: string): Promise<string | null> => {
    terminal.output.write(question);
    const { done, value } = await reader.next();
    return done === true ? null : value;
  };
  for (let next = await reader.next(); next.done !== true; next = await reader.next()) {
    const line = next.value.trim();
    try {
      if (line.startsWith("/")) {
        if ((await runSlashCommand(line, conversation, terminal)) === "quit") break;
      } else if (line !== "") {
        replying = new AbortController();
        worst = Math.max(worst, await conversation.say(line, { ask, stop: replying.signal }));
      }
    } catch (error) {
      worst = Math.max(worst, explainFault(error, terminal));
    } finally {
      replying = null;
    }
    if (terminal.isInteractive) lines.prompt();
  }
  lines.close();
  if (terminal.isInteractive) terminal.output.write("\n");
  // People have seen each fault; scripts need the code.
  return terminal.isInteractive ? 0 : worst;
}
