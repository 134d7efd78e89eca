/** The compartment of the controllers and of what keeps the custom resources: it reaches the Kubernetes API and nothing else. */
import { informer, informerMetrics, type KubeClientConfig } from "../../common/kubeclient/mod.ts";
import { type Message, MESSAGE_TEXT } from "../../common/model/mod.ts";
import { Mailbox, runCompartment, systemClock } from "../../common/module/mod.ts";
import { VERSION } from "../../common/version/mod.ts";
import { customResources } from "../crds/mod.ts";
import { credentialPort, kubeClient } from "../kube_client.ts";
import { edgeController, type EdgeControllerOptions } from "../edgecontroller/mod.ts";

export interface ControllersInit {
  kube: KubeClientConfig;
  edgeController: EdgeControllerOptions;
}

runCompartment<ControllersInit>(({ init, log, metrics, connect, ports }) => {
  const clock = systemClock;
  const credentials = credentialPort({ ports, connect, clock });
  const inbox = new Mailbox<Message>("edgecontroller", 1024);
  const cloudHub = connect("cloudhub", inbox, MESSAGE_TEXT);
  const kube = kubeClient(init.kube, { clock, log: log.child("kubeclient"), credentials });
  const seen = informerMetrics(metrics);
  const informerLog = log.child("informer");
  return [
    customResources({ kube, clock, log: log.child("crds"), version: VERSION }),
    edgeController({
      inbox,
      cloudHub,
      kube,
      informers: (type, selection, options) =>
        informer(kube, type, selection, { clock, log: informerLog, metrics: seen, ...options }),
      clock,
      log: log.child("edgecontroller"),
      metrics,
    }, init.edgeController),
  ];
});
