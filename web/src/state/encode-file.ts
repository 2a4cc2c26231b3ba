import type { EncodedFile } from "../api/chat-api.ts";
import { currentTexts } from "../text/use-texts.ts";

/** As the service takes it. Raises when the browser has lost it. */
export function encodeFile(file: File): Promise<EncodedFile> {
  const reader = new FileReader();
  return new Promise((resolve, reject) => {
    reader.addEventListener("load", () => {
      const address = String(reader.result);
      const data = address.slice(address.indexOf(",") + 1);
      resolve({ name: file.name, media_type: file.type || "application/octet-stream", data });
    });
    reader.addEventListener("error", () => reject(new Error(currentTexts().files.lost)));
    reader.readAsDataURL(file);
  });
}
