import fc from "fast-check";
import { expect, test } from "vitest";
import { createAdmission, type Ticket } from "./admission.ts";

const limits = { perNode: 3, perSource: 2, perUser: 1 };

test("a node is full at its limit, and has room again with the last release", () => {
  const admission = createAdmission({ ...limits, perNode: 1 });
  const ticket = admission.take();
  expect(() => admission.take()).toThrow(expect.objectContaining({ type: "overloaded" }));
  expect(admission.tryTake()).toBeNull();
  ticket.hold();
  ticket.release();
  expect(admission.tryTake()).toBeNull();
  ticket.release();
  expect(admission.taken()).toBe(0);
  expect(admission.tryTake()).not.toBeNull();
});

test("sources and users have limits of their own", () => {
  const admission = createAdmission(limits);
  admission.take().assign("models", "ann");
  const second = admission.take();
  expect(() => second.assign("models", "ann")).toThrow(
    expect.objectContaining({ type: "rate_limited", status: 429 }),
  );
  second.assign("models", "bob");
  const third = admission.take();
  expect(() => third.assign("models", "eve")).toThrow(
    expect.objectContaining({ type: "overloaded", status: 503 }),
  );
  expect(third.mayBe("models", "eve")).toBe(false);
  expect(third.mayBe("agno", "eve")).toBe(true);
});

test("0 is no limit for a user", () => {
  const admission = createAdmission({ ...limits, perUser: 0 });
  admission.take().assign("models", "ann");
  expect(admission.take().mayBe("models", "ann")).toBe(true);
});

test("a place that was refused another reply is still that of the first", () => {
  const admission = createAdmission({ perNode: 9, perSource: 1, perUser: 0 });
  const models = admission.take();
  models.assign("models", "ann");
  admission.take().assign("agno", "ann");
  expect(models.mayBe("agno", "ann")).toBe(false);
  expect(admission.take().mayBe("models", "ann")).toBe(false);
  models.release();
  expect(admission.take().mayBe("models", "ann")).toBe(true);
});

test("nothing is taken after the close", () => {
  const admission = createAdmission(limits);
  admission.close();
  expect(() => admission.take()).toThrow(expect.objectContaining({ type: "shutting_down" }));
  expect(admission.tryTake()).toBeNull();
});

test("a place can be given back only as often as it is held", () => {
  const ticket = createAdmission(limits).take();
  ticket.release();
  expect(() => ticket.release()).toThrow(/twice/);
  expect(() => ticket.hold()).toThrow(/given back/);
});

test("whatever is taken, passed on and given back, no limit is exceeded and all places return", () => {
  const step = fc.record({
    source: fc.constantFrom("models", "agno"),
    user: fc.constantFrom("ann", "bob"),
    act: fc.constantFrom("take", "move", "pass", "release"),
    which: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const admission = createAdmission(limits);
      const held: { ticket: Ticket; of: { source: string; user: string } | null; times: number }[] =
        [];
      const number = (fits: (of: { source: string; user: string }) => boolean) =>
        held.filter(({ of }) => of !== null && fits(of)).length;
      for (const { source, user, act, which } of steps) {
        const chosen = held[which % Math.max(1, held.length)];
        if (act === "take") {
          const ticket = admission.tryTake();
          expect(ticket === null).toBe(held.length >= limits.perNode);
          if (ticket !== null) held.push({ ticket, of: null, times: 1 });
        } else if (chosen !== undefined && act === "move") {
          const { of } = chosen;
          chosen.of = null;
          const hasRoom =
            number((each) => each.source === source) < limits.perSource &&
            number((each) => each.user === user) < limits.perUser;
          expect(chosen.ticket.mayBe(source, user)).toBe(hasRoom);
          chosen.of = hasRoom ? { source, user } : of;
        } else if (chosen !== undefined && act === "pass") {
          chosen.ticket.hold();
          chosen.times += 1;
        } else if (chosen !== undefined) {
          chosen.ticket.release();
          chosen.times -= 1;
          if (chosen.times === 0) held.splice(held.indexOf(chosen), 1);
        }
        expect(admission.taken()).toBe(held.length);
      }
      for (const { ticket, times } of held) for (let i = 0; i < times; i += 1) ticket.release();
      expect(admission.taken()).toBe(0);
    }),
  );
});
