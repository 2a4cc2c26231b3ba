import { NothingOpen, type Conversation } from "./conversation.ts";
import { painter, printable, type Terminal } from "./terminal.ts";

const help = `/new [agent]     begin a new conversation
/sessions        your conversations
/open NUMBER|ID  go on with one of them
/history [n]     the last messages of this one (20)
/agents          whom you can talk to
/agent ID        talk to another agent in this conversation
/title TEXT      name this conversation
/delete          delete this conversation
/quit            leave (Ctrl-D too)
Ctrl-C           stop the reply that is being written`;

/** Carries out a line that begins with a slash. Raises what the service says. */
export async function runSlashCommand(
  line: string,
  conversation: Conversation,
  { output, errors, isColoured }: Terminal,
): Promise<"quit" | "go on"> {
  const paint = painter(isColoured);
  const [command = "", ...words] = line.slice(1).split(/\s+/);
  const rest = words.join(" ");
  const say = (text: string) => output.write(`${text}\n`);
  try {
    switch (command) {
      case "help":
        say(help);
        break;
      case "quit":
      case "exit":
        return "quit";
      case "new":
        conversation.startAnew(rest === "" ? null : rest);
        say(paint("dim", "A new conversation begins with your next message."));
        break;
      case "sessions": {
        const sessions = await conversation.sessions();
        if (sessions.length === 0) say("You have no conversations yet.");
        for (const [index, session] of sessions.entries()) {
          const mark = session.session_id === conversation.sessionId() ? "*" : " ";
          const title = printable(session.title ?? "untitled");
          const when = session.last_activity.slice(0, 16).replace("T", " ");
          const about = `${when}  ${session.agent_id}, ${session.message_count} messages`;
          say(`${mark}${String(index + 1).padStart(2)}  ${title}  ${paint("dim", about)}`);
        }
        break;
      }
      case "open":
        if (rest === "") say("Which one? /open NUMBER or ID; /sessions lists them.");
        else await conversation.open(rest);
        break;
      case "history": {
        const count = Number(rest || 20);
        if (Number.isInteger(count) && count >= 1 && count <= 200)
          await conversation.history(count);
        else say("How many? 1 to 200.");
        break;
      }
      case "agents":
        for (const agent of await conversation.agents()) {
          const away = agent.status === "available" ? "" : paint("yellow", " (away)");
          say(`${paint("cyan", agent.agent_id)}${away}  ${printable(agent.description)}`);
        }
        break;
      case "agent": {
        const known = await conversation.agents();
        if (known.some((agent) => agent.agent_id === rest)) conversation.switchAgent(rest);
        else say(`There is no agent ${printable(rest)}. /agents lists them.`);
        break;
      }
      case "title":
        await conversation.rename(rest);
        break;
      case "delete":
        await conversation.remove();
        say(paint("dim", "Deleted."));
        break;
      default:
        say(`There is no /${printable(command)}. /help lists what there is.`);
    }
  } catch (error) {
    if (!(error instanceof NothingOpen)) throw error;
    errors.write(`${error.message}\n`);
  }
  return "go on";
}
