import { encodeFile as encode, type EncodedFile } from "../../../packages/client/src/index.ts";
import { currentTexts } from "../text/use-texts.ts";

/** As the service takes it. Raises, in words for people, when the browser has lost it. */
export async function encodeFile(file: File): Promise<EncodedFile> {
  try {
    return await encode(file);
  } catch (error) {
    throw new Error(currentTexts().files.lost, { cause: error });
  }
}
