import { client } from "../api/client.ts";

const namedFile = /filename\*=UTF-8''([^;]+)/;

/** Gives the browser a conversation to save, or all of them. */
export async function saveExport(
  sessionId: string | null,
  format: "json" | "markdown",
): Promise<void> {
  const response = await client.sessions.export(sessionId, sessionId === null ? {} : { format });
  const [, name] = namedFile.exec(response.headers.get("Content-Disposition") ?? "") ?? [];
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name === undefined ? "chat" : decodeURIComponent(name);
  link.click();
  // The browser takes what it is given after this turn.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
