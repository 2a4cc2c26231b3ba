/** What clients did and saw, and whether it can be true given what the database holds in the end. */

export interface Send {
  readonly key: string;
  readonly sessionId: string;
  readonly text: string;
  /** Monotonic, of the test's process. */
  readonly invokedMs: number;
  /** When the service said that it has the message; null: it never did, what became of it is unknown. */
  readonly acknowledgedMs: number | null;
  readonly replyId: string | null;
}

export interface SeenEvent {
  readonly id: number;
  readonly type: string;
  /** The event as JSON. */
  readonly json: string;
}

/** Everything that one client saw of one reply, over all of its connections. */
export interface View {
  readonly replyId: string;
  readonly events: readonly SeenEvent[];
}

export interface History {
  readonly sends: readonly Send[];
  readonly views: readonly View[];
}

export interface StoredRow {
  readonly sessionId: string;
  readonly messageId: string;
  readonly seq: number;
  readonly role: string;
  readonly status: string;
  readonly content: string;
}

const terminalStatuses: Readonly<Record<string, readonly string[]>> = {
  conversation_complete: ["complete"],
  cancelled: ["cancelled"],
  error: ["failed", "interrupted"],
};

/** Every way in which the history contradicts itself or the database; empty when it can be true. */
export function checkHistory({ sends, views }: History, rows: readonly StoredRow[]): string[] {
  return [
    ...checkMessages(sends, rows),
    ...checkNumbers(rows),
    ...checkOrder(sends, rows),
    ...views.flatMap((view) => checkView(view, rows)),
    ...checkAgreement(views),
    ...rows
      .filter((row) => ["queued", "streaming"].includes(row.status))
      .map((row) => `reply ${row.messageId} never ended: it is ${row.status}`),
  ];
}

/** Acknowledged messages are there, once; nothing is there that nobody sent. */
function checkMessages(sends: readonly Send[], rows: readonly StoredRow[]): string[] {
  const faults: string[] = [];
  const stored = rows.filter((row) => row.role === "user");
  for (const send of sends) {
    const found = stored.filter(
      (row) => row.content === send.text && row.sessionId === send.sessionId,
    );
    if (found.length > 1) faults.push(`message "${send.text}" is stored ${found.length} times`);
    if (found.length === 0 && send.acknowledgedMs !== null) {
      faults.push(`message "${send.text}" was acknowledged and is lost`);
    }
    const reply = rows.find((row) => row.messageId === send.replyId);
    if (send.replyId !== null && reply === undefined) {
      faults.push(`reply ${send.replyId} was acknowledged and is lost`);
    }
  }
  for (const row of stored) {
    if (!sends.some((send) => send.text === row.content && send.sessionId === row.sessionId)) {
      faults.push(`message "${row.content}" was sent by nobody`);
    }
  }
  return faults;
}

function checkNumbers(rows: readonly StoredRow[]): string[] {
  return [...Map.groupBy(rows, (row) => row.sessionId)].flatMap(([sessionId, ofSession]) => {
    const numbers = ofSession.map((row) => row.seq).sort((left, right) => left - right);
    return numbers.every((number, index) => number === index + 1)
      ? []
      : [`numbers of session ${sessionId} have a gap or a double: ${numbers.join(" ")}`];
  });
}

/** Whatever was acknowledged before another message was sent has a lower number. */
function checkOrder(sends: readonly Send[], rows: readonly StoredRow[]): string[] {
  const numbers = new Map(rows.map((row) => [`${row.sessionId} ${row.content}`, row.seq]));
  return [...Map.groupBy(sends, (send) => send.sessionId).values()].flatMap((ofSession) =>
    ofSession.flatMap((later) =>
      ofSession.flatMap((earlier) => {
        if (earlier.acknowledgedMs === null || earlier.acknowledgedMs >= later.invokedMs) return [];
        const before = numbers.get(`${earlier.sessionId} ${earlier.text}`);
        const after = numbers.get(`${later.sessionId} ${later.text}`);
        return before !== undefined && after !== undefined && before > after
          ? [
              `"${earlier.text}" was acknowledged before "${later.text}" was sent and stands after it`,
            ]
          : [];
      }),
    ),
  );
}

function checkView({ replyId, events }: View, rows: readonly StoredRow[]): string[] {
  const faults: string[] = [];
  const fault = (text: string) => faults.push(`reply ${replyId}: ${text}`);
  let last = 0;
  let text = "";
  let ends = 0;
  for (const { id, type, json } of events) {
    const event = JSON.parse(json) as { chunk?: string; content?: string; message_id?: string };
    if (event.message_id !== replyId) fault(`event ${id} belongs to ${event.message_id}`);
    if (ends > 0) fault(`event ${id} (${type}) after its end`);
    if (id <= last) fault(`event ${id} after event ${last}`);
    // A snapshot stands for everything up to its number.
    else if (id !== last + 1 && type !== "snapshot") fault(`event ${id} follows event ${last}`);
    last = Math.max(last, id);
    if (type === "assistant_chunk") text += event.chunk ?? "";
    if (type === "snapshot" || type === "replaced") text = event.content ?? "";
    if (type in terminalStatuses) ends += 1;
  }
  const end = events.at(-1);
  const stored = rows.find((row) => row.messageId === replyId);
  if (ends === 0 || end === undefined) fault("no end was seen");
  else if (stored === undefined) fault("was seen and is not stored");
  else {
    if (!(terminalStatuses[end.type] ?? []).includes(stored.status)) {
      fault(`ended as ${end.type} and is stored as ${stored.status}`);
    }
    const full = (JSON.parse(end.json) as { full_response?: string }).full_response;
    if (full !== stored.content) fault("its end tells another text than is stored");
    if (stored.status === "complete" && text !== stored.content) {
      fault(`${text.length} characters were seen, ${stored.content.length} other ones are stored`);
    }
  }
  return faults;
}

/** Two who saw an event of the same number saw the same event; a snapshot may stand in for one. */
function checkAgreement(views: readonly View[]): string[] {
  const known = new Map<string, string>();
  return views.flatMap(({ replyId, events }) =>
    events.flatMap(({ id, type, json }) => {
      // An end may be told again from the database, later than it was told first.
      const { timestamp: _, ...told } = JSON.parse(json) as Record<string, unknown>;
      const key = `${replyId} ${id}`;
      if (type === "snapshot") return [];
      const text = JSON.stringify(told);
      const other = known.get(key);
      known.set(key, text);
      return other === undefined || other === text
        ? []
        : [
            `reply ${replyId}: event ${id} was seen as ${other.slice(0, 80)} and ${text.slice(0, 80)}`,
          ];
    }),
  );
}
