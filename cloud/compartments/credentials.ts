/**
 * The compartment of credentials, where a kubeconfig names a command or an issuer that gives them: it may run that command and no
 * other, or reach that issuer, and the compartments that nodes talk to may not.
 */
import {
  type CredentialAnswer,
  type CredentialQuestion,
  credentialServer,
  credentialsOf,
  type KubeClientConfig,
} from "../../common/kubeclient/mod.ts";
import { Mailbox, runCompartment, systemClock } from "../../common/module/mod.ts";

export interface CredentialsInit {
  kube: KubeClientConfig;
  /** Names of the ports on which credentials are asked for. */
  peers: string[];
}

runCompartment<CredentialsInit>(({ init, log, connect }) => {
  const source = credentialsOf(init.kube, { clock: systemClock, log });
  const peers = init.peers.map((name) => {
    const inbox = new Mailbox<CredentialQuestion>(name, 256);
    return { inbox, send: connect<CredentialAnswer, CredentialQuestion>(name, inbox) };
  });
  return [credentialServer(source, peers)];
});
