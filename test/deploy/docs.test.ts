import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { knownByPath } from "../../src/config/known-settings.ts";
import { settings } from "../../src/config/settings.ts";
import { problemCatalogue } from "../../src/problems/catalogue.ts";

const docs = join(import.meta.dirname, "../../docs");
const read = (name: string) => readFile(join(docs, name), "utf8");

describe("docs/troubleshooting.md", () => {
  it("explains every error type, with its status, in the order of the catalogue", async () => {
    const text = await read("troubleshooting.md");
    const headings = [...text.matchAll(/^### `(\w+)` \((\d+)\)$/gm)].map(([, type, status]) => [
      type,
      Number(status),
    ]);
    const catalogue = Object.entries(problemCatalogue).map(([type, { status }]) => [type, status]);
    expect(headings).toEqual(catalogue);
  });

  it("says for each what to do", async () => {
    const [, errors = ""] = (await read("troubleshooting.md")).split("## Every error");
    for (const section of errors.split(/^### /m).slice(1)) {
      expect(section).toMatch(/\*\*(?:Remedy|Cause and remedy):\*\*/);
    }
  });
});

describe.each(["troubleshooting.md", "operations.md", "architecture.md"])("docs/%s", (name) => {
  it("names only settings that there are", async () => {
    const sections = Object.keys(settings).join("|");
    const text = await read(name);
    const named = [...text.matchAll(new RegExp(`\`((?:${sections})\\.[a-z_.]+)\``, "g"))];
    expect(named.length).toBeGreaterThan(2);
    for (const [, path = ""] of named) expect([...knownByPath.keys()]).toContain(path);
  });

  it("links to headings and files that there are", async () => {
    const text = await read(name);
    for (const [, target = ""] of text.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      const [file = "", anchor] = target.split("#");
      expect(existsSync(join(docs, file)), target).toBe(true);
      if (anchor === undefined) continue;
      const there = file === "" ? text : await read(file);
      const anchors = [...there.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
          .replaceAll(" ", "-"),
      );
      expect(anchors, target).toContain(anchor);
    }
  });
});
