import { describe, expect, it } from "vitest";
import { createPlayback } from "./playback.ts";

const text = "It is ten. Please open the door. 现在几点了？再见。 🙂";
const second = text.indexOf(" Please");
const third = text.indexOf("现在");

/** Three pieces of a second each. */
function threePieces(nowMs = { value: 0 }) {
  const playback = createPlayback(() => nowMs.value);
  const ends = [second, third, text.indexOf(" 🙂")];
  for (const [index, textEnd] of ends.entries()) {
    const textStart = ends[index - 1] ?? 0;
    const sequence = index + 1;
    const startMs = index * 1_000;
    playback.add(
      { seq: 2 * sequence, sequence, startMs, durationMs: 1_000, textStart, textEnd },
      true,
    );
  }
  return playback;
}

describe("what has been heard", () => {
  it.each([
    [0, ""],
    [100, ""],
    [600, "It is"],
    [1_000, "It is ten."],
    [1_550, "It is ten. Please open"],
    [2_450, "It is ten. Please open the door. 现在几点"],
    [2_700, "It is ten. Please open the door. 现在几点了？"],
    [2_895, "It is ten. Please open the door. 现在几点了？再见"],
  ])("after %i ms ends with a whole word", (playedMs, heard) => {
    const playback = threePieces();
    playback.acknowledge(playedMs);
    expect(text.slice(0, playback.heardLength(text, true))).toBe(heard);
  });

  it("is everything when all speech was played, also what cannot be said", () => {
    const playback = threePieces();
    playback.acknowledge(2_950);
    expect(playback.heardLength(text, true)).toBe(text.length);
    expect(playback.heardLength(text, false)).toBeLessThan(text.length);
    playback.acknowledge(99_999);
    expect(playback.playedMs).toBe(3_000);
    expect(playback.heardLength(text, false)).toBe(text.indexOf(" 🙂"));
  });

  it("is nothing without speech or acknowledgement", () => {
    expect(createPlayback().heardLength(text, true)).toBe(0);
    expect(threePieces().heardLength(text, true)).toBe(0);
  });

  it("is estimated where the first pieces are unknown", () => {
    const playback = createPlayback();
    playback.add(
      {
        seq: 9,
        sequence: 4,
        startMs: 1_000,
        durationMs: 500,
        textStart: third,
        textEnd: text.length,
      },
      true,
    );
    playback.acknowledge(400);
    expect(text.slice(0, playback.heardLength(text, false))).toBe("It is ten.");
  });

  it("counts anew when the speech has begun anew", () => {
    const playback = threePieces();
    playback.acknowledge(0);
    const piece = { seq: 20, sequence: 1, startMs: 0, durationMs: 1_000 };
    playback.add({ ...piece, textStart: third, textEnd: text.length }, true);
    expect(text.slice(0, playback.heardLength(text, false))).toBe(
      "It is ten. Please open the door.",
    );
  });

  it("takes pieces in any order, each once", () => {
    const playback = createPlayback();
    const piece = (sequence: number) => ({
      seq: sequence,
      sequence,
      startMs: (sequence - 1) * 100,
      durationMs: 100,
      textStart: sequence - 1,
      textEnd: sequence,
    });
    for (const sequence of [3, 1, 3, 2]) playback.add(piece(sequence), false);
    playback.acknowledge(200);
    expect(playback.heardLength("abcd", false)).toBe(2);
  });
});

describe("whether it is heard just now", () => {
  it("lasts as long as the speech, and a little longer", () => {
    const nowMs = { value: 0 };
    const playback = threePieces(nowMs);
    expect(playback.isPlaying()).toBe(true);
    nowMs.value = 7_900;
    expect(playback.isPlaying()).toBe(true);
    nowMs.value = 8_100;
    expect(playback.isPlaying()).toBe(false);
    // Playing had only begun late.
    playback.acknowledge(1_000);
    expect(playback.isPlaying()).toBe(true);
    playback.acknowledge(2_950);
    expect(playback.isPlaying()).toBe(false);
  });

  it("ends when the player stops, and begins without speech never", () => {
    const playback = threePieces();
    playback.stop();
    expect(playback.isPlaying()).toBe(false);
    expect(createPlayback().isPlaying()).toBe(false);
  });
});
