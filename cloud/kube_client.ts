/** How compartments make their client of the Kubernetes API. */
import {
  createKubeClient,
  type CredentialAnswer,
  type CredentialQuestion,
  type CredentialSource,
  type KubeClient,
  type KubeClientConfig,
  type KubeDiscovery,
  remoteCredentials,
} from "../common/kubeclient/mod.ts";
import { type Clock, type CompartmentContext, type Logger, Mailbox } from "../common/module/mod.ts";
import { VERSION } from "../common/version/mod.ts";
import { RIGHTS_FROM } from "./rights.ts";

/** The credentials that another compartment gives; undefined where the configuration has them itself. */
export function credentialPort(
  { ports, connect, clock }: Pick<CompartmentContext<unknown>, "ports" | "connect"> & { clock: Clock },
): CredentialSource | undefined {
  if (!ports.includes("credentials")) return undefined;
  const answers = new Mailbox<CredentialAnswer>("credentials", 256);
  return remoteCredentials(
    connect<CredentialQuestion, CredentialAnswer>("credentials", answers),
    answers,
    clock,
  );
}

/** A client whose messages name what gives cloudcore its rights. */
export function kubeClient(
  config: KubeClientConfig,
  { clock, log, credentials }: { clock: Clock; log: Logger; credentials: CredentialSource | undefined },
): KubeClient & KubeDiscovery {
  // The program is what upstream's client names, and what owns the fields it writes.
  return createKubeClient({ userAgent: `cloudcore/${VERSION}`, ...config }, {
    clock,
    log,
    rightsFrom: RIGHTS_FROM,
    ...(credentials !== undefined && { credentials }),
  });
}
