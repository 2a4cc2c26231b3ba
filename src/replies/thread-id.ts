/** What an agent that remembers by itself knows a line of a conversation as: the session, until there are branches. */
export function threadId(sessionId: string, thread: number): string {
  return thread === 0 ? sessionId : `${sessionId}-${thread}`;
}
