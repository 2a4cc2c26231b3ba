import { join } from "node:path";
import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import type { AgentBackend, AgentEvent, RunRequest } from "../../agent-backend.ts";
import { calculate, calculatorDescriptor } from "./calculator.ts";
import { createDocumentation } from "./documentation.ts";
import { createGeneralChat, generalChatDescriptor, lineFor } from "./general-chat.ts";
import { createGuide, guideDescriptor } from "./guide.ts";
import { messageLanguage } from "./message-language.ts";
import { createOllamaLook } from "./ollama-look.ts";
import { streamText } from "./text-pieces.ts";

interface BuiltinOptions {
  readonly logger: Logger;
  /** Whether other backends are configured: then nobody is told that no model is connected. Default false. */
  readonly modelsConnected?: boolean;
  /** Where to look for an Ollama; null looks nowhere. Default its usual address on this machine. */
  readonly ollamaUrl?: string | null;
  /** The folder with README.md and docs/. Default that of this package. */
  readonly documentationRoot?: string;
}

const agents = [generalChatDescriptor, guideDescriptor, calculatorDescriptor] as const;

/**
 * The agents that need no model and no network: `general-chat`, which says what is there and hands over, `guide`
 * and `calculator`. What a person meets on a fresh installation.
 */
export function createBuiltinBackend(options: BuiltinOptions): AgentBackend {
  const { logger, modelsConnected = false, ollamaUrl = "http://127.0.0.1:11434" } = options;
  const root = options.documentationRoot ?? join(import.meta.dirname, "../../../..");
  const guide = createGuide(createDocumentation(root, logger));
  const ollama = createOllamaLook(ollamaUrl);
  const generalChat = createGeneralChat({ guide, ollama, modelsConnected });
  /** Told once, when the service starts. */
  let isOllamaTold = modelsConnected;
  const unconnectedOllama = async () => (modelsConnected ? null : await ollama.find());

  function answer(
    request: RunRequest,
    signal: AbortSignal,
  ): AsyncGenerator<AgentEvent, void, void> {
    const { agentId, message, replyId } = request;
    const language = messageLanguage(message, request.language);
    switch (agentId) {
      case generalChatDescriptor.agentId:
        return generalChat.answer(request, language, signal);
      case guideDescriptor.agentId:
        return guide.answer(message, language, `${replyId}-search`, signal);
      case calculatorDescriptor.agentId:
        return calculate(message, language, `${replyId}-calculate`, signal);
      default:
        throw new Problem("agent_not_found", { agentId });
    }
  }

  return {
    source: "builtin",
    async list() {
      if (!isOllamaTold) {
        isOllamaTold = true;
        const found = await unconnectedOllama();
        if (found !== null) logger.info({}, `${ollamaFound}: ${lineFor(found)}`);
      }
      return agents;
    },
    async *run(request, signal) {
      signal.throwIfAborted();
      if (request.attachments.length > 0) {
        const language = messageLanguage(request.message, request.language);
        yield* streamText(attachmentsUnread[language], signal);
      }
      yield* answer(request, signal);
      signal.throwIfAborted();
      yield { type: "finish", reason: "stop" };
    },
    probe: () => Promise.resolve({ status: "healthy", details: { agents: agents.length } }),
    async examine() {
      const found = await unconnectedOllama();
      if (found === null) return [];
      return [{ name: "ollama", status: "ok", found: `${ollamaFound}: ${lineFor(found)}` }];
    },
    close: () => Promise.resolve(),
  };
}

const ollamaFound = "an Ollama runs on this machine; this would have it answer";

const attachmentsUnread = {
  en: "(I cannot read attachments: that takes a language model.)\n\n",
  zh: "（我无法读取附件：这需要语言模型。）\n\n",
} as const;
