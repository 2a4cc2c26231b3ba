import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { eachPage, mapPages, pagesOf, type NextPage, type OpenPages } from "./pages.ts";

/** Pages that come when the test says so. */
function stage() {
  const coming: (NextPage<number> | Promise<NextPage<number>>)[] = [];
  const told = { wake: () => {}, isClosed: false, asked: 0 };
  const open: OpenPages<number> = (reader) => {
    told.wake = () => reader.wake();
    return {
      next() {
        told.asked += 1;
        return coming.shift() ?? "later";
      },
      close() {
        told.isClosed = true;
      },
    };
  };
  return { coming, told, open };
}

describe("who waits for each page", () => {
  test("gets those that are here, those that come, and their end", async () => {
    const { coming, told, open } = stage();
    coming.push([1], Promise.resolve([2]));
    const pages = eachPage(open, new AbortController().signal);
    expect((await pages.next()).value).toEqual([1]);
    expect((await pages.next()).value).toEqual([2]);
    const next = pages.next();
    await turn();
    coming.push([3], "over");
    told.wake();
    expect((await next).value).toEqual([3]);
    expect(told.isClosed).toBe(false);
    expect((await pages.next()).done).toBe(true);
    expect(told.isClosed).toBe(true);
  });

  test("misses nothing that it is woken for before it waits", async () => {
    const { coming, told, open } = stage();
    const late = Promise.withResolvers<NextPage<number>>();
    coming.push(late.promise);
    const next = eachPage(open, new AbortController().signal).next();
    await turn();
    told.wake();
    coming.push([1]);
    late.resolve("later");
    expect((await next).value).toEqual([1]);
  });

  test("hears that it is quiet, however often it is woken for nothing, and again and again", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const { told, open } = stage();
    const pages = eachPage(open, new AbortController().signal, 50);
    for (let beat = 0; beat < 3; beat += 1) {
      const next = pages.next();
      for (let wakes = 0; wakes < 4; wakes += 1) {
        await vi.advanceTimersByTimeAsync(12);
        told.wake();
      }
      expect(await Promise.race([next, turn("nothing")])).toBe("nothing");
      await vi.advanceTimersByTimeAsync(2);
      expect((await next).value).toBeNull();
    }
  });

  test("hears nothing of that where it has not said how long", async () => {
    const { told, open } = stage();
    const stop = new AbortController();
    const pages = eachPage(open, stop.signal);
    const next = pages.next();
    await delay(50);
    stop.abort();
    expect((await next).done).toBe(true);
    expect(told.isClosed).toBe(true);
  });
});

test("pages whose events are something else are those pages, whether they are here or come", async () => {
  const { coming, told, open } = stage();
  coming.push([1, 2], Promise.resolve([3]), "later", "over");
  const pages = mapPages(open, String)({ wake() {} });
  expect(pages.next()).toEqual(["1", "2"]);
  expect(await pages.next()).toEqual(["3"]);
  expect(pages.next()).toBe("later");
  expect(pages.next()).toBe("over");
  pages.close();
  expect(told.isClosed).toBe(true);
});

test("a generator's pages are those that hold something, and it hears when nobody reads any more", async () => {
  let isAborted = false;
  const open = pagesOf(async function* (signal) {
    signal.addEventListener("abort", () => (isAborted = true));
    yield null;
    yield [1];
  });
  const pages = open({ wake() {} });
  expect(await pages.next()).toEqual([1]);
  expect(await pages.next()).toBe("over");
  pages.close();
  expect(isAborted).toBe(true);
});
