/** Gives the browser a file to save. */
export function saveFile(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser takes what it is given after this turn.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
