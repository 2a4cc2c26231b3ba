import type { Language } from "../../../problems/catalogue.ts";
import type { AgentDescriptor, AgentEvent } from "../../agent-backend.ts";
import type { Documentation, FoundPassage } from "./documentation.ts";
import { trimMarkdown } from "./markdown-sections.ts";
import { indexTerms } from "./search-terms.ts";
import { streamText } from "./text-pieces.ts";

/** Below this share of what was asked for, a passage is about something else. */
const answerCoverage = 0.5;
const maxQuotedCharacters = { en: 1_600, zh: 900 };
const maxTopics = 15;
const searchTool = "search_documentation";

export const guideDescriptor: AgentDescriptor = {
  agentId: "guide",
  name: { en: "Guide", zh: "使用向导" },
  description: {
    en: "Answers questions about this service from its own documentation and names the source. Needs no model.",
    zh: "根据本服务自带的文档回答使用问题，并注明出处。无需模型。",
  },
  type: "agent",
  model: null,
  tools: [searchTool],
  metadata: { attachments: [] },
};

/** Answers questions about the service by quoting its documentation. */
export interface Guide {
  /** Whether the documentation has something on this. */
  knows(question: string, language: Language): Promise<boolean>;
  /** Everything but the `finish` event. */
  answer(
    question: string,
    language: Language,
    toolCallId: string,
    signal: AbortSignal,
  ): AsyncGenerator<AgentEvent, void, void>;
}

export function createGuide(documentation: Documentation): Guide {
  const { agentId } = guideDescriptor;
  const find = async (question: string, language: Language) => {
    const passages = await documentation.search(question, language, 3);
    return passages.filter((passage) => passage.coverage >= answerCoverage);
  };
  return {
    async knows(question, language) {
      return (await find(question, language)).length > 0;
    },
    async *answer(question, language, toolCallId, signal) {
      const call = { type: "tool", toolCallId, name: searchTool, agentId } as const;
      yield { ...call, status: "started", arguments: { query: question.slice(0, 500) } };
      const found = await find(question, language);
      yield { ...call, status: "completed", result: found.map(sourceOf) };
      const [best, ...others] = found;
      yield* streamText(
        best === undefined
          ? nothingFound(await documentation.topics(language), language)
          : quote(best, others, language),
        signal,
      );
    },
  };
}

function sourceOf({ file, headings }: FoundPassage): string {
  return [file, ...headings].join(" › ");
}

function quote(best: FoundPassage, others: readonly FoundPassage[], language: Language): string {
  const wanted = new Set(best.terms);
  const matters = (line: string) => indexTerms(line).some((term) => wanted.has(term));
  const lines = [trimMarkdown(best.text, maxQuotedCharacters[best.language], matters), ""];
  if (language === "zh") {
    if (best.language === "en") lines.unshift("文档中的这一节目前只有英文：", "");
    lines.push(`来源：${sourceOf(best)}`);
    if (others.length > 0) lines.push("", "另见：", ...others.map((one) => `- ${sourceOf(one)}`));
  } else {
    if (best.language === "zh") lines.unshift("This part of the documentation is in Chinese:", "");
    lines.push(`Source: ${sourceOf(best)}`);
    if (others.length > 0)
      lines.push("", "See also:", ...others.map((one) => `- ${sourceOf(one)}`));
  }
  return lines.join("\n");
}

function nothingFound(topics: readonly string[], language: Language): string {
  if (topics.length === 0) {
    return language === "zh"
      ? "本机没有安装文档，因此我无法查找。接口说明见 /docs 与 /openapi.json。"
      : "The documentation is not installed here, so there is nothing I could look up. The API is described at /docs and /openapi.json.";
  }
  const listed = topics.slice(0, maxTopics).map((topic) => `- ${topic}`);
  return language === "zh"
    ? `文档中没有找到与此相符的内容。我只回答关于本服务的问题，文档包含以下主题：\n\n${listed.join("\n")}\n\n请换一种问法，或使用其中的词语提问。`
    : `I found nothing on that in the documentation. I only answer questions about this service; its pages are:\n\n${listed.join("\n")}\n\nTry other words, for example some from this list.`;
}
