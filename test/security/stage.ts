import { createHash, randomBytes } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { SignJWT } from "jose";
import { v7 as newId } from "uuid";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres } from "../support/postgres.ts";
import { createDataDir, startService, type TestService } from "../support/start-service.ts";
import { createTableDump, createVisibleDump, type Dump } from "./dump.ts";
import { startInstantTranscriber } from "./instant-transcriber.ts";

export const callers = ["owner", "other", "anonymous", "expired", "admin", "key"] as const;
export type Caller = (typeof callers)[number];

/** What alice has, or ids of the same form that belong to nobody. */
export interface Belongings {
  readonly sessionId: string;
  /** A reply that is complete. */
  readonly replyId: string;
  /** The message that it answers. */
  readonly messageId: string;
  readonly audioId: string;
  readonly attachmentId: string;
  /** A link to the session, with its files. */
  readonly shareId: string;
  /** Likewise, without. */
  readonly bareShareId: string;
  /** Position in the history of the session. */
  readonly cursor: string;
}

/** The service with tokens (auth.mode jwt), a scripted model and a recogniser. */
export interface SecurityStage {
  readonly service: TestService;
  readonly model: OpenAiServer;
  readonly headers: Readonly<Record<Caller, Readonly<Record<string, string>>>>;
  readonly clients: Readonly<Record<Caller, Client>>;
  /** Speech in a WAV file. */
  readonly recording: Uint8Array<ArrayBuffer>;
  readonly dump: Dump;
  /** Whether `dump` sees the tables themselves. */
  readonly seesTables: boolean;
  /** Methods and patterns of all routes that the process has. */
  routes(): Promise<string[]>;
  signToken(claims: Record<string, unknown>, expiresIn: number): Promise<string>;
  /** A new session of the owner's with a conversation in it. */
  belongings(): Promise<Belongings>;
  stop(): Promise<void>;
}

export const users = { owner: "alice", other: "bob", admin: "root", key: "carol" } as const;
const secretKey = "a secret for tests, 32 bytes or more";
const apiKey = "the-key-of-another-user-0123456789abcdef";
/** The owner's and an administrator's, but without any scope. */
export const powerlessKey = "a-key-that-may-do-nothing-0123456789abcdef";

export function nobodys(): Belongings {
  return {
    sessionId: newId(),
    replyId: newId(),
    messageId: newId(),
    audioId: newId(),
    attachmentId: newId(),
    shareId: randomBytes(24).toString("base64url"),
    bareShareId: randomBytes(24).toString("base64url"),
    cursor: Buffer.from(JSON.stringify({ after: 1 })).toString("base64url"),
  };
}

export async function startSecurityStage(
  env: Readonly<Record<string, string>> = {},
): Promise<SecurityStage> {
  // The caller may bring its own.
  const postgres = env["DATABASE_URL"] === undefined ? await startPostgres() : null;
  const databaseUrl = await postgres?.freshDatabase();
  const model = await startOpenAiServer();
  const transcriber = await startInstantTranscriber("what the recording says");
  const dataDir = await createDataDir();
  const routesFile = join(dataDir, "routes.txt");
  const service = await startService({
    dataDir,
    env: {
      AUTH_MODE: "jwt",
      SECURITY_SECRET_KEY: secretKey,
      SECURITY_CLOCK_SKEW_SECONDS: "0",
      AUTH_API_KEYS: JSON.stringify([
        {
          name: "carol",
          sha256: createHash("sha256").update(apiKey).digest("hex"),
          user_id: users.key,
        },
        {
          name: "powerless",
          sha256: createHash("sha256").update(powerlessKey).digest("hex"),
          user_id: users.owner,
          roles: ["admin"],
          scopes: [],
        },
      ]),
      OPENAI_BASE_URL: model.url,
      VOICE_STT_PROVIDER: "openai",
      VOICE_STT_API_URL: transcriber.url,
      VOICE_TTS_PROVIDER: "flite",
      SERVER_HEARTBEAT_SECONDS: "0.5",
      ROUTES_FILE: routesFile,
      ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
      ...env,
      NODE_OPTIONS: `--import=${join(import.meta.dirname, "record-routes.ts")} ${env["NODE_OPTIONS"] ?? ""}`,
    },
  });

  const signToken = (claims: Record<string, unknown>, expiresIn: number) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime(Math.floor(Date.now() / 1000) + expiresIn)
      .sign(new TextEncoder().encode(secretKey));
  const bearer = async (claims: Record<string, unknown>, expiresIn = 86_400) => ({
    authorization: `Bearer ${await signToken(claims, expiresIn)}`,
  });
  const headers = {
    owner: await bearer({ sub: users.owner }),
    other: await bearer({ sub: users.other }),
    anonymous: {},
    expired: await bearer({ sub: users.owner }, -5),
    admin: await bearer({ sub: users.admin, roles: ["admin"] }),
    key: { "x-api-key": apiKey },
  };
  const clients = Object.fromEntries(
    callers.map((caller) => [caller, createClient(service.url, headers[caller])]),
  ) as Record<Caller, Client>;

  const spoken = await fetch(`${service.url}/chat/voice/synthesize`, {
    method: "POST",
    headers: { ...headers.owner, "content-type": "application/json" },
    body: JSON.stringify({ text: "Good morning to you.", format: "wav" }),
  });
  if (spoken.status !== 200) throw new Error(`no speech: ${await spoken.text()}`);
  const recording = new Uint8Array(await spoken.arrayBuffer());

  return {
    service,
    model,
    headers,
    clients,
    recording,
    dump:
      postgres !== null && databaseUrl !== undefined
        ? createTableDump(postgres, databaseUrl)
        : createVisibleDump([clients.owner, clients.other, clients.admin, clients.key]),
    seesTables: postgres !== null,
    signToken,
    async routes() {
      const lines = (await readFile(routesFile, "utf8")).trim().split("\n");
      return [...new Set(lines)].sort();
    },
    async belongings() {
      const sessionId = await clients.owner.session(users.owner);
      const form = recordingForm(recording, { session_id: sessionId, enable_tts: "false" });
      const sent = await fetch(`${service.url}/chat/voice`, {
        method: "POST",
        headers: headers.owner,
        body: form,
      });
      if (sent.status !== 200) throw new Error(`no reply: ${await sent.text()}`);
      const { message_id: replyId, user_message_id: messageId } = (await sent.json()) as {
        message_id: string;
        user_message_id: string;
      };
      const message = await clients.owner.get<{ audio: { audio_id: string } }>(
        `/chat/message/${messageId}`,
      );
      const second = await clients.owner.send<{ user_message_id: string }>(
        "POST",
        "/chat/message",
        {
          session_id: sessionId,
          message: "look",
          attachments: [{ name: "plan.png", media_type: "image/png", data: "iVBORw0KGgo=" }],
        },
      );
      const withFile = await clients.owner.get<{ attachments: { attachment_id: string }[] }>(
        `/chat/message/${second.body.user_message_id}`,
      );
      const history = await clients.owner.get<{ pagination: { next_cursor: string } }>(
        `/chat/history/${sessionId}?limit=1`,
      );
      const share = async (include_files: boolean) => {
        const path = `/sessions/${sessionId}/share`;
        const { body } = await clients.owner.send<{ share_id: string }>("POST", path, {
          include_files,
        });
        return body.share_id;
      };
      return {
        shareId: await share(true),
        bareShareId: await share(false),
        sessionId,
        replyId,
        messageId,
        audioId: message.body.audio.audio_id,
        attachmentId: withFile.body.attachments[0]?.attachment_id ?? "",
        cursor: history.body.pagination.next_cursor,
      };
    },
    async stop() {
      await service.stop();
      await model.close();
      await transcriber.close();
      await postgres?.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export function recordingForm(
  recording: Uint8Array<ArrayBuffer>,
  fields: Readonly<Record<string, string>>,
): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set("audio_file", new Blob([recording], { type: "audio/wav" }), "recording.wav");
  return form;
}
