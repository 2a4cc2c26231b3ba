import type { Attachment, Knowledge, KnowledgeDocument } from "../../agent-backend.ts";
import { Problem } from "../../../problems/problem.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import type { AgentOs } from "./agent-os.ts";
import type { Directory } from "./directory.ts";
import { refusalProblem } from "./faults.ts";
import { asList, asText, parseJson, type Wire } from "./wire.ts";

const pageLength = 100;
/** Of one knowledge base; what is older is not listed. */
const maxPages = 10;

/** One knowledge base of one server. */
interface Base {
  readonly server: AgentOs;
  readonly knowledgeId: string;
  readonly about: Omit<Knowledge, "documents">;
}

/** The documents that agents of AgentOS look things up in. */
export function createAgnoKnowledge(directory: Directory, log: Logger) {
  async function bases(signal: AbortSignal): Promise<readonly Base[]> {
    const entries = await directory.entries(signal);
    return directory.listings.flatMap(({ server, known }) =>
      (known?.knowledge ?? []).flatMap((given) => {
        const knowledgeId = asText(given["id"]);
        if (knowledgeId === undefined) return [];
        const users = entries.filter(
          (entry) =>
            entry.server === server &&
            entry.component.knowledge?.databaseId === given["db_id"] &&
            entry.component.knowledge?.table === given["table"],
        );
        const about = {
          id: Buffer.from(JSON.stringify([server.name, knowledgeId])).toString("base64url"),
          name: asText(given["name"]) ?? knowledgeId,
          description: asText(given["description"]) ?? null,
          agentIds: users.map(({ agentId }) => agentId),
        };
        return [{ server, knowledgeId, about }];
      }),
    );
  }

  async function find(id: string, signal: AbortSignal): Promise<Base | undefined> {
    const [server, knowledgeId] = readId(id);
    const all = await bases(signal);
    return all.find((base) => base.server.name === server && base.knowledgeId === knowledgeId);
  }

  async function documentsOf(base: Base, signal: AbortSignal): Promise<Knowledge> {
    const { server, knowledgeId, about } = base;
    const documents: KnowledgeDocument[] = [];
    for (let page = 1; page <= maxPages; page++) {
      const rows = asList(await server.documents({ knowledgeId, page, pageLength }, signal));
      documents.push(...rows.flatMap((row) => toDocument(row) ?? []));
      if (rows.length < pageLength) break;
    }
    return { ...about, documents };
  }

  return {
    async list(signal: AbortSignal) {
      const all = await bases(signal);
      const outcomes = await Promise.allSettled(all.map((base) => documentsOf(base, signal)));
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.status === "fulfilled") continue;
        const server = all[index]?.server.name;
        log.debug({ server, err: outcome.reason as unknown }, "knowledge could not be asked for");
      }
      const isUnknown = directory.listings.some(({ known }) => known === null);
      return {
        knowledge: outcomes.flatMap((each) => (each.status === "fulfilled" ? [each.value] : [])),
        isComplete: !isUnknown && outcomes.every(({ status }) => status === "fulfilled"),
      };
    },

    async add(id: string, { name, mediaType, bytes }: Attachment, signal: AbortSignal) {
      const base = await find(id, signal);
      if (base === undefined) return null;
      const form = new FormData();
      form.set("name", name);
      form.set("file", new File([new Uint8Array(bytes)], name, { type: mediaType }));
      try {
        const added = await base.server.addDocument(base.knowledgeId, form, signal);
        return { id: asText(added["id"]) ?? "", status: statusOf(added) };
      } catch (error) {
        throw explain(error, base);
      }
    },

    async remove(id: string, documentId: string, signal: AbortSignal): Promise<boolean> {
      const base = await find(id, signal);
      if (base === undefined) return false;
      try {
        // 2.x does not say whether it was there.
        if ((await base.server.document(base.knowledgeId, documentId, signal)) === null)
          return false;
        await base.server.removeDocument(base.knowledgeId, documentId, signal);
        return true;
      } catch (error) {
        if (upstreamErrorOf(error)?.status === 404) return false;
        throw explain(error, base);
      }
    },
  };
}

/** What AgentOS refuses of a document is the document's fault. */
function explain(error: unknown, { server, about }: Base): unknown {
  const status = upstreamErrorOf(error)?.status;
  if (status === 400 || status === 413 || status === 415 || status === 422) {
    return new Problem(
      "validation_failed",
      {
        en: `${about.name} does not take this document.`,
        zh: `${about.name} 不接受此文档。`,
      },
      { cause: error },
    );
  }
  return refusalProblem(error, server.name, false);
}

function toDocument(row: Wire): KnowledgeDocument | null {
  const id = asText(row["id"]);
  if (id === undefined) return null;
  const size = Number(asText(row["size"]) ?? row["size"] ?? Number.NaN);
  const updatedMs = Date.parse(asText(row["updated_at"]) ?? asText(row["created_at"]) ?? "");
  return {
    id,
    name: asText(row["name"]) ?? id,
    mediaType: asText(row["type"]) ?? null,
    size: Number.isSafeInteger(size) && size >= 0 ? size : null,
    status: statusOf(row),
    updatedAt: Number.isNaN(updatedMs) ? null : new Date(updatedMs).toISOString(),
  };
}

const statuses = ["processing", "completed", "partial", "failed"] as const;

/** What is not known yet is being worked on, as AgentOS sees it too. */
function statusOf({ status }: Wire): KnowledgeDocument["status"] {
  return statuses.find((each) => each === status) ?? "processing";
}

function readId(id: string): readonly (string | undefined)[] {
  const parts = parseJson(Buffer.from(id, "base64url").toString());
  return Array.isArray(parts) ? parts.map(asText) : [];
}
