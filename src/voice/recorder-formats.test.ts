import { expect, test } from "vitest";
import { inspectRecorderFile } from "./recorder-formats.ts";

const ascii = (text: string) => Buffer.from(text, "latin1");

test("AMR tells its length by its frames", () => {
  // 7.4 kbit/s and silence, narrow; 23.05 kbit/s, wide.
  const narrow = Buffer.concat([
    ascii("#!AMR\n"),
    ...Array.from({ length: 50 }, () => Buffer.from([0x24, ...Array<number>(19).fill(1)])),
    ...Array.from({ length: 5 }, () => Buffer.from([0x44, 1, 2, 3, 4, 5])),
  ]);
  expect(inspectRecorderFile("amr", narrow)).toEqual({ codec: "amr", durationMs: 1_100 });
  const wide = Buffer.concat([
    ascii("#!AMR-WB\n"),
    ...Array.from({ length: 25 }, () => Buffer.from([0x3c, ...Array<number>(58).fill(1)])),
  ]);
  expect(inspectRecorderFile("amr", wide)).toEqual({ codec: "amr-wb", durationMs: 500 });
});

test("Speex in Ogg tells its length by its last page", () => {
  const page = (granule: number, body: Buffer) => {
    const head = Buffer.alloc(28);
    head.write("OggS");
    head.writeBigInt64LE(BigInt(granule), 6);
    head[26] = 1;
    head[27] = body.length;
    return Buffer.concat([head, body]);
  };
  const header = Buffer.alloc(80);
  header.write("Speex   ");
  header.writeUInt32LE(16_000, 36);
  const file = Buffer.concat([page(0, header), page(32_000, Buffer.alloc(60))]);
  expect(inspectRecorderFile("ogg", file)).toEqual({ codec: "speex", durationMs: 2_000 });
});

test.each(["amr", "caf", "aiff", "ogg", "mp2", "asf"] as const)(
  "%s that is cut off says nothing",
  (container) => {
    for (const start of [
      "",
      "#!AMR\n",
      "caff\0\x01\0\0desc",
      "FORM\0\0\0\x2eAIFFCOMM\0\0\0\x12",
      "OggS",
      "\u00ff\u00fd",
      `${"\0".repeat(30)}\u00a1\u00dc\u00ab\u008c${"\0".repeat(40)}`,
    ]) {
      expect(inspectRecorderFile(container, ascii(start))).toBeNull();
    }
  },
);
