import OpenAI from "openai";
import { afterEach, expect, it } from "vitest";
import { openFrontEndStage, type FrontEndStage } from "../front-ends/stage.ts";

// What is not whole must not look as if it were: clients of these protocols have no other sign of it.

let stage: FrontEndStage;
afterEach(async () => {
  // Nobody waits for the replies.
  await stage.service.kill();
  await stage.close();
});

async function readers(apiKey: string) {
  const openai = new OpenAI({ baseURL: `${stage.service.url}/v1`, apiKey, maxRetries: 0 });
  const completion = await openai.chat.completions.create({
    model: "general-chat",
    messages: [{ role: "user", content: "Count slowly" }],
    stream: true,
  });
  const response = await openai.responses.create({
    model: "general-chat",
    input: "Count slowly",
    stream: true,
  });
  return [completion, response] as AsyncIterable<unknown>[];
}

/** What a reader comes to once something has reached it and `act` was done; never: it thinks that it has read all. */
async function outcomes(streams: readonly AsyncIterable<unknown>[], act: () => Promise<unknown>) {
  const begun = streams.map(() => Promise.withResolvers<void>());
  const read = streams.map(async (stream, index) => {
    try {
      for await (const _ of stream) begun[index]?.resolve();
      return "whole";
    } catch (error) {
      return error instanceof Error ? "broken off" : "odd";
    }
  });
  await Promise.all(begun.map(({ promise }) => promise));
  await act();
  return Promise.all(read);
}

it("a stream whose key is revoked is broken off, and its reply goes on", async () => {
  stage = await openFrontEndStage();
  const { operator } = stage;
  const made = await operator.send<{ key: string; api_key: { key_id: string } }>(
    "POST",
    "/api-keys",
    { name: "short-lived", user_id: "ann" },
  );
  const streams = await readers(made.body.key);
  const revoke = () => operator.send("DELETE", `/api-keys/${made.body.api_key.key_id}`);
  expect(await outcomes(streams, revoke)).toEqual(["broken off", "broken off"]);
  const { body } = await operator.get<{ sessions: { active_message_status: string | null }[] }>(
    "/sessions?user_id=ann",
  );
  expect(body.sessions.map((each) => each.active_message_status)).toEqual(["streaming"]);
});
