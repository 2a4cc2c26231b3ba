import { describe, expect, test } from "vitest";
import type { Requirement } from "./agent-backend.ts";
import { decideInWords } from "./decide-in-words.ts";

const confirm = (id = "1"): Requirement => ({
  id,
  kind: "confirm",
  tool: "delete_file",
  arguments: { path: "/a" },
});
const input = (...fields: object[]): Requirement => ({
  id: "1",
  kind: "input",
  tool: "book",
  arguments: { fields },
});
const city = { name: "city", type: "str", description: "" };
const seats = { name: "seats", type: "int", description: "" };
const colour = { name: "colour", type: "choice", options: ["Red", "Dark blue", "Cancel"] };
const days = { name: "days", type: "choice", options: ["Mon", "Tue", "Wed"], multiple: true };
const decided = (text: string, ...requirements: Requirement[]) =>
  decideInWords(text, requirements)?.map(({ id: _id, ...decision }) => decision) ?? null;

describe("what asks for consent", () => {
  test.each([
    "yes",
    "Yes.",
    "YES!",
    "yes!!!",
    " y ",
    "ok",
    "OK.",
    "okay",
    "sure",
    "Yes, please",
    "yes please!",
    "go ahead",
    "Go ahead.",
    "approve",
    "Approved",
    "I approve.",
    "confirm",
    "do it",
    "yes, do it",
    "Please proceed",
    "ｙｅｓ",
    "yes, of course",
    "是",
    "是的",
    "是的。",
    "好",
    "好的！",
    "可以",
    "可以。",
    "行",
    "同意",
    "我同意。",
    "批准",
    "确认",
    "好的，执行吧",
    "当然可以",
  ])("%j approves", (text) => {
    expect(decided(text, confirm())).toEqual([{ approved: true }]);
  });

  test.each([
    "no",
    "No.",
    "NO!",
    "n",
    "nope",
    "reject",
    "declined",
    "don't",
    "Don’t.",
    "don't do it",
    "do not do it",
    "No, thanks",
    "no thank you",
    "no, don't",
    "stop",
    "cancel",
    "Cancel.",
    "cancel it",
    "abort",
    "never mind",
    "不",
    "不要",
    "不要。",
    "不行！",
    "不可以",
    "不同意",
    "拒绝",
    "否",
    "别",
    "不用了",
    "取消",
    "取消。",
    "算了",
    "停止",
    "不，不要",
  ])("%j declines", (text) => {
    expect(decided(text, confirm())).toEqual([{ approved: false }]);
  });

  test.each([
    ["no, use the other account", "use the other account"],
    ["No: that is not my file.", "that is not my file."],
    ["nope - delete /b instead", "delete /b instead"],
    ["cancel, I have found it", "I have found it"],
    ["Reject. Use a copy", "Use a copy"],
    ["no,\nthe file is still needed\nby Ann", "the file is still needed\nby Ann"],
    ['no, write "yes" there', 'write "yes" there'],
    ["不，用另一个账户", "用另一个账户"],
    ["不要。先备份", "先备份"],
    ["拒绝：文件还在用", "文件还在用"],
    ["取消，我找到了", "我找到了"],
    ["no, use the ２nd account", "use the ２nd account"],
  ])("%j declines with a reason", (text, note) => {
    expect(decided(text, confirm())).toEqual([{ approved: false, note }]);
  });

  test.each([
    "yes but not the first one",
    "yes, but …",
    "yes?",
    "sure?",
    "yes...",
    "yes…",
    "ok…",
    "yes and no",
    "yes, delete /b too",
    "no problem",
    "No problem!",
    "no worries",
    "no, no problem",
    "no, it's fine",
    "no, go ahead",
    "no, I mean yes",
    "no, that's ok",
    "no, I don't mind",
    "no, feel free",
    "no, why not",
    "no, not at all",
    "no, don't stop",
    "no, never cancel that",
    "don't stop",
    "do not cancel",
    "no. 5",
    "No. 7 please",
    "no-one knows",
    "no one",
    "not now",
    "nothing",
    "know",
    "yesterday",
    "no?",
    "no, why do you ask?",
    "why?",
    "what does it do?",
    "is it safe",
    "cancel: the order of Monday",
    "cancel my subscription",
    "cancel the meeting",
    "stop the music",
    "ok google",
    "okay then what",
    "fine",
    "hm",
    "maybe",
    "later",
    "thanks",
    "👍",
    "",
    "   ",
    '"yes"',
    "yes\nno",
    "yes\n\nand then delete the rest",
    "say yes",
    "he said yes",
    "the answer is yes",
    "oui",
    "true",
    "1",
    "好吗",
    "可以吗？",
    "好不好",
    "是不是",
    "不错",
    "不客气",
    "别停",
    "不要停",
    "不是",
    "没问题",
    "没关系",
    "好的，但是先备份",
    "是的吗",
    "不，没关系",
    "不，可以",
    "不，等一下",
    "不，是的",
    "不是的",
    "取消订单",
    "同意书在哪里",
    "行李",
    "可以先备份吗",
    "好的 先备份",
    "yes ".repeat(400),
    `no, ${"because ".repeat(200)}`,
  ])("%j is a message", (text) => {
    expect(decided(text, confirm())).toBeNull();
  });
});

describe("what asks for values", () => {
  test.each([
    ["Paris", city, { city: "Paris" }],
    [" New York ", city, { city: "New York" }],
    ["city: New York", city, { city: "New York" }],
    ["City = why not", city, { city: "why not" }],
    ["city：北京", city, { city: "北京" }],
    ["北京", city, { city: "北京" }],
    ["4", seats, { seats: 4 }],
    ["４", seats, { seats: 4 }],
    ["4.", seats, { seats: 4 }],
    ["seats: -2", seats, { seats: -2 }],
    ["2.5", { name: "weight", type: "float" }, { weight: 2.5 }],
    ["yes", { name: "window", type: "bool" }, { window: true }],
    ["No.", { name: "window", type: "bool" }, { window: false }],
    ["是的", { name: "window", type: "bool" }, { window: true }],
    ["red", colour, { colour: "Red" }],
    ["Dark  Blue.", colour, { colour: "Dark blue" }],
    ["colour: red", colour, { colour: "Red" }],
    ["mon", days, { days: ["Mon"] }],
    ["Mon, wed and tue", days, { days: ["Mon", "Wed", "Tue"] }],
    ["2", { name: "size", type: "int", options: [1, 2] }, { size: 2 }],
  ])("%j is %j's value", (text, field, result) => {
    expect(decided(text, input(field))).toEqual([{ approved: true, result }]);
  });

  test("several are given by their names, all of them", () => {
    expect(decided("seats: 2\ncity: Rome", input(city, seats))).toEqual([
      { approved: true, result: { city: "Rome", seats: 2 } },
    ]);
    for (const text of [
      "Rome",
      "2",
      "Rome, 2",
      "city: Rome",
      "city: Rome\nseats: two",
      "city: Rome\nseats: 2\nnow",
    ]) {
      expect(decided(text, input(city, seats)), text).toBeNull();
    }
  });

  test.each([
    ["cancel", city],
    ["取消", seats],
    ["Cancel.", { name: "window", type: "bool" }],
    ["cancel", days],
  ])("%j declines %j", (text, field) => {
    expect(decided(text, input(field))).toEqual([{ approved: false }]);
  });

  test.each([
    "why do you need that?",
    "what is this",
    "I don't know",
    "wait",
    "no",
    "yes",
    "Rome please",
    "in Rome, but not now",
    "help",
    "the city where I was born",
    "Rome\nor Paris",
    "不知道",
    "为什么",
    "随便",
    "cancel, I forgot",
    "a b c d e f g",
    "x".repeat(101),
  ])("%j is no city for sure", (text) => {
    expect(decided(text, input(city))).toBeNull();
  });

  test.each([
    ["four", seats],
    ["4 or 5", seats],
    ["4.5", seats],
    ["1e3", seats],
    ["0x10", seats],
    ["blue", colour],
    ["1", colour],
    ["Cancel", colour],
    ["red or blue", colour],
    ["Mon, Sun", days],
    ["maybe", { name: "window", type: "bool" }],
    ["{}", { name: "options", type: "dict" }],
    ["options: {}", { name: "options", type: "dict" }],
  ])("%j is none of %j", (text, field) => {
    expect(decided(text, input(field))).toBeNull();
  });

  test("without a field to fill there is nothing to answer", () => {
    expect(decided("cancel", { ...input(), arguments: {} })).toBeNull();
  });
});

describe("several at once", () => {
  test("are decided by who means all", () => {
    for (const text of ["yes to all", "Approve all.", "approve both", "全部同意", "都可以"]) {
      expect(decideInWords(text, [confirm("1"), confirm("2")]), text).toEqual([
        { id: "1", approved: true },
        { id: "2", approved: true },
      ]);
    }
    for (const text of ["no to all", "cancel all", "全部拒绝", "都不要。"]) {
      expect(decided(text, confirm("1"), input(city)), text).toEqual([
        { approved: false },
        { approved: false },
      ]);
    }
  });

  test.each([
    "yes",
    "no",
    "cancel",
    "是的",
    "no, use the other account",
    "city: Rome",
    "Rome",
    "yes to the first",
    "all",
  ])("%j is a message", (text) => {
    expect(decided(text, confirm("1"), confirm("2"))).toBeNull();
    expect(decided(text, confirm("1"), input(city))).toBeNull();
  });

  test("values are not approved in one word", () => {
    expect(decided("yes to all", confirm("1"), input(city))).toBeNull();
  });
});

test("what ran elsewhere is never answered in words, nor is nothing", () => {
  const external: Requirement = { id: "1", kind: "external", tool: "pay", arguments: {} };
  for (const text of ["yes", "no", "cancel", "42", "yes to all"]) {
    expect(decided(text, external)).toBeNull();
    expect(decided(text, confirm("2"), external)).toBeNull();
    expect(decided(text)).toBeNull();
  }
});
