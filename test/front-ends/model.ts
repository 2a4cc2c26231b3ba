import { lastUserText, type RecordedRequest, type Turn } from "../support/openai-server.ts";

const answers: Readonly<Record<string, string>> = {
  "Which harbour is the oldest that is still in use?":
    "**Byblos**, in today's Lebanon, is the one most often named: ships have called there for some *five thousand years*.\n\n| Harbour | In use since |\n|---|---|\n| Byblos | about 3000 BC |\n| Jaffa | about 1800 BC |\n| Piraeus | 493 BC |\n",
  "And in northern Europe?":
    "Probably **Hedeby's** successor, *Schleswig*, and then Ribe, which was there by 710.",
};

/**
 * What the model behind the service says to front ends, when their requests are recorded and when they are replayed: the
 * same, because front ends send back what they were told.
 */
export function answerFrontEnds(request: RecordedRequest): Turn {
  const asked = lastUserText(request);
  if (asked.includes('"title"')) return { tokens: ['{"title": "Old harbours"}'] };
  if (asked.includes('"follow_ups"')) return { tokens: ['{"follow_ups": ["And in Asia?"]}'] };
  if (asked.includes('"tags"')) return { tokens: ['{"tags": ["Travel"]}'] };
  if (asked.includes("5-word-or-less title")) return { tokens: ["Old Harbours"] };
  if (asked.includes("slowly")) {
    return { tokens: Array.from({ length: 300 }, (_, index) => `${index} `), delayMs: 100 };
  }
  const answer = answers[asked] ?? `You said: ${asked}`;
  return { reasoning: ["Let me ", "think."], tokens: answer.match(/\s*\S+\s*$|\s*\S+/g) ?? [] };
}
