import { client } from "../api/client.ts";
import { saveFile } from "./save-file.ts";

const namedFile = /filename\*=UTF-8''([^;]+)/;

/** Gives the browser a conversation to save, or all of them. */
export async function saveExport(
  sessionId: string | null,
  format: "json" | "markdown",
): Promise<void> {
  const response = await client.sessions.export(sessionId, sessionId === null ? {} : { format });
  const [, name] = namedFile.exec(response.headers.get("Content-Disposition") ?? "") ?? [];
  saveFile(await response.blob(), name === undefined ? "chat" : decodeURIComponent(name));
}
