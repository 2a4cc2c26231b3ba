// A bot for chat rooms: the room's server posts {"room", "user", "text"} to it and is answered with {"text"}. Each room is
// one conversation; the history is the service's, so the bot itself keeps nothing but which conversation is whose.
import { createServer } from "node:http";
import { ApiError, createChatClient, ReplyError } from "chat-service-client";

const client = createChatClient({
  baseUrl: process.env.CHAT_URL ?? "http://127.0.0.1:8001",
  // Who acts for many users has a key with acts_for_users, or an administrator's.
  ...(process.env.CHAT_API_KEY && { apiKey: process.env.CHAT_API_KEY }),
  userId: process.env.CHAT_USER ?? "room-bot",
});

/** Of the room, from wherever this bot was started before. */
async function sessionOf(room) {
  const tag = `room-${room}`.slice(0, 40);
  const { sessions } = await client.sessions.list({ tag, limit: 1 });
  if (sessions[0] !== undefined) return sessions[0].session_id;
  const session = await client.sessions.create({ metadata: { room } });
  await client.sessions.update(session.session_id, { tags: [tag] });
  return session.session_id;
}

async function answer({ room, user, text }) {
  const sessionId = await sessionOf(room);
  try {
    return await client.send({ session_id: sessionId, message: `${user}: ${text}` }).text();
  } catch (error) {
    if (error instanceof ReplyError) return `I could not finish: ${error.message}`;
    if (error instanceof ApiError && error.type === "queue_full") return "One at a time, please.";
    throw error;
  }
}

const server = createServer(async (request, response) => {
  try {
    let body = "";
    for await (const piece of request) body += piece;
    const text = await answer(JSON.parse(body));
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ text }));
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
});

server.listen(Number(process.env.BOT_PORT ?? 8100), "127.0.0.1", () => {
  console.log(`The bot listens on http://127.0.0.1:${server.address().port}`);
});
