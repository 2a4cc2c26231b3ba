import type { Decision } from "../../src/agents/agent-backend.ts";
import type { Database } from "../../src/database/database.ts";
import { newId } from "../../src/lib/ids.ts";
import { Problem } from "../../src/problems/problem.ts";
import type { Anchor } from "../../src/replies/lifecycle/anchor.ts";
import { showBranch } from "../../src/replies/lifecycle/branches.ts";
import type { OnBusy } from "../../src/replies/lifecycle/make-place.ts";
import { transitionTable, type ReplyStatus } from "../../src/replies/lifecycle/transition.ts";
import { isTerminal } from "../../src/replies/reply-event.ts";
import { count, type Ranges } from "../../src/tree/ranges.ts";
import {
  everything,
  headOf,
  parentOf,
  pathTo,
  readTree,
  type TreeRow,
} from "../../src/tree/tree.ts";
import { createHeartReader, type HeartReader } from "./heart-reader.ts";
import { createHeart, NodeDied, type HeartNode, type HeartOptions } from "./heart.ts";
import { textsOf } from "./scripted-upstream.ts";

/** What somebody or something does to a service. Numbers choose among what there is. */
export type Deed =
  | {
      readonly do: "send";
      readonly message: string;
      readonly agent: "lasting" | "passing" | undefined;
      readonly onBusy: OnBusy;
    }
  /** Messages right behind one another, to be answered together where they wait. */
  | { readonly do: "merge"; readonly messages: readonly string[] }
  /** Another branch of the session: below one of its messages, or none; it is answered again, or said otherwise. */
  | {
      readonly do: "branch";
      readonly how: Anchor["kind"];
      readonly at: number;
      readonly message: string;
      readonly onBusy: OnBusy;
    }
  /** The path through one of the session's messages becomes the active one. */
  | { readonly do: "show"; readonly at: number }
  /** One of the session's messages is deleted, with what hangs below it. */
  | { readonly do: "remove"; readonly at: number }
  /** What waits in the session is said otherwise, by the id of either message. */
  | {
      readonly do: "amend";
      readonly which: number;
      readonly by: "question" | "reply";
      readonly message: string;
    }
  /** The last message of the session once more, with its idempotency key. */
  | { readonly do: "repeat" }
  /** The session's agent does so many steps more. */
  | { readonly do: "advance"; readonly steps: number }
  | { readonly do: "cancel"; readonly which: number }
  | { readonly do: "decide"; readonly isRight: boolean }
  | { readonly do: "delete" }
  /** Retention looks at the session; `isIdle`: nothing has happened in it for long. */
  | { readonly do: "retire"; readonly isIdle: boolean }
  | { readonly do: "lose answer"; readonly isCommitted: boolean }
  | { readonly do: "lose database" }
  | { readonly do: "fail jobs" }
  | { readonly do: "crash"; readonly isAfterCommit: boolean }
  /** Leases of dead nodes are over; `isLiving`: of the session's running reply too. */
  | { readonly do: "expire"; readonly isLiving: boolean }
  | { readonly do: "recover" }
  | { readonly do: "refuse log"; readonly isRefusing: boolean }
  | { readonly do: "forget log" }
  | { readonly do: "start node" }
  | { readonly do: "shut down" };

export interface Command {
  readonly deed: Deed;
  readonly session: number;
  readonly node: number;
  /** The next command does not wait until this one has come to rest. */
  readonly isTogether: boolean;
}

export interface History {
  /** Nothing dies, stalls or refuses: what happens to replies has only reasons that people and agents gave. */
  readonly isCalm: boolean;
  /** Other services are told of it, for which ends take a statement more. */
  readonly isHeard: boolean;
  readonly commands: readonly Command[];
}

interface Row {
  readonly replyId: string;
  readonly sessionId: string;
  readonly status: string;
  readonly content: string;
  readonly eventSeq: number;
  readonly finishReason: string | null;
  readonly questionId: string;
  /** What the message that it is to says. */
  readonly question: string;
  /** The same with what it answers as well. */
  readonly message: string;
  /** Ids of what it answers; null: it has never begun. */
  readonly asked: readonly string[] | null;
  readonly leaseOwner: string | null;
  readonly requirements: readonly { readonly id: string }[] | null;
}

interface Step {
  readonly replyId: string;
  readonly sessionId: string;
  readonly seq: number;
  readonly before: ReplyStatus | null;
  readonly after: ReplyStatus | null;
}

/** Whatever was done to a history, it comes to rest: so long is waited for it, since other tests take the cores meanwhile. */
const restMs = 60_000;

const unfinished = new Set<string>(["queued", "streaming", "paused"]);

/** Writes down every change of a reply's state as it is committed. Once for each database. */
export async function watchReplies(database: Database): Promise<void> {
  await database.execute(`
    CREATE TABLE steps (
      id bigserial PRIMARY KEY, reply_id uuid, session_id uuid, seq integer, before text, after text, asked uuid[]);
    CREATE FUNCTION answered(reply messages) RETURNS uuid[] LANGUAGE sql AS $$
      SELECT CASE WHEN reply.status = 'streaming'
        THEN ARRAY(SELECT jsonb_array_elements_text(reply.turn -> 'joins')::uuid) || reply.reply_to END $$;
    CREATE FUNCTION note_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF TG_OP = 'INSERT' THEN
        INSERT INTO steps (reply_id, session_id, seq, after, asked)
        VALUES (NEW.message_id, NEW.session_id, NEW.seq, NEW.status, answered(NEW));
      ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO steps (reply_id, session_id, seq, before)
        VALUES (OLD.message_id, OLD.session_id, OLD.seq, OLD.status);
      ELSE
        INSERT INTO steps (reply_id, session_id, seq, before, after, asked)
        VALUES (NEW.message_id, NEW.session_id, NEW.seq, OLD.status, NEW.status, answered(NEW));
      END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER note_insert AFTER INSERT ON messages FOR EACH ROW
      WHEN (NEW.role = 'assistant') EXECUTE FUNCTION note_step();
    CREATE TRIGGER note_update AFTER UPDATE OF status ON messages FOR EACH ROW
      WHEN (NEW.role = 'assistant') EXECUTE FUNCTION note_step();
    CREATE TRIGGER note_delete AFTER DELETE ON messages FOR EACH ROW
      WHEN (OLD.role = 'assistant') EXECUTE FUNCTION note_step();`);
}

/** Runs a history to its end and raises what is wrong with it. Needs the database for itself, and leaves it empty. */
export async function live(
  database: Database,
  options: HeartOptions,
  { isCalm, isHeard, commands }: History,
): Promise<void> {
  const life = createLife(database, { ...options, isHeard });
  try {
    for (const command of commands) await life.perform(command);
    await life.settle(isCalm);
    const faults = await life.faults(isCalm);
    if (faults.length > 0) throw new Error(faults.join("\n"));
  } finally {
    await life.close();
  }
}

/** The settings with which a failure is seen again, the seed and path that were printed with it; and how many runs. */
export function again(): {
  readonly seed?: number;
  readonly path?: string;
  readonly numRuns?: number;
} {
  const { MODEL_SEED: seed, MODEL_PATH: path, MODEL_RUNS: runs } = process.env;
  return {
    ...(runs !== undefined && { numRuns: Number(runs) }),
    ...(seed !== undefined && { seed: Number(seed) }),
    ...(path !== undefined && { path }),
  };
}

/** A message as it hangs in its session. */
interface Placed {
  readonly messageId: string;
  readonly seq: number;
  readonly role: string;
  readonly replyTo: string | null;
  /** A reply has taken it in while it was made. */
  readonly isTakenIn: boolean;
}

interface KnownSession {
  sessionId: string | null;
  last: { readonly message: string; readonly key: string } | null;
  /** Somebody has asked for replies of it to be stopped. */
  isStopped: boolean;
}

function createLife(database: Database, options: HeartOptions) {
  const heart = createHeart(database, options);
  const { upstream } = heart;
  const nodes: HeartNode[] = [];
  const sessions = new Map<number, KnownSession>();
  const deleted = new Set<string>();
  const stopped = new Set<string>();
  const readers = new Map<string, HeartReader>();
  const started: Promise<void>[] = [];
  /** Replies to messages that were to hang below this one; null: below none. */
  const placed = new Map<string, string | null>();
  /** What somebody was told that messages say now, and all that they were to say. */
  const amended = new Map<string, { isTaken: boolean; readonly texts: string[] }>();
  /** The reply that callers were told of, for each of their messages. */
  const answeredBy = new Map<string, string>();
  /** What callers were told that they should never be told. */
  const surprises: string[] = [];

  const startNode = async (): Promise<HeartNode> => {
    const node = heart.startNode();
    await node.ready;
    nodes.push(node);
    return node;
  };
  const open = () => nodes.filter((node) => !node.isClosed());
  const pick = async (number: number): Promise<HeartNode> => {
    while (open().length < 1) await startNode();
    const choice = open();
    return choice[number % choice.length]!;
  };
  const sessionOf = (number: number): KnownSession => {
    const session = sessions.get(number) ?? { sessionId: null, last: null, isStopped: false };
    sessions.set(number, session);
    return session;
  };

  const read = (replyId: string, sessionId: string, node: HeartNode) => {
    if (readers.has(replyId)) return;
    const reader = createHeartReader(replyId, sessionId);
    readers.set(replyId, reader);
    reader.attach(node);
  };

  const send = async (
    node: HeartNode,
    number: number,
    message: string,
    key: string,
    { agent, onBusy }: { agent?: string | undefined; onBusy: OnBusy | null },
  ) => {
    const session = sessionOf(number);
    const userId = `user ${number % 3}`;
    session.last = { message, key };
    const mayStop = ["interrupt", "rollback", "steer"].includes(onBusy ?? "");
    if (mayStop && session.sessionId !== null) stopped.add(session.sessionId);
    const sent = await node.commands.send({
      sessionId: session.sessionId ?? undefined,
      at: { kind: "head" },
      ownerId: null,
      userId,
      identity: null,
      sessionConfig: {},
      agentId: agent,
      onBusy,
      message: { text: message, type: "text", metadata: {}, audio: null, attachments: [] },
      turn: { language: "en", requestId: "request" },
      idempotency: { key, fingerprint: `${session.sessionId ?? "new"} ${message}` },
    });
    session.sessionId ??= sent.sessionId;
    if (sent.made && sent.waiting === undefined)
      answeredBy.set(sent.made.userMessageId, sent.replyId);
    read(sent.replyId, sent.sessionId, node);
    if (sent.waiting !== undefined) read(sent.waiting, sent.sessionId, node);
  };

  const messagesOf = async (sessionId: string | null): Promise<Placed[]> =>
    (
      await database.query<Placed>(
        `SELECT message_id AS "messageId", seq, role, reply_to AS "replyTo",
           turn ->> 'takenInBy' IS NOT NULL AS "isTakenIn" FROM messages
         WHERE session_id = $1 ORDER BY seq`,
        [sessionId],
      )
    ).rows;

  const branch = async (
    node: HeartNode,
    number: number,
    { how, at, message: text, onBusy }: Extract<Deed, { do: "branch" }>,
  ) => {
    const { sessionId } = sessionOf(number);
    const all = await messagesOf(sessionId);
    const chosen = all[at % (all.length + 1)];
    if (sessionId === null || (chosen === undefined && how !== "below")) return;
    if (onBusy === "interrupt" || onBusy === "rollback") stopped.add(sessionId);
    const messageId = chosen?.messageId ?? "";
    const caller = { identity: null };
    const turn = {
      sessionConfig: {},
      agentId: undefined,
      onBusy,
      turn: { language: "en", requestId: "request" },
      idempotency: null,
    } as const;
    const message = { text, type: "text", metadata: {}, audio: null, attachments: [] } as const;
    const { commands } = node;
    const below = chosen?.messageId ?? null;
    const sent = await (how === "again"
      ? commands.regenerate(caller, { messageId }, turn)
      : how === "beside"
        ? commands.edit(caller, { messageId }, message, turn)
        : commands.send({
            ...turn,
            sessionId,
            at: how === "head" ? { kind: how } : { kind: how, messageId: below },
            ownerId: null,
            userId: undefined,
            identity: null,
            message,
          }));
    if (how === "below") placed.set(sent.replyId, below);
    read(sent.replyId, sent.sessionId, node);
  };

  /** What is wrong with the tree of a session. */
  const treeFaults = (
    sessionId: string,
    row: TreeRow & { readonly messageCount: number },
    all: readonly Placed[],
  ): string[] => {
    const found: string[] = [];
    const tree = readTree(row);
    const bySeq = new Map(all.map((message) => [message.seq, message]));
    const stands = (ranges: Ranges) =>
      all.filter(({ seq }) => ranges.some(({ first, last }) => first <= seq && seq <= last));
    if (stands(everything(tree)).length !== all.length || count(everything(tree)) !== all.length) {
      found.push(`${sessionId}: its tree is not of its messages`);
    }
    const path: Placed[] = [];
    for (let seq = headOf(tree); seq !== 0; seq = parentOf(tree, seq)) {
      const message = bySeq.get(seq);
      if (message === undefined) {
        found.push(`${sessionId}: ${seq} is on the path and not there`);
        return found;
      }
      path.unshift(message);
    }
    if (JSON.stringify(stands(pathTo(tree, headOf(tree)))) !== JSON.stringify(path)) {
      found.push(`${sessionId}: its path is not from the root to the head`);
    }
    if (row.messageCount !== path.length) found.push(`${sessionId} counts its path wrongly`);
    for (const { seq, role, replyTo, messageId } of all) {
      const parent = bySeq.get(parentOf(tree, seq));
      if (role === "assistant" && parent?.messageId !== replyTo) {
        found.push(`${messageId} does not hang below what it answers`);
      }
      const below = role === "assistant" ? placed.get(messageId) : undefined;
      // Between them stands what the user has said since: the reply may have taken further messages in.
      let above = parent;
      while (above?.role === "user" && above.messageId !== below)
        above = bySeq.get(parentOf(tree, above.seq));
      // What it was to hang below may have been withdrawn while both waited: then it hangs below what was above that.
      const isThere = below === null || all.some((each) => each.messageId === below);
      if (below !== undefined && isThere && (above?.messageId ?? null) !== below)
        found.push(`${messageId} hangs elsewhere`);
    }
    return found;
  };

  const rows = async (): Promise<Row[]> =>
    (
      await database.query<Row>(
        `SELECT m.message_id AS "replyId", m.session_id AS "sessionId", m.status, m.content,
           m.event_seq AS "eventSeq", m.finish_reason AS "finishReason", u.content AS question, u.message_id AS "questionId",
           m.lease_owner AS "leaseOwner", m.requirements, began.asked, coalesce((
             SELECT string_agg(a.content, E'\\n\\n' ORDER BY a.seq) FROM messages a
             WHERE a.session_id = m.session_id AND a.message_id = ANY(began.asked)), u.content) AS message
         FROM messages m JOIN messages u ON u.session_id = m.session_id AND u.message_id = m.reply_to
         LEFT JOIN LATERAL (
           SELECT asked FROM steps WHERE reply_id = m.message_id AND asked IS NOT NULL ORDER BY id LIMIT 1) AS began ON true
         WHERE m.role = 'assistant' ORDER BY m.session_id, m.seq`,
      )
    ).rows;
  const amend = async (
    node: HeartNode,
    row: Row,
    { by, message }: Extract<Deed, { do: "amend" }>,
  ) => {
    const { replyId, questionId } = row;
    const said = amended.get(questionId) ?? { isTaken: false, texts: [] };
    amended.set(questionId, said);
    said.texts.push(message);
    await node.commands.amend(
      { identity: null },
      { messageId: by === "reply" ? replyId : questionId },
      {
        text: message,
        attachments: null,
        agentId: undefined,
        sessionConfig: {},
        ownSettings: {},
        turn: {},
      },
    );
    said.isTaken = true;
  };
  const unfinishedOf = async (sessionId: string | null) =>
    (await rows()).filter((row) => row.sessionId === sessionId && unfinished.has(row.status));

  const decide = async (node: HeartNode, row: Row, isRight: boolean) => {
    const decisions: Decision[] = isRight
      ? (row.requirements ?? []).map(({ id }) => ({ id, approved: true }))
      : [{ id: "nothing that is open", approved: true }];
    await node.commands.continue({ identity: null }, { messageId: row.replyId }, decisions);
    readers.get(row.replyId)?.attach(node);
  };

  const forget = async (node: HeartNode, session: KnownSession, idleDays?: number) => {
    const { sessionId } = session;
    if (sessionId === null) return;
    await node.replies.forget(sessionId, idleDays);
    if (idleDays === undefined) deleted.add(sessionId);
  };

  const act = async ({ deed, session: number, node: choice }: Command): Promise<void> => {
    const session = sessionOf(number);
    const node = await pick(choice);
    const { sessionId } = session;
    switch (deed.do) {
      case "send":
        return send(node, number, deed.message, newId(), deed);
      case "merge":
        for (const text of deed.messages) {
          await send(node, number, text, newId(), { onBusy: "merge" });
        }
        return;
      case "branch":
        return branch(node, number, deed);
      case "show": {
        const all = await messagesOf(sessionId);
        const message = all[deed.at % Math.max(1, all.length)];
        if (message === undefined || sessionId === null) return;
        await database.transaction((tx) => showBranch(tx, sessionId, message.messageId));
        return;
      }
      case "remove": {
        const all = await messagesOf(sessionId);
        const message = all[deed.at % Math.max(1, all.length)];
        if (message === undefined) return;
        await node.commands.remove({ identity: null }, { messageId: message.messageId });
        return;
      }
      case "amend": {
        const waiting = (await unfinishedOf(sessionId)).filter((row) => row.status === "queued");
        const row = waiting[deed.which % Math.max(1, waiting.length)];
        if (row !== undefined) await amend(node, row, deed);
        return;
      }
      case "repeat":
        if (session.last === null) return;
        return send(node, number, session.last.message, session.last.key, { onBusy: null });
      case "advance":
        if (sessionId !== null) upstream.allow(sessionId, deed.steps);
        return;
      case "cancel": {
        const all = await unfinishedOf(sessionId);
        const row = all[deed.which % Math.max(1, all.length)];
        if (row === undefined || sessionId === null) return;
        stopped.add(sessionId);
        await node.commands.cancel({ identity: null }, { messageId: row.replyId });
        return;
      }
      case "decide": {
        const paused = (await unfinishedOf(sessionId)).find((row) => row.status === "paused");
        if (paused !== undefined) await decide(node, paused, deed.isRight);
        return;
      }
      case "delete":
        return forget(node, session);
      case "retire":
        if (sessionId === null) return;
        if (deed.isIdle) {
          await database.query(
            "UPDATE sessions SET last_activity = now() - interval '9 days' WHERE session_id = $1",
            [sessionId],
          );
        }
        return forget(node, session, 5);
      case "lose answer":
        return node.failCommit(
          deed.isCommitted ? "committed, answer lost" : "not committed, answer lost",
        );
      case "lose database":
        return node.loseDatabase(true);
      case "fail jobs":
        return upstream.failJobs(1);
      case "crash":
        return deed.isAfterCommit ? node.failCommit("dies after it") : node.die();
      case "expire":
        for (const gone of nodes.filter((each) => each.isGone())) await heart.expireLeases(gone);
        if (deed.isLiving) {
          for (const { replyId } of await unfinishedOf(sessionId)) {
            await heart.expireLeases({ replyId });
          }
        }
        return;
      case "recover":
        await node.replies.recover(false);
        return;
      case "refuse log":
        return heart.refuseLog(deed.isRefusing);
      case "forget log":
        for (const { replyId } of await unfinishedOf(sessionId)) await heart.log.drop(replyId);
        return;
      case "start node":
        if (open().length < 3) await startNode();
        return;
      case "shut down":
        return node.shutDown();
      default:
        deed satisfies never;
    }
  };

  const isExpected = (error: unknown): boolean =>
    error instanceof NodeDied ||
    (error instanceof Problem && error.type !== "internal_error") ||
    (error instanceof Error && error.name === "LogRefused");

  /** Everything that has begun comes to its end, with the help that a service gets: time, recovery and people. */
  const settle = async (isCalm: boolean): Promise<void> => {
    await heart.quiet();
    heart.refuseLog(false);
    upstream.failJobs(0);
    for (const node of nodes) {
      node.failCommit(null);
      node.loseDatabase(false);
    }
    upstream.release();
    const deadline = performance.now() + restMs;
    for (let round = 0; ; round += 1) {
      const node = await pick(round);
      await heart.quiet();
      const left = (await rows()).filter(({ status }) => unfinished.has(status));
      const { rows: jobs } = await database.query(
        "UPDATE jobs SET due_at = now() RETURNING event_id",
      );
      for (const reader of readers.values()) if (!reader.isReading()) reader.attach(node);
      const waiting = [...readers.values()].filter((reader) => !reader.isOver());
      const busy = open().filter(({ replies }) => {
        const { running, places } = replies.stats();
        return running + places > 0;
      });
      if (left.length + jobs.length + waiting.length + busy.length === 0) break;
      if (performance.now() > deadline) {
        throw new Error(
          `comes to no rest: ${JSON.stringify({
            left,
            jobs: jobs.length,
            waiting: waiting.map((reader) => [reader.replyId, reader.cursor()]),
            busy: busy.map(({ replies }) => replies.stats()),
          })}`,
        );
      }
      for (const row of left) await help(node, row, isCalm, round);
      // Owners renew their leases, and find out what they were not told by somebody who died.
      if (!isCalm) for (const { replyId } of waiting) await heart.log.signal(replyId);
      for (const each of open()) {
        await each.replies.recover(false);
        each.jobs.nudge();
      }
      // Winding down, patience and heartbeats have times of their own.
      await new Promise((resolve) => setTimeout(resolve, Math.min(20, round)));
    }
    await Promise.all(started);
  };

  const help = async (node: HeartNode, row: Row, isCalm: boolean, round: number): Promise<void> => {
    const { replyId, sessionId, status, message } = row;
    const isStuck = message.includes("hang") && status === "streaming";
    if (status === "paused" && round % 3 > 0) {
      await decide(node, row, true).catch((error: unknown) => {
        if (!isExpected(error)) surprises.push(String(error));
      });
    } else if (status === "paused" || isStuck) {
      stopped.add(sessionId);
      await node.replies.cancel({ sessionId, replyId, reason: "cancelled" });
    }
    if (status !== "streaming" || isCalm) return;
    const owner = open().find(({ nodeId }) => nodeId === row.leaseOwner);
    if (owner?.replies.running(replyId) === undefined) await heart.expireLeases({ replyId });
  };

  /** What is not as it should be, now that nothing happens any more. */
  const faults = async (isCalm: boolean): Promise<string[]> => {
    const found = [...surprises, ...upstream.faults];
    const ends = await rows();
    const { rows: steps } = await database.query<Step>(
      `SELECT reply_id AS "replyId", session_id AS "sessionId", seq, before, after FROM steps ORDER BY id`,
    );
    checkSteps(steps, found);
    for (const sessionId of deleted) {
      if (ends.some((row) => row.sessionId === sessionId)) found.push(`${sessionId} not deleted`);
    }
    const { rows: trees } = await database.query<
      TreeRow & { readonly sessionId: string; readonly messageCount: number }
    >(
      `SELECT session_id AS "sessionId", last_seq AS "lastSeq", tree, message_count AS "messageCount"
       FROM sessions`,
    );
    const left = new Set(trees.map(({ sessionId }) => sessionId));
    const forgotten = [...upstream.forgotten];
    for (const { replyId, sessionId, after } of steps.filter((step) => step.after === null)) {
      const isKnown = steps.some((step) => step.replyId === replyId && step.after === "streaming");
      const isForgotten = left.has(sessionId)
        ? !isKnown || forgotten.some((thread) => thread.startsWith(sessionId))
        : upstream.forgotten.has(sessionId);
      if (after === null && !isForgotten) found.push(`${replyId} not forgotten upstream`);
    }
    for (const tree of trees) {
      const all = await messagesOf(tree.sessionId);
      found.push(...treeFaults(tree.sessionId, tree, all));
      for (const { messageId, isTakenIn } of all) {
        if (isTakenIn) continue;
        const reply = ends.find(({ replyId }) => replyId === answeredBy.get(messageId));
        if (reply?.asked?.includes(messageId) === false) {
          found.push(`${reply.replyId} was not told ${messageId}`);
        }
      }
    }
    for (const { replyId, before, after } of steps) {
      const gaveWay = before === "paused" && (after === null || after === "cancelled");
      if (gaveWay && !upstream.abandoned.has(replyId)) found.push(`${replyId} not abandoned`);
    }
    for (const row of ends) {
      found.push(...endFaults(row, isCalm));
      const said = amended.get(row.questionId);
      if (said?.isTaken === true && !said.texts.includes(row.question))
        found.push(`${row.questionId} does not say what it was changed to`);
    }
    const { rows: takenIn } = await database.query<{ replyId: string; messages: string[] }>(
      `SELECT u.turn ->> 'takenInBy' AS "replyId", array_agg(u.content ORDER BY u.seq) AS messages
       FROM messages u WHERE u.role = 'user' AND u.turn IS NOT NULL GROUP BY 1`,
    );
    for (const { replyId, messages } of takenIn) {
      const given = upstream.taken.get(replyId) ?? [];
      const isWhole = JSON.stringify(given) === JSON.stringify(messages);
      if (isCalm ? !isWhole : given.length > messages.length)
        found.push(
          `${replyId} has taken in ${messages.join(", ")} and was given ${given.join(", ")}`,
        );
    }
    for (const { replyId, faults: read } of readers.values()) {
      found.push(...read.map((fault) => `reader of ${replyId}: ${fault}`));
    }
    found.push(...toldFaults(steps, ends));
    for (const node of open()) {
      if (node.running() !== 0) found.push(`${node.running()} replies run, by telemetry`);
    }
    if (isCalm) found.push(...heart.errors.map((line) => `logged: ${line}`));
    return found;
  };

  const endFaults = (row: Row, isCalm: boolean): string[] => {
    const { replyId, sessionId, status, content, message } = row;
    const found: string[] = [];
    const say = (fault: string) => found.push(`${replyId} (${status}; ${message}): ${fault}`);
    const told = upstream.asked.get(replyId);
    if (told !== undefined && told !== message) say(`its agent was told ${told}`);
    const texts = textsOf(message, replyId);
    if (status === "complete" ? content !== texts.at(-1) : !texts.includes(content)) {
      say(`its text is ${content}`);
    }
    if (isCalm) {
      const isAgents = /fail|cut/.test(message);
      if (["failed", "interrupted"].includes(status) && !isAgents) say("for no reason");
      if (status === "cancelled" && !stopped.has(sessionId)) say("by nobody");
    }
    const reader = readers.get(replyId);
    if (reader === undefined) return found;
    const end = reader.end();
    const types: Record<string, string> = {
      complete: "conversation_complete",
      cancelled: "cancelled",
      failed: "error",
      interrupted: "error",
    };
    if (end?.type !== types[status]) say(`its reader saw ${end?.type}`);
    if (end !== null && "full_response" in end && end.full_response !== content) {
      say(`its reader was told ${end.full_response} instead of ${content}`);
    }
    if (end?.type === "cancelled" && end.reason !== row.finishReason) say(`reason ${end.reason}`);
    if (
      end?.type === "error" &&
      (end.error_type === "interrupted") !== (status === "interrupted")
    ) {
      say(`error ${end.error_type}`);
    }
    if (reader.cursor() !== row.eventSeq) say(`ends at ${row.eventSeq}, read ${reader.cursor()}`);
    if (status === "complete" && reader.text() !== content) say(`its reader saw ${reader.text()}`);
    return found;
  };

  /** Nothing is told that is not stored. */
  const toldFaults = (steps: readonly Step[], ends: readonly Row[]): string[] => {
    const found: string[] = [];
    const stored = new Set(steps.map(({ replyId }) => replyId));
    const { told, appended } = heart;
    const doubled = (list: readonly string[]) => list.filter((id, at) => list.indexOf(id) !== at);
    found.push(...doubled(told.turns).map((id) => `${id} accepted twice, by telemetry`));
    found.push(...doubled(told.sessions).map((id) => `${id} made twice, by telemetry`));
    for (const id of told.turns) if (!stored.has(id)) found.push(`${id} told, never accepted`);
    const sessionIds = new Set(steps.map(({ sessionId }) => sessionId));
    for (const id of told.sessions) if (!sessionIds.has(id)) found.push(`${id} told, never made`);
    for (const { replyId, status } of told.ends) {
      const isStored = steps.some((step) => step.replyId === replyId && step.after === status);
      if (status !== "dropped" && !isStored) found.push(`${replyId} told as ${status}`);
    }
    const byId = new Map(ends.map((row) => [row.replyId, row]));
    const last = new Map<string, string>();
    const named = new Map<string, number>();
    for (const { replyId, epoch, seq, type } of appended) {
      if (!stored.has(replyId)) found.push(`${replyId} has events and no row`);
      const number = `${replyId} ${seq}`;
      const other = named.get(number) ?? epoch;
      // The opening of what waited is written again where the log has lost it.
      if (other > 0 && other !== epoch)
        found.push(`${number} was told by attempts ${other} and ${epoch}`);
      named.set(number, epoch);
      const name = `${seq} ${type}`;
      const end = last.get(replyId);
      if (end !== undefined && end !== name) found.push(`${replyId}: ${name} after its end`);
      if (isTerminal(type)) last.set(replyId, name);
      const row = byId.get(replyId);
      if (isTerminal(type) && row !== undefined && row.eventSeq !== seq) {
        found.push(`${replyId} was told to end with ${name}, its row says ${row.eventSeq}`);
      }
    }
    return found;
  };

  return {
    async perform(command: Command): Promise<void> {
      const doing = act(command).catch((error: unknown) => {
        if (!isExpected(error)) {
          surprises.push(`${command.deed.do}: ${(error as Error).stack ?? String(error)}`);
        }
      });
      started.push(doing);
      if (!command.isTogether) await heart.quiet();
    },
    settle,
    faults,
    async close(): Promise<void> {
      await heart.close();
      await Promise.all([...readers.values()].map((reader) => reader.close()));
      await database.execute(
        "DELETE FROM sessions; DELETE FROM idempotency_keys; DELETE FROM jobs; DELETE FROM steps",
      );
    },
  };
}

/** Every step is one of the table, and waiting messages are answered in their order. */
function checkSteps(steps: readonly Step[], found: string[]): void {
  const allowed = new Set(
    Object.values(transitionTable).flatMap(({ from, to }) =>
      from.flatMap((before) => to.map((after) => `${before} → ${after}`)),
    ),
  );
  const started = new Map<string, number>();
  const active = new Map<string, string>();
  for (const { replyId, sessionId, seq, before, after } of steps) {
    if (before === null && after !== "queued" && after !== "streaming") {
      found.push(`${replyId} begins as ${after}`);
    }
    if (before !== null && after !== null && !allowed.has(`${before} → ${after}`)) {
      found.push(`${replyId}: ${before} → ${after}`);
    }
    if (after === "streaming" && before !== "streaming" && before !== "paused") {
      if (seq < (started.get(sessionId) ?? 0)) found.push(`${replyId} started out of its turn`);
      started.set(sessionId, seq);
    }
    const isActive = after === "streaming" || after === "paused";
    if (isActive && (active.get(sessionId) ?? replyId) !== replyId) {
      found.push(`${sessionId} has two active replies`);
    }
    if (isActive) active.set(sessionId, replyId);
    else if (active.get(sessionId) === replyId) active.delete(sessionId);
  }
}
