import { StatusError } from "../../../common/errors/mod.ts";

/** How an answer is to be printed. */
export type OutputForm = "object" | "table" | "metadata";

interface MediaType {
  type: string;
  parameters: ReadonlyMap<string, string>;
}

/** The media types of an Accept header, in the client's order. */
export function parseAccept(header: string | null): MediaType[] {
  return (header ?? "*/*").slice(0, 4096).split(",").map((part) => {
    const [type = "", ...rest] = part.split(";").map((p) => p.trim());
    const parameters = new Map(rest.map((p): [string, string] => {
      const [key = "", value = ""] = p.split("=", 2);
      return [key.toLowerCase(), value];
    }));
    return { type: type.toLowerCase(), parameters };
  });
}

const JSON_TYPES: ReadonlySet<string> = new Set(["application/json", "application/*", "*/*"]);

/**
 * The first form the client accepts that this server can print.
 * @throws {StatusError} NotAcceptable when it accepts none, such as protobuf only
 */
export function outputForm(accept: string | null): OutputForm {
  let json = false;
  for (const { type, parameters } of parseAccept(accept)) {
    if (!JSON_TYPES.has(type)) continue;
    json = true;
    const as = parameters.get("as");
    if (as === undefined) return "object";
    if (parameters.get("g") !== "meta.k8s.io" || parameters.get("v") !== "v1") continue;
    if (as === "Table") return "table";
    if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") return "metadata";
  }
  if (!json) {
    throw new StatusError(
      "NotAcceptable",
      "406: Not Acceptable\n\nAvailable representations: application/json, application/json;stream=watch",
      { details: {} },
    );
  }
  throw new StatusError(
    "NotAcceptable",
    "only the following media types are accepted: application/json, application/json;as=Table;v=v1;g=meta.k8s.io, application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
  );
}

/** The version of aggregated discovery the client accepts, if it prefers that to the plain lists. */
export function aggregatedDiscovery(accept: string | null): "v2" | "v2beta1" | undefined {
  for (const { type, parameters } of parseAccept(accept)) {
    if (!JSON_TYPES.has(type)) continue;
    const version = parameters.get("v");
    if (parameters.get("as") === "APIGroupDiscoveryList" && parameters.get("g") === "apidiscovery.k8s.io") {
      if (version === "v2" || version === "v2beta1") return version;
    } else if (parameters.get("as") === undefined) return undefined;
  }
  return undefined;
}
