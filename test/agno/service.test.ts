import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, test } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { textOf, type SeenEvent } from "../support/reply-stream.ts";
import { createDataDir, startService, type TestService } from "../support/start-service.ts";
import { forEachSetup } from "./for-each-agno.ts";
import { messagesOf, scriptedModel } from "./model-script.ts";
import { startAgentOs, type AgentOsProcess } from "./start-agent-os.ts";
import { connectSocket } from "../support/web-socket-client.ts";

const slowText = Array.from({ length: 60 }, (_, index) => `w${index} `).join("");

interface Message {
  readonly status: string;
  readonly content: string;
}

/** The whole way: a client, this service as a process of its own, AgentOS, a model. */
forEachSetup((version, python, { name, securityKey, database }) => {
  describe(`the service before AgentOS ${version} (${name})`, () => {
    let model: OpenAiServer;
    let agentOs: AgentOsProcess;
    let dataDir: string;
    let service: TestService;
    let client: Client;

    async function start(): Promise<void> {
      service = await startService({
        dataDir,
        env: {
          AGNO_API_URL: agentOs.url,
          ...(securityKey !== undefined && { AGNO_API_KEY: securityKey }),
          STREAMS_LEASE_SECONDS: "2",
          STREAMS_REAP_SECONDS: "0.5",
        },
      });
      client = createClient(service.url);
    }

    beforeAll(async () => {
      model = await startOpenAiServer({ respond: scriptedModel });
      [agentOs, dataDir] = await Promise.all([
        database().then((address) =>
          startAgentOs({ python, modelUrl: model.url, database: address, securityKey }),
        ),
        createDataDir(),
      ]);
      await start();
    }, 120_000);
    afterAll(async () => {
      await service?.stop();
      await agentOs?.close();
      await model?.close();
      await rm(dataDir, { recursive: true, force: true });
    });

    async function ask(agentId: string, message: string) {
      const sessionId = await client.session("ann", { agent_id: agentId });
      const stream = await client.stream({ session_id: sessionId, message });
      return { sessionId, stream, messageId: stream.headers.get("x-message-id") ?? "" };
    }

    /** The first reply of a session. */
    const first = async (sessionId: string): Promise<string | undefined> => {
      const { body } = await client.get<{ messages: { message_id: string }[] }>(
        `/chat/history/${sessionId}?path=all&role=assistant`,
      );
      return body.messages[0]?.message_id;
    };

    const ended = (event: SeenEvent) =>
      ["conversation_complete", "error", "cancelled"].includes(event.type);

    test("lists what AgentOS has", async () => {
      const { body } = await client.get<{ agents: { agent_id: string; type: string }[] }>(
        "/chat/agents",
      );
      const types = new Map(body.agents.map((agent) => [agent.agent_id, agent.type]));
      assert.equal(types.get("assistant"), "agent");
      assert.equal(types.get("crew"), "team");
      assert.equal(types.get("article"), "workflow");
    });

    test("a conversation in Chinese", async () => {
      const { stream } = await ask("assistant", "你好");
      const events = await stream.all();
      assert.equal(textOf(events), "你好，世界！👋🏽\n再见");
      assert.equal(events.at(-1)?.type, "conversation_complete");
      assert.deepEqual(events.at(-1)?.["usage"], { input_tokens: 10, output_tokens: 6 });
    });

    test("a branch: the model is told the path of it and nothing else", async () => {
      const sessionId = await client.session("ann", { agent_id: "assistant" });
      interface Answer {
        readonly message_id: string;
        readonly user_message_id: string;
        readonly response: string;
      }
      const json = { accept: "application/json" };
      const at = async (path: string, body: object): Promise<Answer> =>
        (await client.send<Answer>("POST", `/chat/message${path}`, body, json)).body;
      const send = (message: string, more: object = {}) =>
        at("", { session_id: sessionId, message, ...more });
      /** Everything that the model was sent last, as one text. */
      const told = () => JSON.stringify(model.requests.at(-1)?.body["messages"]);
      const knows = (...words: string[]) => words.map((word) => told().includes(word));

      await send("I am Ada");
      const wrong = await send("my cat is Tom");
      await send("my dog is Rex");
      // Edited away: of Tom, and of all that came after it, nothing is left.
      await at(`/${wrong.user_message_id}/edit`, { message: "my cat is Mia" });
      assert.deepEqual(knows("Ada", "Mia", "Tom", "Rex"), [true, true, false, false]);
      const branch = await send("and now?");
      assert.deepEqual(knows("Ada", "Mia", "Tom", "Rex"), [true, true, false, false]);
      // Asked again: the earlier answer to the same question is not there.
      const asked = model.requests.length;
      await at(`/${branch.message_id}/regenerate`, {});
      assert.equal(told().split("and now?").length - 1, 1);
      assert.ok(model.requests.length > asked);
      // Back on the first path: all of that, nothing of the others.
      await client.send("PATCH", `/sessions/${sessionId}`, { head_message_id: wrong.message_id });
      await send("where was I?");
      assert.deepEqual(knows("Ada", "Tom", "Rex", "Mia"), [true, true, true, false]);
      // Deleted: the rest of the line is told anew.
      await client.send("DELETE", `/chat/message/${wrong.user_message_id}`);
      await send("start over", { parent_message_id: (await first(sessionId)) ?? null });
      assert.deepEqual(knows("Ada", "Tom", "Rex", "Mia"), [true, false, false, false]);
      // Cancelled: a branch that AgentOS has nothing whole of is told the path once more.
      const stream = await client.stream({
        session_id: sessionId,
        message: "slowly",
        parent_message_id: await first(sessionId),
      });
      await stream.next((event) => event.type === "assistant_chunk");
      await client.send("POST", `/chat/message/${stream.headers.get("x-message-id")}/cancel`);
      await send("go on");
      assert.deepEqual(knows("Ada", "start over", "Tom"), [true, false, false]);
    });

    test("the agent knows what the user sees: the conversation in order, each message once", async () => {
      const sessionId = await client.session("ann", { agent_id: "assistant" });
      const seen = async (): Promise<string[]> => {
        const { body } = await client.get<{ messages: Message[] }>(
          `/chat/history/${sessionId}?limit=100`,
        );
        return body.messages.flatMap(({ content, status }) =>
          status === "failed" || content === "" ? [] : [content],
        );
      };
      /** What the model was sent last, whether as messages of their own or as lines of one. */
      const heard = (): string[] => {
        const sent = (model.requests.at(-1)?.body["messages"] ?? []) as Record<string, unknown>[];
        return sent.flatMap(({ role, content }) => {
          if (role === "system" || role === "developer") return [];
          const [before = "", after] = String(content).split("</conversation_so_far>");
          if (after === undefined) return [String(content)];
          const lines = before.split("\n").filter((line) => line.startsWith("{"));
          const told = lines.map((line) => (JSON.parse(line) as Message).content);
          return [...told, after.split("to be answered:\n")[1] ?? ""];
        });
      };
      const say = async (message: string, more: object = {}, expected = true) => {
        const before = await seen();
        await client.send(
          "POST",
          "/chat/message",
          { session_id: sessionId, message, ...more },
          { accept: "application/json" },
        );
        if (expected) assert.deepEqual(heard(), [...before, message], message);
      };
      await say("I am Ada");
      const stream = await client.stream({ session_id: sessionId, message: "slowly" });
      await stream.next((event) => event.type === "assistant_chunk");
      await client.send("POST", `/chat/message/${stream.headers.get("x-message-id")}/cancel`);
      await say("shorter");
      await say("explode", {}, false);
      await say("again");
      // Answered by somebody whose memory is not here.
      await say("What is 2 + 2?", { agent_id: "calculator" }, false);
      await say("so?");
      // Of the same place, but without a memory of its own.
      await say("and you?", { agent_id: "forgetful" });
      // More than the five runs that it remembers, from here on.
      for (const word of ["a", "b", "c", "d"]) await say(word);
      await service.kill();
      await start();
      await say("still there?");
      // A team's runs are of another kind.
      await say("Write about cats", { agent_id: "crew" }, false);
      await say("thanks");
    }, 120_000);

    test("a team, its members beside the text", async () => {
      const { stream } = await ask("crew", "Write about cats");
      const events = await stream.all();
      assert.equal(textOf(events), "The crew is done.");
      const told = events.filter((event) => event.type === "agent_event");
      assert.deepEqual(
        told.map((event) => [event["event"], event["agent_id"]]),
        [
          ["member_started", "scout"],
          ["member_completed", "scout"],
          ["member_started", "writer"],
          ["member_completed", "writer"],
        ],
      );
    });

    test("a workflow", async () => {
      const { stream } = await ask("article", "cats");
      assert.equal(textOf(await stream.all()), "You said: You said: cats");
    });

    test.each(["librarian", "readers", "reading"])(
      "what an answer rests on: %s",
      async (agentId) => {
        const { stream, messageId } = await ask(agentId, "Please read about cats");
        const sources = [
          { title: "cats.md", url: "https://docs.invalid/cats", excerpt: "Cats sleep a lot." },
          { title: "dogs.md", excerpt: "Dogs do not." },
        ];
        const told = (await stream.all()).filter((event) => event.type === "sources");
        assert.deepEqual(
          told.map((event) => [event["sources"], event["agent_id"]]),
          [[sources, "librarian"]],
        );
        const { body } = await client.get<{ sources: unknown }>(`/chat/message/${messageId}`);
        assert.deepEqual(body.sources, sources);
      },
    );

    test.each([
      ["whale", 600_008],
      ["blue whale", 9_000_008],
    ])("a big picture (%s, %i bytes) is kept here, and told by its path", async (what, size) => {
      const { stream, messageId } = await ask("artist", `Please draw a ${what}`);
      const media = (await stream.all()).filter((event) => event.type === "media");
      assert.equal(media.length, 1);
      const { body } = await client.get<{ media: { url: string; size: number }[] }>(
        `/chat/message/${messageId}`,
      );
      const [kept] = body.media;
      assert.equal(kept?.size, size);
      assert.equal(media[0]?.["url"], kept.url);
      const answer = await fetch(`${service.url}${kept.url}?user_id=ann`);
      assert.equal(answer.headers.get("content-type"), "image/png");
      assert.equal((await answer.arrayBuffer()).byteLength, size);
      assert.equal((await fetch(`${service.url}${kept.url}?user_id=bob`)).status, 404);
    });

    test("what the user might say next", async () => {
      const { stream, messageId } = await ask("curious", "cats");
      const suggestions = ["Why?", "And dogs?"];
      const told = (await stream.all()).filter((event) => event.type === "suggestions");
      assert.deepEqual(
        told.map((event) => event["suggestions"]),
        [suggestions],
      );
      const { body } = await client.get<{ suggestions: unknown }>(`/chat/message/${messageId}`);
      assert.deepEqual(body.suggestions, suggestions);
    });

    test("events of the author are told and kept", async () => {
      const { stream, messageId } = await ask("reporter", "Please report");
      const told = (await stream.all()).filter((event) => event.type === "agent_custom");
      const expected = [
        {
          name: "CustomEvent",
          data: { title: "On cats", rows: [1, { two: 2 }] },
          agent_id: "reporter",
        },
        { name: "card", data: { name: "card", title: "Done" }, agent_id: "reporter" },
      ];
      assert.deepEqual(
        told.map(({ name, data, agent_id }) => ({ name, data, agent_id })),
        expected,
      );
      const { body } = await client.get<{ custom_events: unknown }>(`/chat/message/${messageId}`);
      assert.deepEqual(body.custom_events, expected);
    });

    test("the tasks of a team, as they are made and done", async () => {
      const { stream, messageId } = await ask("planners", "Please plan");
      const told = (await stream.all()).flatMap((event) =>
        event.type === "tasks" ? (event["tasks"] as { status: string }[]) : [],
      );
      const { body } = await client.get<{ tasks: Record<string, unknown>[] }>(
        `/chat/message/${messageId}`,
      );
      assert.deepEqual(
        body.tasks.map(({ id, ...task }) => [typeof id, task]),
        [["string", { title: "Look", status: "completed", assignee: "scout" }]],
      );
      assert.deepEqual(
        told.map(({ status }) => status),
        ["pending", "in_progress", "completed"],
      );
    });

    test("how a workflow goes on", async () => {
      const { stream } = await ask("choosing", "go");
      const told = (await stream.all()).filter(
        (event) => event.type === "agent_event" && !/^step_(st|co)/.test(String(event["event"])),
      );
      assert.deepEqual(
        told.map(({ event, name, detail, branches, iteration, max_iterations }) =>
          [event, name, detail, branches, iteration, max_iterations].filter(
            (each) => each !== undefined,
          ),
        ),
        [
          ...(version.startsWith("2.") ? [] : [["step_progress", "count", "half of it"]]),
          ["branch_taken", "which", ["left"]],
          ["branch_taken", "sure", ["if"]],
          ["branch_taken", "unsure", ["else"]],
          ["iteration_started", "again", 1, 2],
          ["iteration_started", "again", 2, 2],
        ],
      );
    });

    test("what is noted about the user", async () => {
      const noted = async (sessionId: string, message: string) => {
        const stream = await client.stream({ session_id: sessionId, message });
        return (await stream.all()).flatMap((event) =>
          event["event"] === "memory_updated" ? [event["detail"]] : [],
        );
      };
      const sessionId = await client.session("kim", { agent_id: "mindful" });
      assert.deepEqual(await noted(sessionId, "I like cats"), ["Likes cats"]);
    });

    test("an error in mid-run", async () => {
      const { stream } = await ask("assistant", "explode");
      const last = (await stream.all()).at(-1);
      assert.equal(last?.type, "error");
      assert.equal(last["error_type"], "agent_failed");
      assert.equal(last["full_response"], "The first half ");
      assert.doesNotMatch(JSON.stringify(stream.events), /secret-of-the-model/);
    });

    test("a paused reply survives a restart, and goes on when a person has decided", async () => {
      const { stream, sessionId, messageId } = await ask("janitor", "clean");
      const paused = await stream.next((event) => event.type === "paused");
      const [requirement] = paused["requirements"] as { id: string; tool: string }[];
      assert.equal(requirement?.tool, "delete_file");
      await service.kill();
      await start();
      const session = await client.get<{ active_message_id: string }>(`/sessions/${sessionId}`);
      assert.equal(session.body.active_message_id, messageId);
      const message = await client.get<Message>(`/chat/message/${messageId}`);
      assert.equal(message.body.status, "paused");
      const answer = await client.send("POST", `/chat/message/${messageId}/continue`, {
        decisions: [{ id: requirement.id, approved: true }],
      });
      assert.equal(answer.status, 200);
      const after = await (await client.follow(messageId)).all();
      assert.equal(after.at(-1)?.type, "conversation_complete");
      assert.equal(
        after.at(-1)?.["full_response"],
        "I shall delete it. The tool says: Deleted /data/old.txt",
      );
    });

    test("a message that comes while a decision is open says what it waits for", async () => {
      const { stream, sessionId, messageId } = await ask("janitor", "clean");
      const paused = await stream.next((event) => event.type === "paused");
      const requirements = paused["requirements"] as { id: string }[];
      const next = await client.stream({
        session_id: sessionId,
        agent_id: "forgetful",
        message: "and then?",
      });
      const queued = await next.next((event) => event.type === "queued");
      assert.deepEqual(
        [queued["reason"], queued["waits_for"], queued["requirements"]],
        ["decision", messageId, requirements],
      );
      const decision = { id: requirements[0]?.id, approved: true };
      const edited = await client.send<{ error: { type: string } }>(
        "POST",
        `/chat/message/${messageId}/continue`,
        { decisions: [{ ...decision, arguments: { path: "/other" } }] },
      );
      assert.deepEqual([edited.status, edited.body.error.type], [422, "validation_failed"]);
      const taken = await client.send("POST", `/chat/message/${messageId}/continue`, {
        decisions: [decision],
      });
      assert.equal(taken.status, 200);
      assert.equal((await next.next(ended)).type, "conversation_complete");
    });

    test("a decision in words: approved, refused with a reason, a value; anything else waits", async () => {
      const say = (sessionId: string, message: string) =>
        client.send<{
          message_id: string;
          response: string;
          status: string;
          reason: string;
          user_message_id: string;
        }>("POST", "/chat/message", { session_id: sessionId, message });
      const approved = await ask("janitor", "clean");
      await approved.stream.next((event) => event.type === "paused");
      const yes = await say(approved.sessionId, "Yes, please.");
      assert.deepEqual([yes.status, yes.body.message_id], [200, approved.messageId]);
      assert.equal(yes.body.response, "I shall delete it. The tool says: Deleted /data/old.txt");
      const { body: own } = await client.get<{ answers: object }>(
        `/chat/message/${yes.body.user_message_id}`,
      );
      assert.ok(JSON.stringify(own.answers).includes(approved.messageId));

      const refused = await ask("janitor", "clean");
      await refused.stream.next((event) => event.type === "paused");
      const waits = await say(refused.sessionId, "yes, but keep a copy");
      assert.deepEqual(
        [waits.status, waits.body.status, waits.body.reason],
        [202, "queued", "decision"],
      );
      await client.send("DELETE", `/chat/message/${waits.body.message_id}`);
      const before = model.requests.length;
      const no = await say(refused.sessionId, "不，用另一个账户");
      assert.deepEqual([no.status, no.body.message_id], [200, refused.messageId]);
      assert.doesNotMatch(no.body.response, /Deleted/);
      assert.match(JSON.stringify(model.requests.slice(before)), /用另一个账户/);
      // The agent has been told it once, as the decision.
      await say(refused.sessionId, "and now?");
      const told = JSON.stringify(model.requests.at(-1)?.body["messages"]);
      assert.equal(told.split("不，用另一个账户").length, 1);

      const asked = await ask("secretary", "mail");
      const { requirements } = await asked.stream.next((event) => event.type === "paused");
      assert.match(JSON.stringify(requirements), /to_address/);
      const value = await say(asked.sessionId, "to_address: bob@example.com");
      assert.deepEqual([value.status, value.body.message_id], [200, asked.messageId]);
      assert.match(value.body.response, /bob@example\.com/);
    }, 60_000);

    test("a decision in words outlives a kill before AgentOS has heard of it", async () => {
      const { stream, sessionId, messageId } = await ask("janitor", "clean");
      await stream.next((event) => event.type === "paused");
      agentOs.freeze();
      const taken = await client.send<{ message_id: string; status: string }>(
        "POST",
        "/chat/message",
        { session_id: sessionId, message: "yes" },
        { prefer: "respond-async" },
      );
      assert.deepEqual([taken.status, taken.body.message_id], [202, messageId]);
      await service.kill();
      agentOs.thaw();
      await start();
      const end = await (await client.follow(messageId)).next(ended);
      assert.equal(end.type, "conversation_complete");
      assert.equal(end["full_response"], "I shall delete it. The tool says: Deleted /data/old.txt");
    }, 60_000);

    test("a paused reply goes on over the WebSocket as over HTTP", async () => {
      const { stream, sessionId, messageId } = await ask("janitor", "clean");
      const paused = await stream.next((event) => event.type === "paused");
      const [requirement] = paused["requirements"] as { id: string }[];
      const chat = connectSocket(`${service.url}/chat/ws?session_id=${sessionId}`);
      await chat.next(({ type }) => type === "connection_established");
      chat.send({ type: "continue", message_id: messageId, decisions: [] });
      assert.equal(
        (await chat.next(({ type }) => type === "error"))["error_type"],
        "validation_failed",
      );
      const wrong = [{ id: "another", approved: true }];
      const from = chat.messages.length;
      chat.send({ type: "continue", message_id: messageId, decisions: wrong });
      const refused = await chat.next(({ type }) => type === "error", from);
      assert.match(JSON.stringify(refused["details"]), /another is not an open requirement/);
      const message = await client.get<Message>(`/chat/message/${messageId}`);
      assert.equal(message.body.status, "paused");
      const decisions = [{ id: requirement!.id, approved: true }];
      chat.send({ type: "continue", message_id: messageId, decisions });
      const end = await chat.next(({ type }) => type === "conversation_complete");
      assert.match(String(end["full_response"]), /Deleted/);
      const told = chat.messages.length;
      chat.send({ type: "continue", message_id: messageId, decisions });
      const late = await chat.next(({ type }) => type === "error", told);
      assert.equal(late["error_type"], "message_not_running");
      chat.socket.close();
    });

    test("a reply that went on after a pause has the tools and usage of both parts", async () => {
      const { stream, messageId } = await ask("cleaners", "clean");
      const paused = await stream.next((event) => event.type === "paused");
      const [requirement] = paused["requirements"] as { id: string }[];
      const answer = await client.send("POST", `/chat/message/${messageId}/continue`, {
        decisions: [{ id: requirement!.id, approved: true }],
      });
      assert.equal(answer.status, 200);
      const { body } = await client.get<
        Message & { tool_calls: { name: string }[]; usage: { input_tokens: number } }
      >(`/chat/message/${messageId}`);
      assert.equal(body.status, "complete");
      assert.deepEqual(
        body.tool_calls.map((call) => call.name),
        ["delegate_task_to_member", "delete_file"],
      );
      // Leader and member before the pause, member and leader after it.
      assert.equal(body.usage.input_tokens, 40);
    });

    test("an approval that is given while AgentOS is away is not lost", async () => {
      const { stream, messageId } = await ask("janitor", "clean");
      const paused = await stream.next((event) => event.type === "paused");
      const [requirement] = paused["requirements"] as { id: string }[];
      const decisions = [{ id: requirement!.id, approved: true }];
      const decide = () =>
        client.send("POST", `/chat/message/${messageId}/continue`, { decisions });
      await agentOs.kill();
      assert.equal((await decide()).status, 200);
      const again = (await (await client.follow(messageId)).all()).at(-1);
      assert.equal(again?.type, "paused");
      assert.equal(again["error_type"], "agent_unavailable");
      assert.deepEqual(again["requirements"], paused["requirements"]);
      await agentOs.start();
      let status = "";
      while (status !== "complete") {
        await decide();
        await (await client.follow(messageId)).all();
        ({ status } = (await client.get<Message>(`/chat/message/${messageId}`)).body);
        assert.ok(["paused", "complete"].includes(status), status);
      }
    }, 90_000);

    test("what agents remember of a user is seen and erased by that user alone, also while AgentOS is away", async () => {
      const remember = async (user: string, text: string) => {
        const answer = await agentOs.ask(`/memories`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ memory: text, topics: ["taste"], user_id: user }),
        });
        assert.equal(answer.status, 200);
      };
      interface List {
        readonly memories: { memory_id: string; memory: string; agent_ids: string[] }[];
        readonly complete: boolean;
      }
      const list = async (user: string) =>
        (await client.get<List>(`/chat/memories?user_id=${user}`)).body;
      const texts = async (user: string) =>
        (await list(user)).memories.map(({ memory }) => memory).toSorted();
      await remember("mia", "Likes tea");
      await remember("mia", "Likes rain");
      await remember("ned", "Likes coffee");
      const first = (await list("mia")).memories[0]!;
      assert.ok(first.agent_ids.includes("assistant") && first.agent_ids.includes("crew"));
      assert.deepEqual(await texts("mia"), ["Likes rain", "Likes tea"]);
      const path = `/chat/memories/${first.memory_id}`;
      assert.equal((await client.send("DELETE", `${path}?user_id=ned`)).status, 404);
      assert.equal((await client.send("DELETE", `${path}?user_id=mia`)).status, 200);
      assert.equal((await client.send("DELETE", `${path}?user_id=mia`)).status, 404);
      assert.equal((await texts("mia")).length, 1);
      await agentOs.kill();
      assert.equal((await list("mia")).complete, false);
      const { body } = await client.send<{ pending: boolean }>(
        "DELETE",
        "/chat/memories?user_id=mia",
      );
      assert.equal(body.pending, true);
      await agentOs.start();
      while ((await texts("mia")).length > 0 || !(await list("mia")).complete) {
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      assert.deepEqual(await texts("ned"), ["Likes coffee"]);
    }, 120_000);

    test("documents that agents look things up in are given, read, found and taken away", async () => {
      interface Document {
        readonly document_id: string;
        readonly name: string;
        readonly status: string;
        readonly size: number;
      }
      interface Listed {
        readonly complete: boolean;
        readonly knowledge: {
          readonly knowledge_id: string;
          readonly name: string;
          readonly agent_ids: string[];
          readonly documents: Document[];
        }[];
      }
      const handbook = async () => {
        const { body } = await client.get<Listed>("/chat/knowledge");
        assert.equal(body.complete, true);
        return body.knowledge.find(({ name }) => name === "handbook")!;
      };
      const base = await handbook();
      assert.deepEqual([base.agent_ids, base.documents], [["scholar"], []]);
      const path = `/chat/knowledge/${base.knowledge_id}/documents`;
      const give = (name: string, text: string, to = path) =>
        client.send<{ document_id: string }>("POST", to, {
          name,
          media_type: "text/plain",
          data: Buffer.from(text).toString("base64"),
        });
      const become = async (id: string, status: string): Promise<Document> => {
        for (;;) {
          const found = (await handbook()).documents.find((each) => each.document_id === id);
          if (found?.status === status) return found;
          assert.notEqual(found?.status, status === "completed" ? "failed" : "completed");
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      };
      const text = "Cats sleep for sixteen hours.";
      const given = await give("cats 猫.txt", text);
      assert.equal(given.status, 200);
      const read = await become(given.body.document_id, "completed");
      assert.deepEqual([read.name, read.size], ["cats 猫.txt", text.length]);
      const { stream } = await ask("scholar", "Please read about cats");
      assert.match(textOf(await stream.all()), /sixteen hours/);
      const broken = await give("broken.txt", "unreadable");
      await become(broken.body.document_id, "failed");
      assert.doesNotMatch(JSON.stringify(await handbook()), /secret-of-the-index/);
      const taken = await client.send("DELETE", `${path}/${given.body.document_id}`);
      assert.equal(taken.status, 200);
      assert.equal((await client.send("DELETE", `${path}/${given.body.document_id}`)).status, 404);
      const left = (await handbook()).documents.map(({ name }) => name);
      assert.deepEqual(left, ["broken.txt"]);
      const nowhere = `/chat/knowledge/${base.knowledge_id.slice(0, -4)}/documents`;
      assert.equal((await give("a.txt", "a", nowhere)).status, 404);
      await client.send("DELETE", `${path}/${broken.body.document_id}`);
    }, 120_000);

    test("cancel stops the run in AgentOS", async () => {
      const { stream, sessionId, messageId } = await ask("assistant", "slowly");
      await stream.next((event) => event.type === "assistant_chunk");
      const { status } = await client.send("POST", `/chat/message/${messageId}/cancel`);
      assert.equal(status, 200);
      assert.equal((await stream.next(ended)).type, "cancelled");
      for (;;) {
        const answer = await agentOs.ask(`/agents/assistant/runs?session_id=${sessionId}`);
        const [run] = (answer.ok ? await answer.json() : []) as Message[];
        if (run && run.status !== "RUNNING") {
          assert.equal(run.status, "CANCELLED");
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    });

    for (const round of [8, 20, 35]) {
      test(`kill -9 of this service after word ${round}: the reply goes on, no token lost, none doubled`, async () => {
        const { stream, messageId } = await ask("assistant", "slowly");
        await stream.next(() => textOf(stream.events).includes(`w${round} `));
        await service.kill();
        await start();
        const rest = await client.follow(messageId);
        const last = await rest.next(ended);
        assert.equal(last.type, "conversation_complete", JSON.stringify(last));
        assert.equal(last["full_response"], slowText);
        const { body } = await client.get<Message>(`/chat/message/${messageId}`);
        assert.equal(body.content, slowText);
      });
    }

    test("a deleted session is deleted in AgentOS", async () => {
      const { stream, sessionId } = await ask("assistant", "hello");
      await stream.all();
      const path = `/sessions/${sessionId}?type=agent`;
      assert.equal((await agentOs.ask(path)).status, 200);
      await client.send("DELETE", `/sessions/${sessionId}`);
      while ((await agentOs.ask(path)).status !== 404) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    });

    test("a session that is deleted while it answers is gone in AgentOS too, and stays gone", async () => {
      const { stream, sessionId } = await ask("assistant", "slowly");
      await stream.next((event) => event.type === "assistant_chunk");
      await client.send("DELETE", `/sessions/${sessionId}`);
      const become = async (status: number, patienceMs: number) => {
        const until = performance.now() + patienceMs;
        for (;;) {
          const answer = await agentOs.ask(`/sessions/${sessionId}?type=agent`);
          if (answer.status === status || performance.now() > until) return answer.status;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      };
      assert.equal(await become(404, 10_000), 404);
      // AgentOS writes the cancelled run, and with it the session, once more.
      await become(200, 3_000);
      assert.equal(await become(404, 60_000), 404);
    }, 90_000);

    test("kill -9 of AgentOS: interrupted, what was said is kept, the next message is answered", async () => {
      const { stream, sessionId, messageId } = await ask("assistant", "slowly");
      await stream.next(() => textOf(stream.events).includes("w20 "));
      await agentOs.kill();
      await agentOs.start();
      const last = await stream.next(ended);
      assert.equal(last["error_type"], "interrupted");
      const { body } = await client.get<Message>(`/chat/message/${messageId}`);
      assert.equal(body.status, "interrupted");
      assert.ok(slowText.startsWith(body.content) && body.content.includes("w20 "));
      // The model hears what the user sees: the part of the answer too, which AgentOS has lost.
      const next = await client.stream({ session_id: sessionId, message: "hello" });
      assert.equal((await next.next(ended)).type, "conversation_complete");
      const heard = messagesOf(model.requests.at(-1)!);
      assert.match(String(heard.at(-1)!.content), /"w0 w1 [^]*hello$/);
    }, 120_000);
  });
});
