import type { AgentSource } from "../../agent-backend.ts";
import { asList, asRecord, asText, type Wire } from "./wire.ts";

/** A search may find many; what is beyond this is left out before anything is made of it. */
const maxFound = 50;

/**
 * What an answer rests on: `citations` are what the model says itself, `references` what was found in a knowledge base.
 * The documents of one are those of agno, or whatever a retriever of the agent's author returns.
 */
export function sourcesOf(citations: unknown, references: readonly Wire[]): readonly AgentSource[] {
  const { urls, documents } = asRecord(citations);
  return [
    ...asList(urls).slice(0, maxFound).map(pageOf),
    ...asList(documents)
      .slice(0, maxFound)
      .map((document) =>
        given({
          title: asText(document["document_title"]) ?? asText(document["file_name"]),
          excerpt: asText(document["cited_text"]),
        }),
      ),
    ...references.flatMap((search) => {
      const found: readonly unknown[] = Array.isArray(search["references"])
        ? search["references"]
        : [];
      return found
        .slice(0, maxFound)
        .map((each) => (typeof each === "string" ? { excerpt: each } : documentOf(asRecord(each))));
    }),
  ];
}

function pageOf(citation: Wire): AgentSource {
  return given({ title: asText(citation["title"]), url: asText(citation["url"]) });
}

function documentOf(document: Wire): AgentSource {
  const about = asRecord(document["meta_data"] ?? document["metadata"]);
  const first = (names: readonly string[]) =>
    [document, about].flatMap((each) => names.flatMap((name) => asText(each[name]) ?? []))[0];
  const addresses = [document, about].flatMap((each) =>
    ["url", "source_url", "link", "source"].flatMap((name) => asText(each[name]) ?? []),
  );
  return given({
    title: first(["title", "name", "file_name", "filename"]),
    // What is called a source may also be a path.
    url: addresses.find((address) => /^https?:/i.test(address)),
    excerpt: first(["content", "text", "page_content"]),
  });
}

function given({ title, url, excerpt }: Partial<Record<keyof AgentSource, string | undefined>>) {
  return {
    ...(title !== undefined && { title }),
    ...(url !== undefined && { url }),
    ...(excerpt !== undefined && { excerpt }),
  };
}
