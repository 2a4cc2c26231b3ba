import type {
  AgentBackend,
  Attachment,
  Knowledge,
  KnowledgeDocument,
} from "../agents/agent-backend.ts";
import { Problem } from "../problems/problem.ts";
import type { Logger } from "../telemetry/logger.ts";

/** The documents that agents look things up in, wherever they are kept. */
export interface SharedKnowledge {
  /** Of all sources; `isComplete` is false where one of them could not be asked. */
  list(
    signal: AbortSignal,
  ): Promise<{ readonly knowledge: readonly Knowledge[]; readonly isComplete: boolean }>;
  /** Raises `knowledge_not_found`, and what its source says of the document. */
  add(
    knowledgeId: string,
    file: Attachment,
    signal: AbortSignal,
  ): Promise<Pick<KnowledgeDocument, "id" | "status">>;
  /** Raises `knowledge_not_found`. */
  remove(knowledgeId: string, documentId: string, signal: AbortSignal): Promise<void>;
}

interface KnowledgeOptions {
  readonly backends: readonly AgentBackend[];
  /** The names that callers know a source's agents by, by its own; who is not in it is not known. */
  readonly namesOf: (source: string) => ReadonlyMap<string, string>;
  readonly logger: Logger;
}

export function createSharedKnowledge(options: KnowledgeOptions): SharedKnowledge {
  const { backends, namesOf, logger } = options;

  /** A source, and its own id of what callers name. */
  function find(knowledgeId: string) {
    const at = knowledgeId.indexOf(".");
    const backend = backends.find(({ source }) => source === knowledgeId.slice(0, at));
    return { backend, id: knowledgeId.slice(at + 1) };
  }

  return {
    async list(signal) {
      const found = await Promise.all(
        backends.map(async (backend) => {
          if (backend.knowledge === undefined) return { knowledge: [], isComplete: true };
          const { source } = backend;
          try {
            const { knowledge, isComplete } = await backend.knowledge(signal);
            const names = namesOf(source);
            return {
              knowledge: knowledge.map((each) => ({
                ...each,
                id: `${source}.${each.id}`,
                agentIds: each.agentIds.flatMap((agentId) => names.get(agentId) ?? []),
              })),
              isComplete,
            };
          } catch (error) {
            logger.debug({ source, err: error }, "knowledge could not be listed");
            return { knowledge: [], isComplete: false };
          }
        }),
      );
      return {
        knowledge: found.flatMap(({ knowledge }) => knowledge),
        isComplete: found.every(({ isComplete }) => isComplete),
      };
    },

    async add(knowledgeId, file, signal) {
      const { backend, id } = find(knowledgeId);
      const added = (await backend?.addDocument?.(id, file, signal)) ?? null;
      if (added === null) throw new Problem("knowledge_not_found", {});
      return added;
    },

    async remove(knowledgeId, documentId, signal) {
      const { backend, id } = find(knowledgeId);
      const isGone = await backend?.removeDocument?.(id, documentId, signal);
      if (isGone !== true) throw new Problem("knowledge_not_found", {});
    },
  };
}
