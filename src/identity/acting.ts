import { createHash } from "node:crypto";
import { holdsUnseen } from "../lib/clean-text.ts";
import { Problem } from "../problems/problem.ts";
import type { Credentials, Identity } from "./identity.ts";

/** Ids of users for whom trusted front ends act begin so, and nobody else's: no token and no configured key may name one. */
const reserved = "via:";
const maxNameLength = 128;
const maxIdLength = 128;

/** Whether an id can only be that of a user for whom a front end acts. */
export function isActedUser(userId: string): boolean {
  return userId.startsWith(reserved);
}

/**
 * The id of a front end's user. Names of keys that act for users hold neither `:` nor `#` (`mayActAs`), so that no two of
 * them share one; what would be too long is told by its hash instead of being cut.
 */
export function actedUserId(keyName: string, user: string): string {
  const plain = `${reserved}${keyName}:${user}`;
  if (plain.length <= maxIdLength) return plain;
  return `${reserved}${keyName}#${createHash("sha256").update(user).digest("base64url")}`;
}

/** Whether a key may have this name and act for users: it becomes part of their ids. */
export function mayActAs(keyName: string): boolean {
  return /^[\w.-]{1,32}$/.test(keyName);
}

/** What keeps a key of this name and these roles from acting for users. */
export function actedNameFault(key: {
  readonly name: string;
  readonly roles: readonly string[];
}): Fault | null {
  if (key.roles.includes("admin")) {
    return {
      message: "an administrator's key acts for nobody else",
      zh: "管理员的密钥不能代理其他用户",
    };
  }
  if (mayActAs(key.name)) return null;
  return {
    message:
      "the name of a key that acts for users is 1 to 32 letters, digits, dots, hyphens and underscores",
    zh: "代理用户的密钥，其名称须为 1 至 32 个字母、数字、点、连字符或下划线",
  };
}

/**
 * What a key is that acts for the user whom its front end calls `user`: that user, with what the key may do short of
 * what is an administrator's, and at the key's expense. Raises `bad_request` for what is no name.
 */
export function actFor(key: Identity, user: string, path: string): Identity {
  const { actsForUsers: _, keyName = "", scopes, ...rest } = key;
  const fault = nameFault(user);
  if (fault !== null) throw refusal(path, fault);
  return {
    ...rest,
    keyName,
    userId: actedUserId(keyName, user),
    roles: [],
    ...(scopes && { scopes: scopes.filter((scope) => scope !== "manage_sessions") }),
  };
}

/**
 * The caller whom credentials stand for: with a key that acts for users, the one whom they name. Of everybody else no
 * name is looked at. Raises `bad_request` where two different users are named.
 */
export function actingCaller(identity: Identity, { users = [] }: Credentials): Identity {
  if (identity.actsForUsers !== true) return identity;
  const [user, ...others] = new Set(users.filter((name) => name.trim() !== ""));
  if (user === undefined) return identity;
  if (others.length > 0) throw refusal("/x-user-id", named.twice);
  return actFor(identity, user, "/x-user-id");
}

interface Fault {
  readonly message: string;
  readonly zh: string;
}

const named = {
  twice: { message: "names another user than the other header", zh: "与另一个标头指定的用户不同" },
  long: {
    message: `may have at most ${maxNameLength} characters`,
    zh: `最多 ${maxNameLength} 个字符`,
  },
  blank: { message: "must not begin or end with a blank", zh: "首尾不得有空白" },
  unseen: {
    message: "must not hold characters that nobody sees",
    zh: "不得含有不可见字符",
  },
} as const;

function nameFault(name: string): Fault | null {
  if (name.length > maxNameLength) return named.long;
  if (name.trim() !== name) return named.blank;
  return holdsUnseen(name) || !name.isWellFormed() ? named.unseen : null;
}

function refusal(path: string, fault: Fault): Problem {
  const texts = { en: "The request is not valid.", zh: "请求无效。" };
  return new Problem("bad_request", texts, { details: [{ path, ...fault }] });
}
