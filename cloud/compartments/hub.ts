/** The compartment of cloudhub: it listens where nodes connect and reaches the Kubernetes API. */
import type { KubeClientConfig } from "../../common/kubeclient/mod.ts";
import { type Message, MESSAGE_TEXT } from "../../common/model/mod.ts";
import { Mailbox, runCompartment, systemClock } from "../../common/module/mod.ts";
import { credentialPort, kubeClient } from "../kube_client.ts";
import { cloudHub, type CloudHubOptions, objectSyncLog } from "../cloudhub/mod.ts";

export interface HubInit {
  kube: KubeClientConfig;
  hub: CloudHubOptions;
}

runCompartment<HubInit>(({ init, log, metrics, connect, ports }) => {
  const clock = systemClock;
  const credentials = credentialPort({ ports, connect, clock });
  const inbox = new Mailbox<Message>("cloudhub", 1024);
  const edgeController = connect("edgecontroller", inbox, MESSAGE_TEXT);
  const kube = kubeClient(init.kube, { clock, log: log.child("kubeclient"), credentials });
  const deliveryLog = objectSyncLog({ kube, clock, log: log.child("objectsynclog") });
  return [
    deliveryLog,
    cloudHub(
      { inbox, edgeController, deliveryLog, kube, clock, log: log.child("cloudhub"), metrics },
      init.hub,
    ),
  ];
});
