import type { AgentSource } from "../../agent-backend.ts";
import type { ModelDelta } from "./chat-protocol.ts";
import { isFields } from "./message-parts.ts";

/** Of one answer; a server that sends more is not asked about the rest. */
const maxSources = 100;

/**
 * What an answer rests on, in the forms that servers tell it in: annotations of OpenAI (`url_citation` with its members
 * inside or beside it, `file_citation`), lists of addresses or of search results as those of Perplexity, repeated with
 * each event.
 */
export function createSourceReader() {
  const known = new Set<string>();
  let news: AgentSource[] = [];

  const add = (source: AgentSource) => {
    const key = source.url ?? source.title;
    if (key === undefined || known.has(key) || known.size >= maxSources) return;
    known.add(key);
    news.push(source);
  };

  return {
    /** Any number of lists; what is none is passed over. */
    add(...lists: readonly unknown[]): void {
      for (const list of lists) {
        if (!Array.isArray(list)) continue;
        for (const each of (list as readonly unknown[]).slice(0, maxSources)) {
          if (typeof each === "string") add({ url: each });
          else if (isFields(each)) add(sourceOf(each));
        }
      }
    },
    /** Since the last time. */
    news(): readonly ModelDelta[] {
      if (news.length === 0) return [];
      const sources = news;
      news = [];
      return [{ type: "sources", sources }];
    },
  };
}

function sourceOf(given: Readonly<Record<string, unknown>>): AgentSource {
  const { type } = given;
  const inner = typeof type === "string" ? given[type] : undefined;
  const about = isFields(inner) ? inner : given;
  const text = (...names: readonly string[]) =>
    names.map((name) => about[name]).find((each) => typeof each === "string" && each !== "") as
      | string
      | undefined;
  const title = text("title", "filename", "document_title");
  const url = text("url", "uri");
  const excerpt = text("content", "snippet", "cited_text", "quote");
  return {
    ...(title !== undefined && { title }),
    ...(url !== undefined && { url }),
    ...(excerpt !== undefined && { excerpt }),
  };
}
