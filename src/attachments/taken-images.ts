import type { Attachment } from "../agents/agent-backend.ts";
import { Problem } from "../problems/problem.ts";

const isImage = (type: string) => type.startsWith("image/");

/**
 * Raises `unsupported_media_type` for an image that an agent, by its own list of media types, does not take. Other files
 * are its backend's matter, and so is everything where it does not say which images it takes.
 */
export function checkImages(files: readonly Attachment[], taken: unknown): void {
  const known = Array.isArray(taken) ? taken.filter((type) => typeof type === "string") : [];
  const images = known.filter(isImage);
  if (images.length === 0 || images.includes("image/*")) return;
  const refused = files.find(({ mediaType }) => isImage(mediaType) && !images.includes(mediaType));
  if (refused === undefined) return;
  throw new Problem("unsupported_media_type", {
    got: `${refused.mediaType} (${refused.name})`,
    expected: images.join(", "),
  });
}
