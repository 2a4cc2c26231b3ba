import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";

/** What sherpa-onnx is given, in its own words. */
export type ModelConfig =
  | { readonly kind: "recognizer"; readonly config: object }
  | { readonly kind: "speaker"; readonly config: object };

const threads = 2;

/** The files of a model's folder, and functions to find some of them. */
async function openFolder(directory: string) {
  const names = await readdir(directory).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`the model folder ${directory} cannot be read (${cause.code})`, { cause });
  });
  names.sort();
  const all = (pattern: RegExp) => names.filter((name) => pattern.test(name));
  /** Smaller variants first: they are as good for a conversation. */
  const find = (pattern: RegExp) => {
    const found = all(pattern);
    const name = found.find((each) => each.includes("int8")) ?? found[0];
    return name === undefined ? undefined : join(directory, name);
  };
  const need = (pattern: RegExp, what: string) => {
    const path = find(pattern);
    if (path === undefined) throw new Error(`the model folder ${directory} has no ${what}`);
    return path;
  };
  return { all, find, need, path: (name: string) => join(directory, name) };
}

/**
 * How to load the recogniser in a folder as sherpa-onnx publishes them: Whisper, a transducer, Paraformer or SenseVoice,
 * told apart by their files. Throws, in words for the operator, where files are missing.
 */
export async function recognizerConfig(directory: string): Promise<ModelConfig> {
  const { find, need } = await openFolder(directory);
  const tokens = need(/tokens\.txt$/, "tokens.txt");
  const [encoder, decoder, joiner] = [
    /encoder.*\.onnx$/,
    /decoder.*\.onnx$/,
    /joiner.*\.onnx$/,
  ].map((pattern) => find(pattern));
  const common = { tokens, numThreads: threads, provider: "cpu", debug: 0 };
  const withModel = (model: object) => ({
    kind: "recognizer" as const,
    config: {
      featConfig: { sampleRate: 16_000, featureDim: 80 },
      modelConfig: { ...common, ...model },
    },
  });
  if (encoder && decoder && joiner) return withModel({ transducer: { encoder, decoder, joiner } });
  if (encoder && decoder) return withModel({ whisper: { encoder, decoder, task: "transcribe" } });
  const model = need(/\.onnx$/, "model (.onnx)");
  if (basename(directory).includes("paraformer")) return withModel({ paraformer: { model } });
  return withModel({ senseVoice: { model, language: "auto", useInverseTextNormalization: 1 } });
}

/** How to load the voices in a folder: Kokoro, Matcha, or VITS (also those of Piper). Throws as above. */
export async function speakerConfig(directory: string): Promise<ModelConfig> {
  const { all, find, need, path } = await openFolder(directory);
  const tokens = need(/tokens\.txt$/, "tokens.txt");
  const lexicons = all(/^lexicon.*\.txt$/)
    .map(path)
    .join(",");
  const rules = all(/\.fst$/)
    .map(path)
    .join(",");
  const pronunciation = all(/^espeak-ng-data$/).map(path)[0];
  const common = {
    tokens,
    ...(lexicons && { lexicon: lexicons }),
    ...(pronunciation && { dataDir: pronunciation }),
  };
  const withModel = (model: object) => ({
    kind: "speaker" as const,
    config: {
      model: { ...model, numThreads: threads, provider: "cpu", debug: 0 },
      maxNumSentences: 1,
      ...(rules && { ruleFsts: rules }),
    },
  });
  const vocoder = find(/^(vocos|hifigan|vocoder).*\.onnx$/);
  const voices = find(/^voices\.bin$/);
  if (voices) {
    return withModel({ kokoro: { model: need(/^model.*\.onnx$/, "model"), voices, ...common } });
  }
  if (vocoder) {
    const acousticModel = need(/^(model|acoustic).*\.onnx$/, "acoustic model");
    return withModel({ matcha: { acousticModel, vocoder, ...common } });
  }
  return withModel({ vits: { model: need(/\.onnx$/, "model (.onnx)"), ...common } });
}
