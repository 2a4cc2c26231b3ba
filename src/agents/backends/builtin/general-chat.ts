import type { Language } from "../../../problems/catalogue.ts";
import type { AgentDescriptor, AgentEvent, RunRequest } from "../../agent-backend.ts";
import { calculate, calculatorDescriptor, isCalculation } from "./calculator.ts";
import { guideDescriptor, type Guide } from "./guide.ts";
import type { OllamaFound, OllamaLook } from "./ollama-look.ts";
import { streamText } from "./text-pieces.ts";

/** How far back it looks for an answer of its own, to say who it is only once. */
const rememberedMessages = 6;

export const generalChatDescriptor: AgentDescriptor = {
  agentId: "general-chat",
  name: { en: "General Chat", zh: "通用聊天助手" },
  description: {
    en: "Answers while no language model is connected: says how to connect one, and hands over to the guide and the calculator.",
    zh: "尚未连接语言模型时由它应答：说明如何连接模型，并把问题转交给使用向导和计算器。",
  },
  type: "agent",
  model: null,
  tools: [guideDescriptor.agentId, calculatorDescriptor.agentId],
  metadata: { attachments: [] },
};

export interface GeneralChat {
  /** Everything but the `finish` event. */
  answer(
    request: RunRequest,
    language: Language,
    signal: AbortSignal,
  ): AsyncGenerator<AgentEvent, void, void>;
}

interface Parts {
  readonly guide: Guide;
  readonly ollama: OllamaLook;
  /** Whether agents with a model behind them are offered beside this one. */
  readonly modelsConnected: boolean;
}

const courtesy =
  /^(?:hello|hi|hey|good (?:morning|afternoon|evening|day)|(?:many )?thanks?(?: you)?(?: (?:so|very) much| a lot)?|thx|ty|cheers|great|perfect|nice|cool|ok(?:ay)?|bye|goodbye|你好|您好|你们好|哈喽|嗨|早上好|下午好|晚上好|早|(?:非常|太)?(?:谢谢|感谢|多谢)(?:你|您)?(?:了|的帮助)?|辛苦了|太好了|好的|好|再见|在吗|在么|help|帮助|who are you|what(?: can|'s| is| are)? you(?: do|r name)?|what can i (?:do|ask)(?: here)?|你是谁|你叫什么(?:名字)?|你(?:能|会|可以)(?:做|干)?(?:些)?什么)(?:[\s,，!！.。~～?？啊呀吗]|there)*$/iu;

const isThanks = /^(?:(?:many )?thank|thx|ty|cheers|(?:非常|太)?(?:谢谢|感谢|多谢)|辛苦)/i;
const welcome: Readonly<Record<Language, string>> = { en: "You are welcome.", zh: "不客气。" };

/** Not an imitation of a language model: it says what there is, and passes questions to those who can answer them. */
export function createGeneralChat({ guide, ollama, modelsConnected }: Parts): GeneralChat {
  return {
    async *answer(request, language, signal) {
      const { message, replyId } = request;
      const earlier = await request.history({ messages: rememberedMessages });
      const isFirstTurn = !earlier.some(({ role }) => role === "assistant");
      const asksNothing = courtesy.test(message.trim());
      if (isFirstTurn) {
        const connecting = howToConnect(language);
        yield* streamText(introduction(language), signal);
        yield* streamText(`\n\n${await connecting}`, signal);
      } else if (isThanks.test(message.trim())) yield* streamText(welcome[language], signal);
      else if (asksNothing) yield* streamText(abilities[language], signal);
      if (asksNothing) return;

      if (isCalculation(message)) {
        if (isFirstTurn) yield* streamText("\n\n---\n\n", signal);
        yield* handOver(calculatorDescriptor, language, () =>
          calculate(message, language, `${replyId}-calculate`, signal),
        );
      } else if (await guide.knows(message, language)) {
        if (isFirstTurn) yield* streamText("\n\n---\n\n", signal);
        yield* handOver(guideDescriptor, language, () =>
          guide.answer(message, language, `${replyId}-search`, signal),
        );
      } else if (isFirstTurn) {
        yield* streamText(`\n\n${cannotAnswer[language]}`, signal);
      } else {
        const text = `${cannotAnswer[language]} ${abilities[language]}\n\n${await howToConnect(language)}`;
        yield* streamText(text, signal);
      }
    },
  };

  function introduction(language: Language): string {
    const { hello, state } = greetings[language];
    return [hello, modelsConnected ? state.connected : state.alone, abilities[language]].join(
      language === "zh" ? "" : " ",
    );
  }

  async function howToConnect(language: Language): Promise<string> {
    if (modelsConnected) return otherAgents[language];
    return connectLines(language, await ollama.find());
  }
}

async function* handOver(
  to: AgentDescriptor,
  language: Language,
  answer: () => AsyncGenerator<AgentEvent, void, void>,
): AsyncGenerator<AgentEvent, void, void> {
  const member = {
    type: "agent",
    agentId: to.agentId,
    name: typeof to.name === "string" ? to.name : to.name[language],
    parentAgentId: generalChatDescriptor.agentId,
  } as const;
  yield { ...member, event: "handoff" };
  yield { ...member, event: "member_started" };
  yield* answer();
  yield { ...member, event: "member_completed" };
}

const greetings = {
  en: {
    hello: "Hello!",
    state: {
      alone:
        "Chat Service is running, but no language model is connected yet, so I cannot hold a real conversation.",
      connected:
        "I am the built-in agent of Chat Service. There is no language model behind me, so I cannot hold a real conversation.",
    },
  },
  zh: {
    hello: "你好！",
    state: {
      alone: "聊天服务已经在运行，但尚未连接任何语言模型，所以我还不能真正地与你对话。",
      connected: "我是聊天服务的内置智能体，背后没有语言模型，所以不能真正地与你对话。",
    },
  },
} as const;

const abilities: Readonly<Record<Language, string>> = {
  en: "What I can do: answer questions about this service from its documentation (“How do I resume a stream?”) and calculate (“15% of 80”, “3 km to miles”, “mean 3 5 8”).",
  zh: "我能做的是：根据文档回答关于本服务的问题（“断线后如何续传？”），以及计算（“80的15%”、“3公里等于多少英里”、“平均值 3 5 8”）。",
};

const cannotAnswer: Readonly<Record<Language, string>> = {
  en: "Your question needs a language model: it is no calculation, and the documentation of this service says nothing on it.",
  zh: "你的问题需要语言模型才能回答：它不是计算题，本服务的文档中也没有相关内容。",
};

const otherAgents: Readonly<Record<Language, string>> = {
  en: "Agents with a model behind them are listed by GET /chat/agents; send a message to one of them with its agent_id.",
  zh: "有模型支持的智能体见 GET /chat/agents；发送消息时用 agent_id 指定即可。",
};

/** Where there is no model yet, one that runs on any machine. */
const suggestedModel = "llama3.2";

/** What starts the service with this Ollama. */
export function lineFor({ baseUrl, chatModel }: OllamaFound): string {
  return `OPENAI_BASE_URL=${baseUrl}/v1 MODELS_DEFAULT_MODEL=${chatModel ?? suggestedModel} npm start`;
}

function connectLines(language: Language, found: OllamaFound | null): string {
  const zh = language === "zh";
  const lines = [
    zh
      ? "要连接模型，请停止服务，然后用下面的一行重新启动："
      : "To connect a model, stop the service and start it again with one of these lines:",
    "",
    "```sh",
  ];
  if (found?.chatModel !== undefined && found.chatModel !== null) {
    lines.push(
      zh ? "# 这台机器上正在运行的 Ollama" : "# the Ollama that is running on this machine",
      lineFor(found),
    );
  } else if (found !== null) {
    lines.push(
      zh
        ? "# 这台机器上有 Ollama，但还没有对话模型：先下载一个"
        : "# an Ollama is running on this machine, but it has no chat model yet: fetch one first",
      `ollama pull ${suggestedModel}`,
      lineFor(found),
    );
  }
  lines.push(
    zh ? "# 任何兼容 OpenAI 的接口" : "# any OpenAI-compatible endpoint",
    "OPENAI_BASE_URL=https://api.openai.com/v1 OPENAI_API_KEY=your-key MODELS_DEFAULT_MODEL=model-name npm start",
    zh
      ? "# AgentOS 服务器上的智能体、团队和工作流（Agno）"
      : "# agents, teams and workflows of an AgentOS server (Agno)",
    "AGNO_API_URL=http://127.0.0.1:7777 npm start",
    "```",
  );
  return lines.join("\n");
}
