import { describe, expect, it } from "vitest";
import { safeError, safeFields, safeText } from "./safe-fields.ts";

describe("safeText", () => {
  it.each([
    ["redis://:geheim@cache:6379", "redis://***@cache:6379"],
    ["postgresql://u:geheim@h/d is gone", "postgresql://***@h/d is gone"],
    ["GET https://x.test/a?key=geheim failed", "GET https://x.test/a?… failed"],
    ["sent Bearer geheim.geheim", "sent Bearer ***"],
    ["got eyJhbGciOi.eyJzdWIiOjF9.geheim", "got ***"],
    ["used sk-geheimgeheimgeheimge", "used ***"],
  ])("%s", (text, expected) => {
    expect(safeText(text)).toBe(expected);
  });

  it("cuts long texts and says how long they were", () => {
    expect(safeText("x".repeat(5_000))).toMatch(/^x{1000}… \(5000 characters\)$/);
  });

  it("takes hostile texts in linear time", () => {
    const hostile = "https://".repeat(200_000);
    expect(safeText(hostile).length).toBeLessThan(1_100);
  });
});

describe("safeFields", () => {
  it("strikes out names of content and secrets at any depth, and keeps the rest", () => {
    const fields = {
      sessionId: "s",
      message: "hello",
      nested: { "api-key": "k", Authorization: "a", usage: { input_tokens: 3 } },
      list: [{ text: "t", kind: "x" }],
      password: null,
    };
    expect(safeFields(fields)).toEqual({
      sessionId: "s",
      message: "[struck out]",
      nested: {
        "api-key": "[struck out]",
        Authorization: "[struck out]",
        usage: { input_tokens: 3 },
      },
      list: [{ text: "[struck out]", kind: "x" }],
      password: null,
    });
    expect(fields.message).toBe("hello");
  });

  it("survives cycles and bounds what it writes", () => {
    const cyclic: Record<string, unknown> = { bytes: new Uint8Array(9), big: 5n };
    cyclic["self"] = cyclic;
    const safe = safeFields({ cyclic, many: Array.from({ length: 500 }, () => 1) });
    expect((safe["many"] as unknown[]).length).toBe(40);
    expect(JSON.stringify(safe)).toContain("[9 bytes]");
  });
});

describe("safeError", () => {
  it("keeps type, code, frames and causes, and nothing that drivers hang on", () => {
    const cause = Object.assign(new RangeError("ECONNREFUSED redis://:geheim@c"), {
      code: "ECONNREFUSED",
      command: { args: ["geheim"] },
    });
    const error = new Error("read failed", { cause });
    const safe = safeError(error);
    expect(safe).toMatchObject({
      type: "Error",
      message: "read failed",
      cause: {
        type: "RangeError",
        code: "ECONNREFUSED",
        message: "ECONNREFUSED redis://***@c",
      },
    });
    expect(safe["stack"]).toMatch(/^Error: read failed\n\s+at .*safe-fields\.test\.ts/);
    expect(JSON.stringify(safe)).not.toContain("geheim");
  });

  it("ends chains of causes", () => {
    const error = new Error("round");
    error.cause = error;
    expect(JSON.stringify(safeError(error)).match(/"message":"round"/g)).toHaveLength(4);
  });
});
