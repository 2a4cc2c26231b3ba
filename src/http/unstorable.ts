import type { Language } from "../problems/catalogue.ts";
import type { ProblemDetail } from "../problems/problem.ts";

/** Deeper JSON is refused: nothing of ours needs it, and recursion over it could exhaust the stack. */
const maxDepth = 32;

/** PostgreSQL stores neither NUL nor half surrogate pairs, in text as in jsonb; depth is checked on the way. */
export function findUnstorable(root: unknown): ProblemDetail | null {
  const fault = find(root, 0);
  if (fault === null) return null;
  // What is told of a long way down is where it begins.
  return { ...fault, path: fault.path.slice(0, 100) || "/" };
}

/** The path is made on the way back: most values have no fault. */
function find(value: unknown, depth: number): ProblemDetail | null {
  if (typeof value === "string") return faultOf(value, { en: "", zh: "" });
  if (typeof value !== "object" || value === null) return null;
  if (depth >= maxDepth) {
    return {
      path: "",
      message: `is nested deeper than ${maxDepth} levels`,
      zh: `嵌套超过 ${maxDepth} 层`,
    };
  }
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const fault = find(value[index], depth + 1);
      if (fault !== null) return { ...fault, path: `/${index}${fault.path}` };
    }
    return null;
  }
  for (const key of Object.keys(value)) {
    // Whoever copies such an object member by member would change what all objects have.
    if (key === "__proto__") {
      return {
        path: "",
        message: "has the name __proto__, which is not taken",
        zh: "不接受名称 __proto__",
      };
    }
    const ofName = faultOf(key, { en: "has a name that ", zh: "名称" });
    if (ofName !== null) return ofName;
    const fault = find((value as Record<string, unknown>)[key], depth + 1);
    if (fault !== null) return { ...fault, path: `/${key}${fault.path}` };
  }
  return null;
}

function faultOf(text: string, words: Readonly<Record<Language, string>>): ProblemDetail | null {
  if (text.includes("\u0000")) {
    return {
      path: "",
      message: `${words.en}contains the character NUL, which cannot be stored`,
      zh: `${words.zh}含有无法存储的 NUL 字符`,
    };
  }
  if (text.isWellFormed()) return null;
  return {
    path: "",
    message: `${words.en}contains half of a surrogate pair (not valid Unicode)`,
    zh: `${words.zh}含有不成对的代理字符（不是有效的 Unicode）`,
  };
}
