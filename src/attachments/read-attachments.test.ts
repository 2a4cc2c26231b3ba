import { expect, test } from "vitest";
import { readAttachments } from "./read-attachments.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const given = (name: string, data = base64("hello"), mediaType = "Image/PNG") => ({
  name,
  media_type: mediaType,
  data,
});

test("files are decoded; media types are told in small letters", () => {
  const [file] = readAttachments([given("a.png")], 5);
  expect(file).toEqual({ name: "a.png", mediaType: "image/png", bytes: Buffer.from("hello") });
});

test.each([
  ["../../etc/passwd", "passwd"],
  ["C:\\temp\\plan.png", "plan.png"],
  ["a\r\nSet-Cookie: x.png", "aSet-Cookie: x.png"],
  [" 你好.png ", "你好.png"],
  ["..", "file"],
  [".", "file"],
  ["folder/", "file"],
  ["\u0000", "file"],
])("the name %j becomes %j", (name, base) => {
  expect(readAttachments([given(name)], 100)[0]?.name).toBe(base);
});

test.each(["", "a", "aGVsbG8", "aGVs bG8=", "aGVsbG8-", "=aGVsbG8", "aGVsbG8===="])(
  "%j is not Base64 of some bytes",
  (data) => {
    expect(() => readAttachments([given("ok"), given("bad", data)], 100)).toThrow(
      expect.objectContaining({
        type: "validation_failed",
        details: [
          { path: "/attachments/1/data", message: expect.any(String), zh: expect.any(String) },
        ],
      }),
    );
  },
);

test("what is too large is counted together", () => {
  const two = [given("a"), given("b")];
  expect(readAttachments(two, 10)).toHaveLength(2);
  expect(() => readAttachments(two, 9)).toThrow(
    expect.objectContaining({ type: "payload_too_large" }),
  );
});

const bytesOf = (text: string) => Buffer.from(text, "latin1").toString("base64");

test.each([
  ["image/png", "\u0089PNG\r\n\u001a\nrest", "image/png"],
  ["image/png", "\u00ff\u00d8\u00ff\u00e0rest", "image/jpeg"],
  ["", "GIF89arest", "image/gif"],
  ["application/octet-stream", "RIFF\0\0\0\0WEBPVP8 ", "image/webp"],
  ["text/plain;charset=utf-8", "hello", "text/plain"],
  ["Image/SVG+XML; charset=binary", "<svg/>", "image/svg+xml"],
  ["", "hello", "application/octet-stream"],
  ["image/jpeg", "\0\0\0\u0018ftypheic\0\0\0\0", "image/heic"],
  ["", "\0\0\0\u0018ftypmif1\0\0\0\0", "image/heic"],
  ["image/png", "\0\0\0\u0018ftypavif\0\0\0\0", "image/avif"],
  ["video/mp4", "\0\0\0\u0018ftypisom\0\0\0\0", "video/mp4"],
  ["image/png", "II*\0rest", "image/tiff"],
  ["image/png", "BM\u0001\u0002\0\0\0\0\0\0rest", "image/bmp"],
  ["text/plain", "BMW makes cars", "text/plain"],
  ["", '<?xml version="1.0"?>\n<!-- made -->\n<svg xmlns="x"/>', "image/svg+xml"],
  ["text/html", "<p>about <svg></p>", "text/html"],
])("declared as %j, %j is %s", (declared, text, expected) => {
  expect(readAttachments([given("a", bytesOf(text), declared)], 100)[0]?.mediaType).toBe(expected);
});
