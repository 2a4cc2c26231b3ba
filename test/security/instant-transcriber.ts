import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface InstantTranscriber {
  /** With `/v1`, as `voice.stt.api_url` wants it. */
  readonly url: string;
  close(): Promise<void>;
}

/** Speaks the OpenAI-compatible contract of recognition and hears the same words in every recording, at once. */
export async function startInstantTranscriber(heard: string): Promise<InstantTranscriber> {
  const server = createServer((request, response) => {
    request.resume().once("end", () => {
      const isTranscription = request.url === "/v1/audio/transcriptions";
      response.writeHead(isTranscription ? 200 : 404, { "content-type": "application/json" });
      response.end(JSON.stringify({ text: heard, language: "english" }));
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
