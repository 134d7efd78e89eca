/*
 * Names of images.
 *
 *   reference = [domain "/"] path [":" tag] ["@" digest]
 *   domain    = host [":" port], with a dot, a colon or "localhost"
 *   path      = component *("/" component)
 *   component = alphanumeric *(("." | "_" | "__" | 1*"-") alphanumeric), lower case
 *
 * Upstream: github.com/distribution/reference regexp.go, normalize.go
 */
const COMPONENT = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const HOST =
  "(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\\[[a-fA-F0-9:]+\\])";
const REFERENCE = new RegExp(
  `^(?:(${HOST}(?::[0-9]+)?)/)?(${COMPONENT}(?:/${COMPONENT})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
);

const MAX_NAME_CHARS = 255;

/** An image's name taken apart. */
export interface ImageReference {
  /** Registry: "docker.io" where the name has none. */
  domain: string;
  path: string;
  tag?: string;
  digest?: string;
  /** As the engine is to be asked: as written, with ":latest" where neither tag nor digest is given. */
  text: string;
}

/** Takes an image's name apart; undefined when it is not one. */
export function parseImageReference(text: string): ImageReference | undefined {
  if (text.length > MAX_NAME_CHARS + 256) return undefined;
  const match = REFERENCE.exec(text);
  if (match === null) return undefined;
  let [, domain, path = ""] = match;
  const [, , , tag, digest] = match;
  if (
    domain !== undefined && !/[.:]/.test(domain) && domain !== "localhost" && domain === domain.toLowerCase()
  ) {
    path = `${domain}/${path}`;
    domain = undefined;
  }
  // Such a name would be taken for the id of an image.
  if (domain === undefined && tag === undefined && digest === undefined && /^[0-9a-f]{64}$/.test(path)) {
    return undefined;
  }
  if (path.length + (domain?.length ?? 0) > MAX_NAME_CHARS) return undefined;
  const reference: ImageReference = {
    domain: domain ?? "docker.io",
    path,
    text: tag === undefined && digest === undefined ? `${text}:latest` : text,
  };
  if (tag !== undefined) reference.tag = tag;
  if (digest !== undefined) reference.digest = digest;
  return reference;
}

/** When an image is pulled: as the spec says, else always for `:latest` and only when missing for the rest. */
export function pullPolicy(
  policy: string | undefined,
  reference: ImageReference,
): "Always" | "IfNotPresent" | "Never" {
  if (policy === "Always" || policy === "IfNotPresent" || policy === "Never") return policy;
  const latest = reference.digest === undefined &&
    (reference.tag === undefined || reference.tag === "latest");
  return latest ? "Always" : "IfNotPresent";
}
