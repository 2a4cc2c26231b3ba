/** A file as messages carry it: `data` is Base64. */
export interface EncodedFile {
  readonly name: string;
  readonly media_type: string;
  readonly data: string;
}

const pieceLength = 0x8000;

/** As the service takes it. Rejects when the browser has lost the file. */
export async function encodeFile(file: Blob): Promise<EncodedFile> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  // All at once would be too many arguments.
  for (let start = 0; start < bytes.length; start += pieceLength) {
    text += String.fromCharCode(...bytes.subarray(start, start + pieceLength));
  }
  return {
    name: file instanceof File ? file.name : "file",
    media_type: file.type.split(";")[0] || "application/octet-stream",
    data: btoa(text),
  };
}

/** Files that are encoded already go as they are. */
export function encodeFiles(files: readonly (Blob | EncodedFile)[]): Promise<EncodedFile[]> {
  return Promise.all(files.map(async (file) => (file instanceof Blob ? encodeFile(file) : file)));
}
