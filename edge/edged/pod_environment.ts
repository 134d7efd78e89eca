import type { Container, Pod } from "../../common/api/core_v1.ts";
import type { Mount } from "./runtime/types.ts";

/*
 * What a pod needs around its containers before they can start: its volumes on disk, the mounts of each container, and the
 * variables of each container. Every call is level-based: repeating it is cheap and leaves alone what is right already.
 */

/** The environment of a pod cannot be made as its spec asks; the message is shown in the pod's status. */
export class PodEnvironmentError extends Error {
  override readonly name = "PodEnvironmentError";
  /**
   * `missing`: a ConfigMap, Secret or key is not there (yet); the message names it as the kubelet does, for example
   * `configmap "web-config" not found`, `couldn't find key greeting in ConfigMap default/web-config`.
   * `invalid`: the spec asks for what can never be; `failed`: anything else. All are tried again.
   */
  readonly kind: "missing" | "invalid" | "failed";

  constructor(kind: PodEnvironmentError["kind"], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}

/** Where the volumes of a pod are on this node: volume name to the host path that holds it. */
export type VolumeTable = ReadonlyMap<string, string>;

/** What a container sees of the node's files. */
export interface ContainerMounts {
  mounts: Mount[];
}

/** The volumes of pods. Pod uids are checked to be fit for a path before they come here. */
export interface PodVolumes {
  /**
   * Makes every volume of the pod ready, with what ConfigMaps, Secrets, tokens and the pod's own fields hold now.
   * @throws {PodEnvironmentError} in the kubelet's words: `MountVolume.SetUp failed for volume "www" : configmap "web-config" not found`
   */
  setUp(pod: Pod, options?: { signal?: AbortSignal }): Promise<VolumeTable>;
  /**
   * The mounts of one container: `volumeMounts` with `subPath` and `subPathExpr` (resolved without leaving the volume),
   * and the file behind `terminationMessagePath`, which is made anew for each attempt.
   * @throws {PodEnvironmentError}
   */
  containerMounts(
    pod: Pod,
    container: Container,
    about: {
      volumes: VolumeTable;
      attempt: number;
      env: ReadonlyArray<{ name: string; value: string }>;
    },
  ): Promise<ContainerMounts>;
  /** What the container wrote to its `terminationMessagePath`, at most 4096 bytes; undefined when it wrote nothing. */
  terminationMessage(podUid: string, containerName: string, attempt: number): Promise<string | undefined>;
  /**
   * Writes ConfigMap, Secret, downward API and token volumes of a set-up pod again where their source has changed.
   * @returns milliseconds after which a token of the pod wants renewal; undefined when none does
   * @throws {PodEnvironmentError} the volume keeps what it had
   */
  refresh(pod: Pod, options?: { signal?: AbortSignal }): Promise<number | undefined>;
  /** Removes everything of the pod from disk; succeeds when nothing is there. hostPath contents are never touched. */
  tearDown(podUid: string): Promise<void>;
  /** Uids of the pods that have anything on disk, whoever made it. */
  listPodUids(): Promise<string[]>;
}

/** What is known of a pod's place when its variables are resolved. */
export interface PodPlace {
  nodeName: string;
  hostIPs: readonly string[];
  podIPs: readonly string[];
}

/**
 * The variables of one container in order: `envFrom`, then `env` with `$(NAME)` expanded by `expandVariables`.
 * @throws {PodEnvironmentError}
 */
export type ResolveEnv = (
  pod: Pod,
  container: Container,
  place: PodPlace,
  options?: { signal?: AbortSignal },
) => Promise<Array<{ name: string; value: string }>>;
