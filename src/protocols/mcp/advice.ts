import type { Language } from "../../problems/catalogue.ts";
import type { Answer } from "./project.ts";

/** What a client's model has to know beside an answer's text: how to go on. */
export function adviceOf(answer: Answer, language: Language): string {
  const { session_id, message_id, status, next_offset: next, waits_for: front } = answer;
  const open = JSON.stringify(answer.requirements ?? []);
  const go = (id: string) => ({
    en: `Call decide with message_id ${id} and a decision for each of these requirements: ${open}`,
    zh: `请以 message_id ${id} 调用 decide，并对以下每一项作出决定：${open}`,
  });
  const rest = {
    en: `Call read_reply with message_id ${message_id} to wait for the rest; do not ask again.`,
    zh: `请以 message_id ${message_id} 调用 read_reply 等待其余内容，不要重复提问。`,
  };
  const texts: Readonly<Record<string, Readonly<Record<Language, string>>>> = {
    completed:
      next === null
        ? { en: "", zh: "" }
        : {
            en: `The text goes on: call read_reply with message_id ${message_id} and offset ${next}.`,
            zh: `文本尚未结束：请以 message_id ${message_id}、offset ${next} 调用 read_reply。`,
          },
    running: {
      en: `The reply is still being made. ${rest.en}`,
      zh: `回复仍在生成中。${rest.zh}`,
    },
    queued:
      front === undefined
        ? {
            en: `The agent still answers an earlier message. ${rest.en}`,
            zh: `智能体仍在回答之前的消息。${rest.zh}`,
          }
        : {
            en: `The conversation waits for a decision about an earlier reply. ${go(front).en}\n${rest.en}`,
            zh: `会话正在等待对之前回复的决定。${go(front).zh}\n${rest.zh}`,
          },
    paused: {
      en: `The agent waits for a person's decision. ${go(message_id).en}`,
      zh: `智能体正在等待人工决定。${go(message_id).zh}`,
    },
    cancelled: { en: "The reply was stopped.", zh: "回复已被停止。" },
  };
  const place = `(session_id ${session_id}, message_id ${message_id})`;
  const text = texts[status]?.[language] ?? "";
  return text === "" ? place : `${text} ${place}`;
}
