import { describe, expect, test } from "vitest";
import { doneDocument } from "./answer-parser.ts";
import { createCompletionReader } from "./completion-stream.ts";
import { createResponseReader } from "./responses-stream.ts";

type Reader = ReturnType<typeof createCompletionReader>;

function sourcesOf(reader: Reader, events: readonly Readonly<Record<string, unknown>>[]) {
  const deltas = events.flatMap((value) => reader.read({ event: null, value }));
  const all = [...deltas, ...reader.read(doneDocument), ...reader.end()];
  return all.flatMap((delta) => (delta.type === "sources" ? delta.sources : []));
}

const chunk = (delta: object, members: object = {}) => ({
  choices: [{ index: 0, delta, finish_reason: null }],
  ...members,
});
const end = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] };
const page = { url: "https://a.test/", title: "A" };
const cited = { type: "url_citation", start_index: 0, end_index: 3 };

describe("sources of an answer", () => {
  test.each<[string, readonly Readonly<Record<string, unknown>>[], readonly object[]]>([
    [
      "annotations as OpenAI sends them",
      [
        chunk({ content: "one" }),
        chunk({ annotations: [{ ...cited, url_citation: page }] }),
        chunk({ annotations: [{ ...cited, url_citation: { ...page, content: "again" } }] }),
        end,
      ],
      [page],
    ],
    [
      "of a whole message",
      [
        {
          choices: [
            {
              message: { content: "one", annotations: [{ ...cited, url_citation: page }] },
              finish_reason: "stop",
            },
          ],
        },
      ],
      [page],
    ],
    [
      "addresses with every event, which other words came before",
      [
        chunk({ content: "one" }),
        chunk({ content: " two" }),
        chunk({ content: " three" }, { citations: ["https://a.test/", "https://b.test/"] }),
        chunk({ content: " four" }, { citations: ["https://a.test/", "https://b.test/"] }),
        end,
      ],
      [{ url: "https://a.test/" }, { url: "https://b.test/" }],
    ],
    [
      "results of a search rather than their addresses",
      [
        chunk(
          { content: "one" },
          { citations: ["https://a.test/"], search_results: [{ ...page, snippet: "s" }] },
        ),
        end,
      ],
      [{ ...page, excerpt: "s" }],
    ],
    [
      "nothing of what is none",
      [chunk({ content: "one", annotations: [null, 1, [], {}] }, { citations: { a: 1 } }), end],
      [],
    ],
  ])("completions: %s", (_name, events, expected) => {
    expect(sourcesOf(createCompletionReader(), events)).toEqual(expected);
  });

  test("responses: as they come, and once when the part is whole", () => {
    const annotation = { ...cited, ...page };
    const file = { type: "file_citation", file_id: "f", filename: "f.pdf", index: 1 };
    const content = [{ type: "output_text", text: "one", annotations: [annotation, file] }];
    const item = { id: "m", type: "message", content };
    const at = { output_index: 0 };
    expect(
      sourcesOf(createResponseReader(), [
        { type: "response.output_text.delta", ...at, delta: "one" },
        { type: "response.output_text.annotation.added", ...at, annotation },
        { type: "response.output_item.done", ...at, item },
        { type: "response.completed", response: { status: "completed", output: [item] } },
      ]),
    ).toEqual([page, { title: "f.pdf" }]);
  });
});
