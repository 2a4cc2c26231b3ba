import type { Logger } from "../../telemetry/logger.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import type { FlushBeat } from "../making/flush-beat.ts";
import { ReplyWriter } from "../making/reply-writer.ts";
import type { ReplyFeeds } from "../reading/reply-feeds.ts";
import type { ReplyLog } from "../log/reply-log.ts";
import type { Effect, Handover } from "./effect.ts";
import type { Supervisor } from "./supervisor.ts";

export type PerformEffects = (effects: readonly Effect[], handover: Handover) => Promise<void>;

interface EffectParts {
  readonly log: ReplyLog;
  readonly feeds: ReplyFeeds;
  readonly beat: FlushBeat;
  readonly telemetry: Telemetry;
  readonly logger: Logger;
  readonly supervisor: Pick<Supervisor, "start" | "look">;
  readonly wake: (sessionId: string) => Promise<void>;
}

/** Readers on all nodes have read a reply's last event after this long. */
const dropDelayMs = 5_000;

/** Does what follows from committed transitions, in their order; one that fails does not keep the others from happening. */
export function createPerformEffects(parts: EffectParts): PerformEffects {
  const { log, feeds, beat, telemetry, logger, supervisor } = parts;

  const tell = async ({ reply, after, events }: Extract<Effect, { do: "tell" }>) => {
    const { replyId, sessionId, attempt: epoch } = reply;
    const writer = new ReplyWriter({
      replyId,
      sessionId,
      epoch,
      last: after,
      log,
      feeds,
      beat,
      onLost: (error) => logger.warn({ replyId, err: error }, "events were refused by the log"),
    });
    for (const event of events) writer.emit(event);
    await writer.flushed();
  };

  const dropLater = (replyId: string) => {
    setTimeout(() => {
      log
        .drop(replyId)
        .catch((error: unknown) =>
          logger.warn({ replyId, err: error }, "events of a deleted reply could not be dropped"),
        );
    }, dropDelayMs).unref();
  };

  const count = (effect: Extract<Effect, { do: "count" }>) => {
    if (effect.what === "session-created") {
      const { sessionId, agentId } = effect;
      telemetry.sessionCreated({ sessionId, agentId });
    } else {
      const { do: _do, what: _what, ...fields } = effect;
      telemetry.turnAccepted(fields);
    }
  };

  return async (effects, handover) => {
    const told = new Set<string>();
    const starts = new Map(
      effects.flatMap((effect) =>
        effect.do === "start" ? [[effect.reply.replyId, effect.reply] as const] : [],
      ),
    );
    const perform = async (effect: Effect): Promise<void> => {
      switch (effect.do) {
        case "tell":
          told.add(effect.reply.replyId);
          // What starts here is owned from its first event on, so that this node's memory has all of it.
          if (starts.has(effect.reply.replyId)) {
            feeds.own(effect.reply.replyId, effect.reply.attempt, effect.after);
          }
          return tell(effect);
        case "signal":
          supervisor.look(effect.replyId);
          return log.signal(effect.replyId);
        case "start":
          return supervisor.start(effect.reply, effect.mode, {
            ...handover,
            isTold: told.has(effect.reply.replyId),
          });
        case "wake":
          return parts.wake(effect.sessionId);
        case "drop-log":
          return dropLater(effect.replyId);
        case "count":
          return count(effect);
        default:
          effect satisfies never;
      }
    };
    for (const effect of effects) {
      try {
        await perform(effect);
      } catch (error) {
        logger.error({ effect: effect.do, err: error }, "what follows from a transition failed");
      }
    }
  };
}
