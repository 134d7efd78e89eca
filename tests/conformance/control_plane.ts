/** What the suite needs of a control plane, whichever it is. */

/** How a client is known to the API server. */
export type Credentials =
  | { kind: "token"; token: string }
  | { kind: "certificate"; certificate: string; key: string };

/** Size of the ConfigMap that is written to make the past forgotten, so that few writes suffice. */
export const FORGETTING_CHARS = 100_000;

/** A running control plane with its controllers; disposing ends it. */
export interface ControlPlane extends AsyncDisposable {
  readonly kind: "embedded" | "kubernetes";
  /** `https://host:port` of the API. */
  readonly server: string;
  /** PEM of the authority that signed the serving certificate. */
  readonly caCertificate: string;
  /** Credentials of the administrator. */
  readonly admin: Credentials;
  /** Path of the administrator's kubeconfig, for kubectl. */
  readonly kubeconfig: string;
  /** Directory for what a client keeps, such as kubectl's cache; removed at the end. */
  readonly scratch: string;
  /**
   * Makes the server forget what was before the newest version of ConfigMaps: their older versions can be listed no more.
   * @param write changes a ConfigMap of {@linkcode FORGETTING_CHARS}; called as often as it takes
   */
  forgetConfigMaps(write: () => Promise<void>): Promise<void>;
}
