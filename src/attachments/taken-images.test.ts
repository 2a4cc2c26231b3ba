import { expect, test } from "vitest";
import { checkImages } from "./taken-images.ts";

const file = (name: string, mediaType: string) => ({ name, mediaType, bytes: new Uint8Array(1) });
const four = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const all = [
  file("a.png", "image/png"),
  file("b.heic", "image/heic"),
  file("c.pdf", "application/pdf"),
];

test("an image that an agent does not name is refused, with what it takes", () => {
  expect(() => checkImages(all, four)).toThrow(
    expect.objectContaining({
      type: "unsupported_media_type",
      message: expect.stringContaining("image/heic (b.heic)"),
    }),
  );
  expect(() => checkImages(all, four)).toThrow(/image\/png, image\/jpeg, image\/gif, image\/webp/);
});

test.each([
  ["says nothing", undefined],
  ["takes no files", []],
  ["names other files only", ["application/pdf"]],
  ["takes all images", ["image/*"]],
])("nothing is refused where it %s", (_what, taken) => {
  checkImages(all, taken);
});

test("files that are no images are its backend's matter", () => {
  checkImages([file("c.pdf", "application/pdf")], four);
});
