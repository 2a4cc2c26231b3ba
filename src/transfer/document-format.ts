/** What our own exports say of themselves, and what an import looks for. */
export const documentFormat = "chat-service";
export const documentVersion = 1;
