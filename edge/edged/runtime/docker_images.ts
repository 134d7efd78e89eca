import { checkImageReference } from "./docker_args.ts";
import type { DockerClient } from "./docker_client.ts";
import { engineError } from "./docker_errors.ts";
import { parseArray, parseImage } from "./docker_parse.ts";
import { type CallOptions, type ImageAuth, type ImageInfo, RuntimeError } from "./types.ts";

/** How long a pull may take: large images over thin links. */
const PULL_TIMEOUT_MS = 30 * 60_000;

/** Images of the engine. */
export class DockerImages {
  readonly #client: DockerClient;
  /** Names that statuses give to image ids: the first digest, or the id itself. */
  readonly #names = new Map<string, string>();

  constructor(client: DockerClient) {
    this.#client = client;
  }

  async status(reference: string, options: CallOptions = {}): Promise<ImageInfo | undefined> {
    const args = ["image", "inspect", "--", checkImageReference(reference)];
    const action = `Cannot look at image "${reference}"`;
    const outcome = await this.#client.try(action, { ...options, args });
    if (outcome.code !== 0) {
      const error = engineError(action, outcome.code, outcome.stderr);
      if (error.kind === "image-missing" || error.kind === "not-found") return undefined;
      throw error;
    }
    const [json] = parseArray(outcome.stdout);
    return json === undefined ? undefined : this.#note(parseImage(json));
  }

  async list(options: CallOptions = {}): Promise<ImageInfo[]> {
    const action = "Cannot list images";
    const printed = await this.#client.run(action, {
      ...options,
      args: ["image", "ls", "--quiet", "--no-trunc"],
    });
    const ids = [...new Set(printed.split("\n").filter((id) => id !== ""))];
    if (ids.length === 0) return [];
    const outcome = await this.#client.try(action, { ...options, args: ["image", "inspect", "--", ...ids] });
    if (outcome.code !== 0) {
      // One that was removed in between does not hide the others.
      const error = engineError(action, outcome.code, outcome.stderr);
      if (error.kind !== "image-missing" && error.kind !== "not-found") throw error;
    }
    const images = parseArray(outcome.stdout || "[]").map((json) => this.#note(parseImage(json)));
    const there = new Set(images.map((image) => image.id));
    for (const id of this.#names.keys()) if (!there.has(id)) this.#names.delete(id);
    return images;
  }

  async pull(reference: string, auth: ImageAuth | undefined, options: CallOptions = {}): Promise<string> {
    const args = ["pull", "--quiet", "--", checkImageReference(reference)];
    const call = { ...options, args, timeoutMs: PULL_TIMEOUT_MS, slow: true };
    const action = `Cannot pull image "${reference}"`;
    if (auth === undefined) await this.#client.run(action, call);
    else {
      await withLogin(
        reference,
        auth,
        (dir) => this.#client.run(action, { ...call, env: { DOCKER_CONFIG: dir } }),
      );
    }
    const image = await this.status(reference, options);
    if (image === undefined) throw new RuntimeError("image-missing", `${action}: it is gone again`);
    return image.id;
  }

  async remove(reference: string, options: CallOptions = {}): Promise<void> {
    const image = await this.status(reference, options);
    if (image === undefined) return;
    // An id with several names is only let go name by name.
    const byId = image.id === reference || image.id.startsWith(`sha256:${reference}`);
    const names = byId && image.repoTags.length + image.repoDigests.length > 0
      ? [...image.repoTags, ...image.repoDigests]
      : [reference];
    for (const name of names) {
      const action = `Cannot remove image "${name}"`;
      const outcome = await this.#client.try(action, { ...options, args: ["image", "rm", "--", name] });
      if (outcome.code === 0) continue;
      const error = engineError(action, outcome.code, outcome.stderr);
      if (error.kind !== "image-missing" && error.kind !== "not-found") throw error;
    }
    this.#names.delete(image.id);
  }

  /** `<name>@sha256:…` of an image id, or the id itself; asks the engine once per image. */
  async nameOf(imageId: string, options: CallOptions = {}): Promise<string> {
    const known = this.#names.get(imageId);
    if (known !== undefined || imageId === "") return known ?? "";
    const image = await this.status(imageId, options);
    if (image === undefined) this.#names.set(imageId, imageId);
    return this.#names.get(imageId) ?? imageId;
  }

  #note(image: ImageInfo): ImageInfo {
    this.#names.set(image.id, image.repoDigests[0] ?? image.id);
    return image;
  }
}

/** Runs with a client configuration that holds this login only, readable by the owner, and gone afterwards. */
async function withLogin<T>(
  reference: string,
  auth: ImageAuth,
  body: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "kubeedge-pull-" });
  try {
    await Deno.chmod(dir, 0o700);
    await Deno.writeTextFile(`${dir}/config.json`, printLogin(reference, auth), {
      mode: 0o600,
      createNew: true,
    });
    return await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** A client's config.json with one login. */
export function printLogin(reference: string, { username, password, serverAddress }: ImageAuth): string {
  const auth = new TextEncoder().encode(`${username}:${password}`).toBase64();
  return JSON.stringify({ auths: { [serverAddress || registryOf(reference)]: { auth } } });
}

/** The name under which a client keeps the login for the registry of an image. */
export function registryOf(reference: string): string {
  const [first = "", ...rest] = reference.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  return isHost && first !== "docker.io" ? first : "https://index.docker.io/v1/";
}
