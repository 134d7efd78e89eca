import type { Document, ParseOptions, SchemaOptions } from "yaml";
import { checkYaml, repeatedKeys, WITHOUT_COMPARISONS } from "./yaml_bounds.ts";

/** What a YAML text is. */
export interface YamlValue {
  value: unknown;
  /** Of keys that a map has twice the last counts. */
  twice: KeyTwice[];
}

/** A key that its map has twice, and where it is the second time. */
export interface KeyTwice {
  key: string;
  line: number;
}

/** What is said of a key that its map has twice. */
export function printTwice({ key, line }: KeyTwice): string {
  return `line ${line}: key ${JSON.stringify(key)} already set in map`;
}

/** Most duplicates that are told. */
const MAX_TWICE = 20;

/** What YAML 1.1 reads otherwise than 1.2, and the real server's parser with it. Upstream: sigs.k8s.io/yaml goyaml.v2/resolve.go */
const OLD_SCALARS: ReadonlyArray<{ tag: string; test: RegExp; value: (source: string) => unknown }> = [
  {
    tag: "tag:yaml.org,2002:bool",
    test: /^(?:y|Y|yes|Yes|YES|on|On|ON)$/,
    value: () => true,
  },
  {
    tag: "tag:yaml.org,2002:bool",
    test: /^(?:n|N|no|No|NO|off|Off|OFF)$/,
    value: () => false,
  },
  {
    tag: "tag:yaml.org,2002:int",
    test: /^[-+]?0[0-7]+$/,
    value: (source) => parseInt(source, 8),
  },
];

/**
 * Reads YAML from outside as the real server does: of several documents the first, undefined when there is none.
 * @throws {SyntaxError} whose message says what is wrong, and where
 * @throws {StatusError} RequestEntityTooLarge, BadRequest for what takes too long to read
 */
export async function readYaml(text: string): Promise<YamlValue | undefined> {
  // The library takes megabytes, and clients send JSON as a rule.
  const { LineCounter, parseAllDocuments, Scalar } = await import("yaml");
  checkYaml(text);
  const lines = new LineCounter();
  const options: ParseOptions & SchemaOptions = {
    ...WITHOUT_COMPARISONS,
    schema: "core",
    merge: true,
    lineCounter: lines,
    customTags: (tags) => [
      ...OLD_SCALARS.map(({ tag, test, value }) => ({
        tag,
        test,
        default: true,
        resolve: (source: string) => new Scalar(value(source)),
      })),
      ...tags,
    ],
  };
  const documents = parseAllDocuments(text, { ...options, prettyErrors: false });
  const [document]: Document.Parsed[] = "empty" in documents ? [] : documents;
  if (document === undefined) return undefined;
  const lineOf = (position: number) => lines.linePos(position).line;
  for (const error of document.errors) {
    throw new SyntaxError(`yaml: line ${lineOf(error.pos[0])}: ${error.message}`, { cause: error });
  }
  const twice = (await repeatedKeys(document)).slice(0, MAX_TWICE).map((at): KeyTwice => ({
    key: /^[^:\n]*/.exec(text.slice(at, at + 100))?.[0].trim() ?? "",
    line: lineOf(at),
  }));
  try {
    return { value: document.toJS({ maxAliasCount: 50 }), twice };
  } catch (cause) {
    throw new SyntaxError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
