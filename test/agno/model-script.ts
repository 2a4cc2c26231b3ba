import { lastUserText } from "../support/openai-server.ts";
import type { RecordedRequest, Turn } from "../support/scripted-turn.ts";

/** Counts calls, so that each has an id of its own. */
let calls = 0;

function call(name: string, args: Readonly<Record<string, unknown>>): Turn {
  calls += 1;
  return { toolCalls: [{ id: `call_${calls}`, name, arguments: args }] };
}

export function words(text: string): readonly string[] {
  return text.match(/\s*\S+/g) ?? [];
}

interface ModelMessage {
  readonly role: string;
  readonly content?: unknown;
}

export function messagesOf(request: RecordedRequest): readonly ModelMessage[] {
  return (request.body["messages"] ?? []) as readonly ModelMessage[];
}

function toolsOf(request: RecordedRequest): readonly string[] {
  const tools = (request.body["tools"] ?? []) as readonly { function: { name: string } }[];
  return tools.map((tool) => tool.function.name);
}

/** What the model of the test's AgentOS says: told by the tools it is given and the words it hears. */
export function scriptedModel(request: RecordedRequest): Turn {
  const messages = messagesOf(request);
  const text = lastUserText(request);
  const tools = toolsOf(request);
  const lastUser = messages.findLastIndex((message) => message.role === "user");
  const results = messages.slice(lastUser + 1).filter((message) => message.role === "tool");
  const result = String(results.at(-1)?.content ?? "");

  const isAskedForMore = messages.some(
    ({ role, content }) => role === "system" && String(content).includes("follow-up suggestions"),
  );
  if (isAskedForMore) return { tokens: [JSON.stringify({ suggestions: ["Why?", "And dogs?"] })] };
  if (tools.includes("add_memory")) {
    return text.includes("cats") && results.length === 0
      ? call("add_memory", { memory: "Likes cats" })
      : { tokens: ["Noted."] };
  }
  if (tools.includes("create_task")) return planner(results.length, result);
  if (text.includes("explode")) {
    return {
      tokens: ["The first ", "half "],
      fault: { kind: "error_frame", error: { message: "secret-of-the-model exploded" } },
    };
  }
  if (text.includes("hang")) return { tokens: ["Wait "], fault: { kind: "hang" } };
  if (tools.includes("delegate_task_to_member")) return leader(text, results.length, result);
  // Pictures of a tool come back as a message of the user.
  const drawn = messages.findLastIndex((message) => message.role === "tool");
  if (tools.includes("draw")) {
    return drawn < 0
      ? call("draw", { subject: /(blue )?whale/.exec(text)?.[0] ?? "cat" })
      : { tokens: words("Here is a cat.") };
  }
  if (results.length > 0) return { tokens: words(`The tool says: ${result}`) };
  if (tools.includes("get_weather") && text.includes("weather")) {
    return { tokens: ["Let me look. "], ...call("get_weather", { city: "Lyon" }) };
  }
  if (tools.includes("break_down") && text.includes("break")) return call("break_down", {});
  if (tools.includes("wait_long") && text.includes("wait"))
    return call("wait_long", { seconds: text.includes("a moment") ? 3 : 60 });
  if (tools.includes("delete_file")) {
    return { tokens: ["I shall delete it. "], ...call("delete_file", { path: "/data/old.txt" }) };
  }
  if (tools.includes("search_knowledge_base"))
    return call("search_knowledge_base", { query: "cats and dogs" });
  if (tools.includes("report")) return call("report", { subject: "cats" });
  if (tools.includes("send_email")) return call("send_email", { subject: "Hello" });
  if (tools.includes("run_command")) return call("run_command", { command: "ls" });
  if (request.body["response_format"]) {
    return { tokens: [JSON.stringify({ name: "Lyon", inhabitants: 522_250 })] };
  }
  if (text.includes("think")) {
    return { reasoning: ["First ", "this, ", "then that."], tokens: words("Thought through.") };
  }
  if (text.includes("slowly")) {
    return { tokens: Array.from({ length: 60 }, (_, index) => `w${index} `), delayMs: 40 };
  }
  if (text.includes("long")) {
    return { tokens: Array.from({ length: 3_000 }, (_, index) => `token${index} `) };
  }
  if (text.includes("你好")) return { tokens: ["你", "好，", "世界", "！", "👋🏽", "\n再见"] };
  return { tokens: words(`You said: ${text}`) };
}

/** Of a team that works in tasks: makes one, has it done, and is done. */
function planner(steps: number, result: string): Turn {
  if (steps === 0) return call("create_task", { title: "Look", assignee: "scout" });
  if (steps === 1) {
    const id = /\[([^\]]+)\]/.exec(result)?.[1] ?? "";
    return call("execute_task", { task_id: id, member_id: "scout" });
  }
  if (steps === 2) return call("mark_all_complete", { summary: "Looked." });
  return { tokens: words("All is done.") };
}

function leader(text: string, delegated: number, result: string): Turn {
  if (text.includes("clean")) {
    return delegated === 0
      ? call("delegate_task_to_member", { member_id: "janitor", task: "clean up" })
      : { tokens: words(`All done. ${result}`) };
  }
  if (text.includes("read")) {
    return delegated === 0
      ? call("delegate_task_to_member", { member_id: "librarian", task: "look it up" })
      : { tokens: words("It is read.") };
  }
  if (delegated === 0) {
    return call("delegate_task_to_member", { member_id: "scout", task: "find out" });
  }
  if (delegated === 1) {
    return call("delegate_task_to_member", { member_id: "writer", task: "write it up" });
  }
  return { tokens: words("The crew is done.") };
}
