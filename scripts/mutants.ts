/** A change of the source that some test beside it must notice. */
export type Mutant = readonly [from: string, to: string];

export interface MutatedFile {
  readonly file: string;
  /** The tests that stand beside it, the nearest and fastest first. */
  readonly tests: readonly string[];
  /** `from` stands in the file exactly once. */
  readonly mutants: readonly Mutant[];
}

/** The heart as a whole, after what stands beside a part of it. */
const heart = (...names: readonly string[]) =>
  [...names, "replies"].map((name) => `src/replies/lifecycle/${name}.test.ts`);
const log = (name: string) => [
  `src/replies/log/${name}.test.ts`,
  "src/replies/log/reply-log.model.test.ts",
];
const making = (name: string) => [`src/replies/making/${name}.test.ts`];
const reading = [
  "src/replies/reading/reply-feeds.test.ts",
  "src/replies/reading/follow-reply.test.ts",
];

/** Faults that were once in the code or survived its tests come first in each file, then one of each kind. */
export const mutatedFiles: readonly MutatedFile[] = [
  {
    file: "src/replies/lifecycle/finish.ts",
    tests: heart("session-lock", "finish"),
    mutants: [
      ["await lockSession(tx, reply.sessionId);", ""],
      ["AND m.message_id = $2 AND m.attempt = $3", "AND m.message_id = $2 AND $3::int > 0"],
      ["isRepeat ? await heldHere(tx, claimant, sessionId) : null);", "null);"],
      [
        "ended(end, told, await claimNext(tx, claimant, sessionId, hasRoom))",
        "ended(end, told, null)",
      ],
      ["lease_owner = NULL, lease_until = NULL, recoveries = 0,", "recoveries = 0,"],
      ["state.attempt === reply.attempt &&", "state.attempt !== reply.attempt &&"],
      ["          isRepeat = true;", "          isRepeat = false;"],
      ["turn = CASE WHEN $10 = 'paused' THEN turn END,", "turn = NULL,"],
      ['if (end.status !== "complete") return;', ""],
      ["after: eventSeq - 1,", "after: eventSeq,"],
      ['finishReason: "session_deleted" } as const;', 'finishReason: "stop" } as const;'],
      ["effects: [tell, ...follow] };", "effects: [...follow] };"],
    ],
  },
  {
    file: "src/replies/lifecycle/accept.ts",
    tests: heart(),
    mutants: [
      ["request.admit(agentId, session.userId);", ""],
      ["m.lease_owner = $3, false)", "$3::text IS NOT NULL, false)"],
      ['what === "count" || goesOn', 'what === "count" || goesOn || true'],
      ["const eventSeq = waits ? 2 : 1;", "const eventSeq = 1;"],
      ["const attempt = waits ? 0 : 1;", "const attempt = 1;"],
      ["if (earlier !== null) return earlier;", ""],
      [
        "UPDATE sessions SET last_seq = last_seq + 2, message_count = message_count + 2,",
        "UPDATE sessions SET last_seq = last_seq + 2, message_count = message_count + 1,",
      ],
      ['if (queuePosition !== null) events.push({ type: "queued", position: queuePosition });', ""],
    ],
  },
  {
    file: "src/replies/lifecycle/make-place.ts",
    tests: heart(),
    mutants: [
      ["if (waiting >= maxQueued) {", "if (waiting > maxQueued) {"],
      ["jobs.push(...(given.jobs ?? []));", ""],
      ["queuePosition: waiting + 1", "queuePosition: waiting"],
      ['if (given.result === "stopping") isHeld = true;', ""],
      ["queuePosition: isHeld ? 1 : null", "queuePosition: null"],
      ["if (unfinished.length === 0) return free;", ""],
      ["messageId: busy.replyId", "messageId: sessionId"],
    ],
  },
  {
    file: "src/replies/lifecycle/cancel.ts",
    tests: heart("session-lock", "finish"),
    mutants: [
      ["await lockSession(tx, request.sessionId);", ""],
      ["jobs: row.wasPaused ? abandonment({ ...row, replyId, sessionId }) : [],", "jobs: [],"],
      ["(await claimLost(tx, claimant, request)) ??", ""],
      ["AND m.lease_until < now()", ""],
      ['{ do: "wake", sessionId },\n    ],\n    jobs', "],\n    jobs"],
      ["(await claimedBefore(tx, claimant, request)) ??", ""],
      ["(await cancelledBefore(tx, request)) ??", ""],
      ["event_seq = m.event_seq + 1,", "event_seq = m.event_seq,"],
      ["cancel_reason = coalesce(cancel_reason, $3)", "cancel_reason = cancel_reason"],
      ['effects: [{ do: "signal", replyId }] };', "effects: [] };"],
      ["jobs: abandonment({ ...reply, userId: reply.turn.userId }),", "jobs: [],"],
      ["if (backendState === null || turn === null) return [];", "return [];"],
    ],
  },
  {
    file: "src/replies/lifecycle/forget.ts",
    tests: heart("session-lock", "finish"),
    mutants: [
      ["FROM sessions WHERE session_id = $1 FOR UPDATE`", "FROM sessions WHERE session_id = $1`"],
      ['status === "paused" || status === "streaming")', 'status === "streaming")'],
      ["if (!owner.isDue) return { result: false, effects: [] };", ""],
      ["return { result: isRepeat, effects: [] };", "return { result: false, effects: [] };"],
      ["agentIds: [...agentIds] }", "agentIds: [] }"],
      ["effects: rows.flatMap((row) => effectsOf(row, sessionId)), jobs", "effects: [], jobs"],
      ["attempt: attempt + 1 }", "attempt: 0 }"],
      ["last_activity < now() -", "last_activity > now() -"],
    ],
  },
  {
    file: "src/replies/lifecycle/continue.ts",
    tests: heart("session-lock"),
    mutants: [
      ["await lockSession(tx, sessionId);", ""],
      ["if (paused !== undefined) check(paused.requirements ?? []);", ""],
      ["(isRepeat ? await heldHere(tx, claimant, sessionId) : null)", "null"],
      ["attempt = m.attempt + 1", "attempt = m.attempt"],
      [
        "lease_owner = $3, lease_until = ${leaseUntil(claimant)}, recoveries = 0",
        "lease_owner = $3, recoveries = 0",
      ],
      ['mode: { kind: "continue", decisions }', 'mode: { kind: "run" }'],
    ],
  },
  {
    file: "src/replies/lifecycle/claim.ts",
    tests: heart(),
    mutants: [
      [
        "if (waiting === null || !hasRoom(waiting.agentId, waiting.userId)) return null;",
        "if (waiting === null) return null;",
      ],
      ["AND m.lease_owner = $2 AND m.lease_until > now()", "AND $2::text IS NOT NULL"],
      [
        "AND NOT EXISTS (\n          SELECT 1 FROM messages a\n          WHERE a.session_id = $1 AND a.status IN ('streaming', 'paused'))",
        "",
      ],
      [
        'SELECT message_id FROM messages\n          WHERE session_id = $1 AND status IN ${statesBefore("start")} ORDER BY seq LIMIT 1',
        'SELECT message_id FROM messages\n          WHERE session_id = $1 AND status IN ${statesBefore("start")} ORDER BY seq DESC LIMIT 1',
      ],
      ["SET status = 'streaming', attempt = m.attempt + 1,", "SET status = 'streaming',"],
    ],
  },
  {
    file: "src/replies/lifecycle/start-waiting.ts",
    tests: heart("session-lock"),
    mutants: [
      ["await lockSession(tx, sessionId);", ""],
      ["(isRepeat ? await heldHere(tx, claimant, sessionId) : null)", "null"],
    ],
  },
  {
    file: "src/replies/lifecycle/take-over.ts",
    tests: heart("session-lock", "finish"),
    mutants: [
      ["await lockSession(tx, lost.sessionId);", ""],
      ["if (recoveries > maxRecoveries) return giveUp(tx, reply, cancelReason);", ""],
      ["const maxRecoveries = 3;", "const maxRecoveries = 2;"],
      [
        "SET attempt = m.attempt + 1, recoveries = m.recoveries + 1,",
        "SET recoveries = m.recoveries + 1,",
      ],
      ["m.lease_until < now() OR", "true OR"],
      ["m.lease_owner IS DISTINCT FROM ${owner}", "m.lease_owner IS NOT DISTINCT FROM ${owner}"],
      ["resumes && reply.backendState !== null", "reply.backendState === null"],
      ["AND m.cancel_reason IS NULL AS", "AS"],
      [
        'if (claimed === undefined) return { result: "not lost", effects: [] };',
        'if (claimed === undefined) return { result: "taken", effects: [] };',
      ],
      [
        '? { kind: "end", why: new ReplyStopped("cancelled", cancelReason) }',
        '? { kind: "end", why: new ReplyStopped("lost") }',
      ],
      ["after: eventSeq - 1,", "after: eventSeq,"],
      ["ORDER BY m.lease_until LIMIT $1", "ORDER BY m.lease_until DESC LIMIT $1"],
      [
        "WHERE a.session_id = q.session_id AND a.status IN ('streaming', 'paused'))\n     LIMIT $1",
        "WHERE a.session_id = q.session_id)\n     LIMIT $1",
      ],
    ],
  },
  {
    file: "src/replies/lifecycle/lifecycle.ts",
    tests: heart("lifecycle"),
    mutants: [
      ["return attempt(true, triesLeft - 1);", "throw error;"],
      ["return attempt(again, triesLeft - 1);", "throw error;"],
      ["for (const job of change.jobs ?? []) await jobs.insert(tx, job);", ""],
      ["if (isUnanswered || (change.jobs ?? []).length > 0) jobs.nudge();", ""],
      ["isUnanswered = true;", ""],
      ["transition.apply(tx, input, again)", "transition.apply(tx, input, false)"],
    ],
  },
  {
    file: "src/replies/lifecycle/replies.ts",
    tests: heart(),
    mutants: [
      [
        "      await Promise.allSettled(underway);\n      await supervisor.drain(graceMs);\n      await Promise.allSettled(underway);",
        "      await supervisor.drain(graceMs);",
      ],
      ["await Promise.allSettled(underway);\n      await supervisor", "await supervisor"],
      ["(graceMs);\n      await Promise.allSettled(underway);", "(graceMs);"],
      ["        if (!admission.isOpen()) return recovered;\n", ""],
      ["admission.isOpen() ? roomOf(ticket) : () => false", "roomOf(ticket)"],
      ["admission.close();", ""],
      ["const ticket = held ?? admission.tryTake();", "const ticket = held;"],
      ["await wake(sessionId).catch", "await Promise.resolve(sessionId).catch"],
      ["ticket !== null && ticket.mayBe(sourceOf(agentId), userId);", "ticket !== null;"],
      ["ticket.assign(sourceOf(agentId), userId);\n", ""],
      [
        "if (await recoverOne(lost, everything)) recovered += 1;",
        "await recoverOne(lost, everything);",
      ],
      [
        '          logger.error({ replyId, sessionId, err: error }, "a lost reply could not be taken over");',
        "          throw error;",
      ],
      ["if (reply.eventSeq === 0 || (await log.stat(reply.replyId)) !== null) return;", "return;"],
      ["if (reply.eventSeq === 0 || (await log.stat(reply.replyId)) !== null) return;", ""],
      [
        "if (canResume && !resumes && !everything && lost.overdueMs < resumePatienceMs) return false;",
        "",
      ],
      ["lost.canResume && backend?.resume !== undefined", "lost.canResume"],
    ],
  },
  {
    file: "src/replies/lifecycle/supervisor.ts",
    tests: heart("supervisor"),
    mutants: [
      ["if (isClosed) return store.letGo(claimed);", ""],
      ["if (known.includes(claimed.attempt)) return;", ""],
      ["stateContext(reply.backendState)?.contentLength ?? reply.content.length", "0"],
      ["return withoutLog(reply);", "return reply;"],
      [
        'else if (state.attempt !== attempt) runner.stop(new ReplyStopped("fenced"));\n    else if',
        "else if",
      ],
      ['runner.stop(new ReplyStopped("cancelled", state.cancelReason));', ""],
      ["isClosed = true;", ""],
      ["          ticket?.release();\n          if", "          if"],
      ["if (!start.isTold) look(replyId);", ""],
      ['new ReplyStopped("shutdown")', 'new ReplyStopped("timeout")'],
      [
        'logger.warn({ replyId: reply.replyId, err: error }, "a reply\'s opening cannot be written");',
        "throw error;",
      ],
      ["?? reply.content.length", "|| reply.content.length"],
      ["await store.letGo(reply).catch(() => undefined);", ""],
      ["while (running.size + starting.size > 0) {", "if (running.size + starting.size > 0) {"],
      ["if (starting.get(replyId) !== claimed.attempt) return;", ""],
    ],
  },
  {
    file: "src/replies/lifecycle/perform-effects.ts",
    tests: heart("perform-effects"),
    mutants: [
      ["          supervisor.look(effect.replyId);\n", ""],
      ["return log.signal(effect.replyId);", "return;"],
      ["return parts.wake(effect.sessionId);", "return;"],
      ["return dropLater(effect.replyId);", "return;"],
      ["told.add(effect.reply.replyId);", ""],
      ["await perform(effect);", "void perform(effect);"],
      ["telemetry.turnAccepted(fields);", ""],
      ["telemetry.sessionCreated({ sessionId, agentId });", ""],
      [
        'logger.error({ effect: effect.do, err: error }, "what follows from a transition failed");',
        "throw error;",
      ],
    ],
  },
  {
    file: "src/replies/lifecycle/admission.ts",
    tests: heart("admission"),
    mutants: [
      ["if (taken >= limits.perNode) throw", "if (taken > limits.perNode) throw"],
      [">= limits.perSource) {", "> limits.perSource) {"],
      ["limits.perUser > 0 &&", "limits.perUser >= 0 &&"],
      ["isClosed || taken >= limits.perNode ? null : issue()", "isClosed ? null : issue()"],
      ["if (holders > 0) return;", ""],
      ["        leave();\n        taken -= 1;", "        taken -= 1;"],
      [
        "assigned = refused === null ? { source, userId } : before;",
        "assigned = refused === null ? { source, userId } : null;",
      ],
    ],
  },
  {
    file: "src/replies/lifecycle/recovery.ts",
    tests: ["src/replies/lifecycle/recovery.test.ts"],
    mutants: [
      ["notBeforeMs = performance.now() + reapMs + (leaseMs * 2) / 3;", ""],
      ["if (performance.now() < notBeforeMs) return;", ""],
      ["    } finally {\n      schedule();\n    }", "    }"],
      ["if (stopped) return;", ""],
      ["replies.recover(false)", "replies.recover(true)"],
    ],
  },
  {
    file: "src/replies/lifecycle/reply-store.ts",
    tests: heart("reply-store"),
    mutants: [
      ["AND attempt = $3 AND status = 'streaming'", "AND $3::int > 0 AND status = 'streaming'"],
      ["AND attempt = $3 AND status = 'streaming'", "AND attempt = $3"],
      ["now() - interval '1 second'", "lease_until"],
      ["content <> '' AND status <> 'failed'", "content <> ''"],
      ["content <> '' AND status <> 'failed'", "status <> 'failed'"],
      ["ORDER BY seq DESC LIMIT $4", "ORDER BY seq LIMIT $4"],
      ["seq >= $2 AND seq < $3", "seq >= $2 AND seq <= $3"],
      ["if (rows.length === limit || firstSeq <= 1) return", "return"],
    ],
  },
  {
    file: "src/replies/lifecycle/with-patience.ts",
    tests: ["src/replies/lifecycle/with-patience.test.ts"],
    mutants: [
      ["performance.now() + pauseMs > deadline", "false"],
      ["&& mayHelp(error)", ""],
      ['error.type === "storage_unavailable"', "error.status === 503"],
      ["onRetry(error);", ""],
      ["pauseMs * 2", "pauseMs"],
    ],
  },
  {
    file: "src/replies/lifecycle/cut-to-heard.ts",
    tests: heart("session-lock"),
    mutants: [
      ["await lockSession(tx, sessionId);", ""],
      ["AND content = $3 AND unspoken IS NULL", "AND $3::text IS NOT NULL AND unspoken IS NULL"],
      ["AND unspoken IS NULL", ""],
      ["content.slice(0, length)", "content.slice(0, length + 1)"],
      ["content.slice(length), searchVector", "content, searchVector"],
    ],
  },
  {
    file: "src/replies/reading/reply-feeds.ts",
    tests: reading,
    mutants: [
      ["first <= cursor.seq + 1) {", "first <= cursor.seq + 2) {"],
      ["if (event.seq <= feed.last) continue;", ""],
      ["if (event.seq !== feed.last + 1) leapTo(feed, event.seq - 1);", ""],
      ["if (feed.last < last) leapTo(feed, last);", "if (feed.last < last) feed.last = last;"],
      ["if (feed?.attempt !== attempt) return;", "if (feed === undefined) return;"],
      ["if (events[0]?.seq !== cursor.seq + 1) {", "if (events.length === 0) {"],
      ["feed.unsubscribe ??= log.onBell(replyId, () => refresh(replyId, feed));", ""],
      ["if (feed.lost && feed.last <= cursor.seq) return", "if (false) return"],
      ["isAhead: feed.last > cursor.seq }", "isAhead: false }"],
      [
        "if (feed.attempt !== null || feed.reading !== undefined) return;",
        "if (feed.reading !== undefined) return;",
      ],
      ["feed.followers > 0 || feed.attempt !== null", "feed.attempt !== null"],
      ["feed.attempt = null;", ""],
    ],
  },
  {
    file: "src/replies/reading/follow-reply.ts",
    tests: [...reading, ...heart()],
    mutants: [
      ["const covered = state.eventSeq - 1;", "const covered = state.eventSeq;"],
      ["if (isTerminal(last.type)) return;", ""],
      ["if (events.length === 0 && isOver(state)) return;", ""],
      ["cursor.seq = last.seq;", ""],
      ["if (events[0]?.seq === after + 1) return events;", ""],
      ['state.status !== "paused") return null;', "true) return null;"],
    ],
  },
  {
    file: "src/replies/reading/sse.ts",
    tests: ["src/replies/reading/sse.test.ts"],
    mutants: [
      ["        gone.abort();\n        raw.destroy();\n      }, stallMs);", "      }, stallMs);"],
      ["onceClosed(raw, () => gone.abort());", ""],
      ['raw.on("error", () => gone.abort());', ""],
      ["if (giveBack === null) throw", "if (false) throw"],
      ["telemetry.viewers(-1);", ""],
      ["return underWay > 1 ? taken() : undefined;", "return undefined;"],
      ["if (isClosing) gone.abort();", ""],
      ["if (isOver && !gone.signal.aborted) raw.write(endLine);", ""],
    ],
  },
  {
    file: "src/replies/log/memory.ts",
    tests: ["src/replies/log/memory.test.ts", "src/replies/log/reply-log.model.test.ts"],
    mutants: [
      ["if (entry.restsSince === null) rest(replyId, entry);", ""],
      ["entry.isOwned = true;\n      entry.restsSince = null;", "entry.isOwned = true;"],
      ["for (const entry of entries.values()) trim(entry, level);", ""],
      ["if (entry.bytes > options.maxReplyBytes) trim(entry, options.maxReplyBytes * 0.75);", ""],
      ["if (isAtRest(event.type)) rest(replyId, entry);", ""],
      ["if (event.seq <= last) continue;", ""],
      ["if (entry.epoch > epoch) {", "if (false) {"],
      ["for (const mayGo of [rests, waits]) {", "for (const mayGo of [waits, rests]) {"],
    ],
  },
  {
    file: "src/replies/log/redis.ts",
    tests: log("redis"),
    mutants: [
      ["if (!producer.owned) drop(replyId, producer);", ""],
      [
        "for (const producer of producers.values()) counted(producer, () => producer.trim(level));",
        "",
      ],
      ["totalBytes -= producer.bytes;", ""],
      ["for (const producer of producers.values()) producer.retry();", ""],
      ["if (!isWritten && !closed) setDegraded(true);", ""],
      ["clearTimeout(timer);", ""],
      ["if (degraded || producers.get(replyId) !== producer) return;", ""],
      ["(producer.owned || producer.isBehind)", "producer.owned"],
      ["if (!producer.isBehind) drop(replyId, producer);", "drop(replyId, producer);"],
      ["if (page.first !== null || producer === undefined) return page;", "return page;"],
      [
        "if (remembered?.first === 1) return remembered;",
        "if (remembered !== null) return remembered;",
      ],
      ["onWritten: () => setDegraded(false),", "onWritten() {},"],
      ["hear(replyId);\n      client", "client"],
    ],
  },
  {
    file: "src/replies/log/reply-producer.ts",
    tests: ["src/replies/log/reply-producer.test.ts", ...log("redis")],
    mutants: [
      // An answer that does not say what the stream has.
      ["} else if (isRepeat(result)) {", "} else if (false) {"],
      ["this.#restart();\n        this.#create = true;\n        return;", "return;"],
      ["this.#create = true;\n        return;", "return;"],
      [
        "if (failure !== null) {\n          // The failed event is a hole before this one.\n          this.#remake();\n          return;\n        }",
        "",
      ],
      ["if (top.epoch > this.#epoch) {", "if (false) {"],
      ["this.#acknowledged = Math.min(top.seq, this.last);", "this.#acknowledged = this.last;"],
      ["this.#epoch > epoch || fencedBy > epoch", "this.#epoch > epoch"],
      ["this.#acknowledged = first - 1;", "this.#acknowledged = 0;"],
      ["this.#create = first === 1;", "this.#create = true;"],
      ['["PEXPIRE", key, ttlMs]', '["PERSIST", key]'],
      ["this.#ttlRenewedMs = performance.now();", ""],
      ['if (trims) commands.push(["XTRIM"', 'if (false) commands.push(["XTRIM"'],
      ["if (this.#fencedBy !== null) waiter.reject(this.#fenced());\n      else if", "if"],
      ["for (const { resolve } of this.#waiting) resolve();", ""],
      ["this.trim(this.#options.maxBytes * 0.75);", ""],
    ],
  },
  {
    file: "src/replies/log/stream-reader.ts",
    tests: log("redis"),
    mutants: [
      ["if (seq <= last) continue;", ""],
      ["if (events.length > 0 && seq > last + 1) break;", ""],
      ["if (exists === 0) return { events: [], first: null };", ""],
      ["places.get(replyId)?.seq ?? 0", "0"],
      ["if (failed !== undefined) throw failed;", ""],
    ],
  },
  {
    file: "src/replies/log/log-tail.ts",
    tests: ["src/replies/log/log-tail.test.ts", "src/replies/lifecycle/supervisor.test.ts"],
    mutants: [
      ["last !== null && last >= reply.eventSeq &&", "last !== null &&"],
      ["&& last <= eventSeq;", ";"],
      ["eventSeq: reply.eventSeq + lostEvents };", "eventSeq: reply.eventSeq };"],
      ["events[0]?.seq !== eventSeq + 1", "false"],
      ['event.type === "reasoning_chunk" && !keepState', 'event.type === "reasoning_chunk"'],
      ["content = event.content;", "content += event.content;"],
    ],
  },
  {
    file: "src/replies/making/checkpoints.ts",
    tests: making("checkpoints"),
    mutants: [
      ["if (batch.length > 1 && sqlState(error) !== undefined) {", "if (false) {"],
      ["AND m.attempt = c.attempt", ""],
      ["AND m.status = 'streaming'", ""],
      [
        "resolve(kept.get(replyId) ?? null)",
        "resolve(kept.get(replyId) ?? { cancelReason: null })",
      ],
      ["    isStoring = false;\n  };", "  };"],
      ["if (listeners.size > 0) return;", ""],
    ],
  },
  {
    file: "src/replies/making/checkpoint-pump.ts",
    tests: making("checkpoint-pump"),
    mutants: [
      ["const leastPart = 1 / 4;", "const leastPart = 0;"],
      ["changes === null && now - this.#renewedMs < leaseRenewalMs", "changes === null"],
      ["const firstTextMs = 250;", "const firstTextMs = 2_500;"],
      ["this.#isEnding ? this.#stored : progress()", "progress()"],
      ["if (!this.#isWaiting) this.request();", "this.request();"],
      ["const mostEvents = 500;", "const mostEvents = 5_000;"],
    ],
  },
  {
    file: "src/replies/making/reply-writer.ts",
    tests: making("reply-writer"),
    mutants: [
      ["this.#last += 1;", "this.#last += 2;"],
      ["if (this.#lost) return;", ""],
      ["feeds.publish(replyId, batch);", ""],
      ["await log.append(replyId, epoch, batch);", "void log.append(replyId, epoch, batch);"],
      ["while (this.#appending !== null) await this.#appending;", ""],
      [">= maxPendingLength", "> maxPendingLength * 2"],
    ],
  },
  {
    file: "src/replies/making/skip-text.ts",
    tests: making("skip-text"),
    mutants: [
      ["let rest = content.length - stateLength;", "let rest = 0;"],
      ["rest -= skipped;", ""],
      ["if (skipped < event.text.length)", "if (skipped <= event.text.length)"],
      ["if (!known) yield event;", ""],
    ],
  },
  {
    file: "src/replies/making/reply-runner.ts",
    tests: making("reply-runner"),
    mutants: [
      ['if (kept === null) this.stop(new ReplyStopped("fenced"));\n        else if', "if"],
      ['this.stop(new ReplyStopped("cancelled", kept.cancelReason));', ""],
      ["await Promise.race([speech?.finish(), aborted.promise])", "await aborted.promise"],
      [
        'if (outcome.kind === "finished") this.#writer.finishText(this.reply.agentId);',
        "this.#writer.finishText(this.reply.agentId);",
      ],
      ["audio: end.audio ?? this.reply.audio,", "audio: end.audio ?? null,"],
      ["if (failure.isCut) this.#writer.finishText(agentId);", ""],
      ["if (signal.aborted) break;", ""],
      ["eventSeq: this.#writer.last + 1 };", "eventSeq: this.#writer.last };"],
      ["await this.#writer.flushed();\n    // The", "// The"],
      ["if (writer.backlog > maxBacklogLength) await writer.flushed();", ""],
    ],
  },
  {
    file: "src/replies/making/apply-event.ts",
    tests: making("apply-event"),
    mutants: [
      [
        "const contentBytes = draft.contentBytes + Buffer.byteLength(text);",
        "const contentBytes = draft.contentBytes + text.length;",
      ],
      ["contentBytes > maxReplyBytes", "contentBytes >= maxReplyBytes"],
      ["contentBytes: Buffer.byteLength(reply.content),", "contentBytes: 0,"],
      ["contentLength: draft.content.length, usage", "contentLength: 0, usage"],
      ["checkpoint: !draft.isResumable,", "checkpoint: true,"],
      ["name: known.name, agent_id: known.agent_id", "agent_id: known.agent_id"],
      ["isKnown || media.length >= maxItems", "media.length >= maxItems"],
      ["calls.length < maxItems ? [...calls, call] : calls", "[...calls, call]"],
    ],
  },
  {
    file: "src/replies/making/reply-failure.ts",
    tests: making("reply-failure"),
    mutants: [
      ['case "fenced":\n      return null;', 'case "fenced":'],
      [
        '{ status: "complete", finishReason: "length", isCut: true }',
        '{ status: "complete", finishReason: "stop", isCut: true }',
      ],
      ["finishReason: stop.reason, isCut: false", 'finishReason: "cancelled", isCut: false'],
    ],
  },
  {
    file: "src/sessions/sessions.ts",
    tests: ["src/sessions/sessions.test.ts"],
    mutants: [
      [
        "return insertSession(tx, prepared, 0);",
        "telemetry.sessionCreated(prepared);\n        return insertSession(tx, prepared, 0);",
      ],
      ["replies.forget(sessionId, days)", "replies.forget(sessionId)"],
      ["if (!(await idempotency.claim(tx, wanted.userId, key, result))) return null;", ""],
      ["telemetry.sessionCreated({ sessionId, agentId });", ""],
      ['if (session?.status === "archived") await', "await"],
      ["if (signal?.aborted === true) return deleted;", ""],
      ["if (earlier !== null) return existing(earlier.sessionId);", ""],
      ["after = { lastActivity: position, sessionId };", ""],
    ],
  },
  {
    file: "src/sessions/active-limit.ts",
    tests: ["src/sessions/sessions.test.ts"],
    mutants: [
      ["< maxActive) return;", "<= maxActive) return;"],
      ["if (maxActive === 0) return;", ""],
    ],
  },
  {
    file: "src/sessions/session-store.ts",
    tests: ["src/sessions/sessions.test.ts"],
    mutants: [
      [
        'await tx.query("SELECT pg_advisory_xact_lock($1, hashtext($2))", [\n        activeSessionsLock,\n        userId,\n      ]);',
        "",
      ],
    ],
  },
  {
    file: "src/sessions/retention.ts",
    tests: ["src/sessions/retention.test.ts"],
    mutants: [
      ["    schedule(pauseMs);\n  };", "  };\n  setInterval(() => void cleanUp(), pauseMs);"],
      ["schedule(firstMs);\n  return", "schedule(pauseMs);\n  return"],
      ["if (retentionDays === 0) return;", ""],
      ["if (signal.aborted) return;\n      await", "await"],
      ["return round;", "return Promise.resolve();"],
      ['logger.warn({ err: error }, "cleaning up failed; trying again"),', "{ throw error; }"],
    ],
  },
  {
    file: "src/chat/chat-connection.ts",
    tests: ["src/chat/chat-connection.test.ts"],
    mutants: [
      ['this.#inbox.add(isApart ? "speech" : "messages"', 'this.#inbox.add("messages"'],
      ['if (type === "ping" && this.#caller !== null) return this.#post({ type: "pong" });', ""],
      ["if (this.#caller === null) this.#socket.pause();", ""],
      ["this.#socket.pause();\n    this.#inbox.add", "this.#inbox.add"],
      ["if (isBinary && this.#caller !== null) return this.#hear(data);", ""],
      ["if (this.#isRefused) return;\n    if (isBinary", "if (isBinary"],
      ["if (this.#isRefused) return;\n    this.#isRefused = true;", "this.#isRefused = true;"],
      ["if (caller.identity !== null) callerUser(caller, userId);", ""],
      ["owner = await this.#ownerOf(caller, sessionId);", ""],
      ["|| !mayAccess(caller, session.userId, this.#opening.userId)", ""],
      [
        "isId(sessionId) ? await this.#options.sessions.find(sessionId) : null",
        "await this.#options.sessions.find(sessionId)",
      ],
      ["if (!(await this.#isInTime(this.#caller))) return;", ""],
      ["return false; // the", "return true; // the"],
      [
        "checkMessage({ ...this.#address(), ...given });\n    await this.#authorized();",
        "checkMessage({ ...this.#address(), ...given });",
      ],
      [
        "await this.#options.commands.cancel(await this.#authorized(), this",
        "await this.#options.commands.cancel(caller, this",
      ],
      [
        "await this.#authorized();\n        this.#followed.admit(messageId);",
        "this.#followed.admit(messageId);",
      ],
      ["this.#followed.admit(messageId);", ""],
      ["this.#followed.admit(replyId);", ""],
      ["await this.#authorized();\n    this.#followed.admit();", "await this.#authorized();"],
      [
        "this.#followed.show({ replyId, after, isSpoken: spoken",
        "this.#followed.show({ replyId, after: 0, isSpoken: spoken",
      ],
      [
        "this.#followed.show({ replyId, after, isSpoken: false",
        "this.#followed.show({ replyId, after: 0, isSpoken: false",
      ],
      ["this.#authenticate === null || !isToken", "this.#authenticate === null"],
      ["if (sessionId !== undefined) return { session_id: sessionId };", ""],
      ["if (message.session_id) await this.#ownerOf(caller, message.session_id);", ""],
      ["message: { ...turn.message, audio },", ""],
      ["if (this.#socket.bufferedAmount > maxUnreadBytes) return this.#socket.terminate();", ""],
      ["if (this.#socket.readyState !== this.#socket.OPEN) return;", ""],
      ["if (!(error instanceof Problem)) {", "if (false) {"],
      ["this.#closed.abort();\n", ""],
      ["this.#followed.close();", ""],
      ["this.#conversation.close();", ""],
      ["checkJson(data, maxBytes);", ""],
      ["checkRest(value, data.length, maxBytes);", ""],
    ],
  },
  {
    file: "src/chat/followed-replies.ts",
    tests: ["src/chat/chat-connection.test.ts"],
    mutants: [
      [
        "if (this.#followed.size < maxFollowed) return;",
        "if (this.#followed.size <= maxFollowed) return;",
      ],
      ["if (replyId !== undefined && this.#followed.has(replyId)) return;", ""],
      ["this.#followed.get(replyId)?.abort();", ""],
      ["if (this.#socket.readyState !== this.#socket.OPEN) following.abort();", ""],
      ["if (this.#socket.readyState === this.#socket.OPEN) tell(error);", "tell(error);"],
      ["if (this.#followed.get(replyId) === following) this.#followed.delete(replyId);", ""],
      ["if (this.#followed.get(replyId) === following) this", "this"],
      ["for (const following of this.#followed.values()) following.abort();", ""],
    ],
  },
  {
    file: "src/chat/socket-places.ts",
    tests: ["src/chat/socket-places.test.ts"],
    mutants: [
      ["new Places(Math.ceil(max / 10))", "new Places(max)"],
      ["this.checkUnknown(address);", ""],
      ["for (const giveBack of taken) giveBack?.();", ""],
      ["if (this.#unknown.isFull) full();", ""],
      ["?.isFull !== true) return;", "?.isFull !== false) return;"],
      ["if (this.#known.isFull) full();", ""],
      ["this.#ofAddress.set(address, ofAddress);", ""],
    ],
  },
  {
    file: "src/chat/inbox.ts",
    tests: ["src/chat/inbox.test.ts"],
    mutants: [
      ["if (isFirst) void this.#work(pending);", "void this.#work([{ bytes, handle }]);"],
      ["if (this.#isFull()) this.#socket.pause();", ""],
      ["if (this.#socket.isPaused && !this.#isFull()) this.#socket.resume();", ""],
      [".catch(this.#onError)", ""],
      ["|| this.#bytes >= maxPendingBytes", ""],
    ],
  },
  {
    file: "src/chat/commands.ts",
    tests: ["src/chat/commands.test.ts"],
    mutants: [
      ["!mayAccess(caller, reply.userId, userId)", "false"],
      ["if (messageRateLimit === 0) return;", ""],
      ["if (decision.allowed) return;", "return;"],
      ["isId(messageId) ? await look(messageId) : null", "await look(messageId)"],
      ["if (sessionId !== undefined && !isId(sessionId)) {", "if (false) {"],
      ['if (before.status === "cancelled") return before;', ""],
      ['if (now.status !== "cancelled") {', "if (true) {"],
      ["check: (requirements) => checkDecisions(requirements, decisions),", "check: () => {},"],
      ["for (const id of open) details.push", "for (const id of []) details.push"],
      ["open.delete(id)", "open.has(id)"],
      ["if (messageId === null) throw", "if (false) throw"],
      ["await ended(replyId, AbortSignal.timeout(cancelWaitMs));", ""],
      ["after: reply.eventSeq };", "after: 0 };"],
      [
        "if (caller.identity !== null) await identity.authorize",
        "if (false) await identity.authorize",
      ],
    ],
  },
  {
    file: "src/chat/message-store.ts",
    tests: ["src/chat/message-store.test.ts"],
    mutants: [
      ["sql`seq > ${range.seq}`", "sql`seq >= ${range.seq}`"],
      [
        '[...all, sql`seq < ${range.seq}`], "DESC", { limit });',
        '[...all, sql`seq <= ${range.seq}`], "DESC", { limit });',
      ],
      ['direction === "ASC" ? rows : rows.reverse()', "rows"],
      ["LIMIT ${limit + 1}", "LIMIT ${limit}"],
      ["created_at <= ${until}", "created_at < ${until}"],
      ["hasMore: rest.hasMore };", "hasMore: before.hasMore };"],
      ["limit: limit - half,", "limit,"],
    ],
  },
  {
    file: "src/cache/redis.ts",
    tests: ["src/cache/redis.test.ts"],
    mutants: [
      ["if (isDoubtful(key)) return miss(token);", ""],
      ["!(ttlMs > 0) || isDoubtful(key)", "!(ttlMs > 0)"],
      [
        "      doubt(key);\n      tell(error);\n      return false;",
        "      tell(error);\n      return false;",
      ],
    ],
  },
  {
    file: "src/http/gone-signal.ts",
    tests: ["src/replies/reading/sse.test.ts"],
    mutants: [
      ["if (response.destroyed || response.closed) callback();\n  else response", "response"],
    ],
  },
  {
    file: "src/database/postgres.ts",
    tests: ["src/database/postgres.test.ts"],
    mutants: [
      ["client.release(lent.isLost);", "client.release(true);"],
      ["client.release(lent.isLost);", "client.release(false);"],
      ["return state === undefined || lostStates.test(state);", "return true;"],
    ],
  },
  {
    file: "src/telemetry/line-writer.ts",
    tests: ["src/telemetry/log-file.test.ts", "src/telemetry/create-logger.test.ts"],
    mutants: [
      ["if (isFaulty) return;", ""],
      [
        "isFaulty = true;\n    onFault(error instanceof Error ? error : new Error(String(error)));",
        "onFault(error instanceof Error ? error : new Error(String(error)));\n    isFaulty = true;",
      ],
      ["if (waitingBytes + bytes > maxWaitingBytes) {", "if (false) {"],
    ],
  },
  {
    file: "src/composition/closing.ts",
    tests: ["src/composition/closing.test.ts"],
    mutants: [
      [
        'logger.error({ part: part.name, err: error }, "a part could not be closed");',
        "throw error;",
      ],
      [
        "opened.pop(); part !== undefined; part = opened.pop()",
        "opened.shift(); part !== undefined; part = opened.shift()",
      ],
      ["await part.close();", "void part.close();"],
    ],
  },
  {
    file: "src/database/migrations/0006-audio-of-sessions.sql",
    tests: ["src/voice/audio-store.test.ts"],
    mutants: [["ON DELETE CASCADE NOT VALID", "NOT VALID"]],
  },
];
