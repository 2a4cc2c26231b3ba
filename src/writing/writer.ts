import type { CatalogueEntry } from "../agents/catalogue.ts";
import type { AgentBackend, Written } from "../agents/agent-backend.ts";
import type { Database, Queryable } from "../database/database.ts";
import type { WritingData } from "../jobs/job.ts";
import { cleanText } from "../lib/clean-text.ts";
import { newId } from "../lib/ids.ts";
import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Budgets } from "../usage/budgets.ts";
import { recordSpending } from "../usage/spending.ts";
import { priced, type Prices } from "../usage/spent.ts";

export interface WritingParts {
  readonly database: Database;
  readonly catalogue: {
    find(agentId: string): Pick<CatalogueEntry, "agentId" | "backend"> | undefined;
  };
  /** Any that can write, for agents whose own source cannot. */
  readonly backends: readonly AgentBackend[];
  readonly budgets: Pick<Budgets, "check" | "used">;
  readonly prices: Prices;
  readonly logger: Logger;
}

interface Wish {
  readonly kind: "title" | "summary";
  readonly instructions: string;
  readonly pieces: readonly string[];
  readonly maxLength: number;
  /** Of the session; undefined: the agent's. */
  readonly model: string | undefined;
}

/** Text that was written, and what it cost under an id of its own: to be stored together. */
export interface Draft extends Pick<Written, "pieces"> {
  /** As a message of its own it has this id. */
  readonly id: string;
  readonly text: string;
  /** Part of the transaction that stores the text. */
  record(tx: Queryable): Promise<void>;
}

export type Writer = ReturnType<typeof createWriter>;

/** Has the model of a reply's agent write a text about its conversation, at the expense of whom the reply was for. */
export function createWriter(parts: WritingParts) {
  const { database, catalogue, backends, budgets, prices, logger } = parts;

  return {
    /**
     * Null where nothing came of it: no model, no budget left, or the model failed, which the log tells in one line. It
     * is not tried again: the conversation goes on without. Raises what is wrong with this service, and when `signal` aborts.
     */
    async write(data: WritingData, wish: Wish, signal: AbortSignal): Promise<Draft | null> {
      const { kind, model, ...rest } = wish;
      const { sessionId, replyId, userId, keyName } = data;
      const found = catalogue.find(data.agentId);
      const own = found?.backend.write === undefined ? undefined : found;
      const backend = own?.backend ?? backends.find(({ write }) => write !== undefined);
      if (backend?.write === undefined) return null;
      if ((await budgets.check({ userId, sessionId, keyName })) !== null) return null;
      const id = newId();
      try {
        const agentId = own?.agentId ?? null;
        const written = await backend.write(
          // The session's choice is for its own agents.
          { ...rest, agentId, userId, requestId: id, ...(own && model !== undefined && { model }) },
          signal,
        );
        const text = cleanText(written.text).trim();
        const record = (tx: Queryable) =>
          recordSpending(tx, kind, id, priced(spentOf(written), prices), data);
        if (text !== "") return { id, text, pieces: written.pieces, record };
        await database.transaction(record);
        throw new Error("the model has written nothing");
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Problem && error.type === "storage_unavailable") throw error;
        logger.warn(
          { kind, sessionId, replyId, err: error },
          "a model could not write; nothing comes of it",
        );
        return null;
      } finally {
        budgets.used({ userId, sessionId, keyName });
      }
    },
  };
}

function spentOf({ model, usage }: Written) {
  if (usage === null) return [];
  const { inputTokens, outputTokens, cachedTokens = 0, reasoningTokens = 0 } = usage;
  return [
    {
      model,
      input: inputTokens,
      output: outputTokens,
      cached: cachedTokens,
      reasoning: reasoningTokens,
    },
  ];
}

/** A text in which the middle is left out where it is long. */
export function shortened(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const half = Math.floor(maxLength / 2);
  return `${text.slice(0, half)}\n[…]\n${text.slice(-half)}`.toWellFormed();
}
