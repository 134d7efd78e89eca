/** How each program of the control plane is started. */

/** The programs that run, in the order they are started. */
export const COMPONENTS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const;
export type Component = (typeof COMPONENTS)[number];

/** TCP ports on the loopback interface. */
export interface Ports {
  etcd: number;
  etcdPeer: number;
  api: number;
  controllerManager: number;
  scheduler: number;
}

export const PORT_NAMES = ["etcd", "etcdPeer", "api", "controllerManager", "scheduler"] as const;

/** Address pods and services are given from; nothing here routes them. */
const SERVICE_RANGE = "10.96.0.0/16";
const ISSUER = "https://kubernetes.default.svc.cluster.local";

/**
 * The arguments of a program. The API server authorises with Node and RBAC and keeps an audit log of what is refused, everything
 * listens on 127.0.0.1 with certificates.
 * @param directory of the control plane: `pki/`, `etcd/` and the kubeconfigs are in it
 */
export function argumentsOf(component: Component, directory: string, ports: Ports): string[] {
  const pki = `${directory}/pki`;
  const url = (port: number) => `https://127.0.0.1:${port}`;
  switch (component) {
    case "etcd":
      return flags({
        name: "local",
        "data-dir": `${directory}/etcd`,
        "listen-client-urls": url(ports.etcd),
        "advertise-client-urls": url(ports.etcd),
        "listen-peer-urls": url(ports.etcdPeer),
        "initial-advertise-peer-urls": url(ports.etcdPeer),
        "initial-cluster": `local=${url(ports.etcdPeer)}`,
        "cert-file": `${pki}/etcd.crt`,
        "key-file": `${pki}/etcd.key`,
        "trusted-ca-file": `${pki}/ca.crt`,
        "client-cert-auth": "true",
        "peer-cert-file": `${pki}/etcd.crt`,
        "peer-key-file": `${pki}/etcd.key`,
        "peer-trusted-ca-file": `${pki}/ca.crt`,
        "peer-client-cert-auth": "true",
        logger: "zap",
        "log-outputs": "stderr",
      });
    case "kube-apiserver":
      return flags({
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        // The address of the loopback interface is not valid in Endpoints.
        "endpoint-reconciler-type": "none",
        "secure-port": `${ports.api}`,
        "tls-cert-file": `${pki}/apiserver.crt`,
        "tls-private-key-file": `${pki}/apiserver.key`,
        "client-ca-file": `${pki}/ca.crt`,
        "etcd-servers": url(ports.etcd),
        "etcd-cafile": `${pki}/ca.crt`,
        "etcd-certfile": `${pki}/etcd-client.crt`,
        "etcd-keyfile": `${pki}/etcd-client.key`,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "service-account-issuer": ISSUER,
        "service-account-key-file": `${pki}/service-accounts.key`,
        "service-account-signing-key-file": `${pki}/service-accounts.key`,
        "service-cluster-ip-range": SERVICE_RANGE,
        "allow-privileged": "true",
        "audit-policy-file": `${directory}/audit-policy.json`,
        "audit-log-path": `${directory}/audit.log`,
        "shutdown-delay-duration": "0s",
      });
    case "kube-controller-manager":
      return flags({
        ...authenticated(`${directory}/controller-manager.kubeconfig`),
        "bind-address": "127.0.0.1",
        "secure-port": `${ports.controllerManager}`,
        ...serving(pki),
        "use-service-account-credentials": "true",
        "service-account-private-key-file": `${pki}/service-accounts.key`,
        "root-ca-file": `${pki}/ca.crt`,
        "cluster-signing-cert-file": `${pki}/ca.crt`,
        "cluster-signing-key-file": `${pki}/ca.key`,
        "service-cluster-ip-range": SERVICE_RANGE,
        "leader-elect": "false",
      });
    case "kube-scheduler":
      return flags({
        ...authenticated(`${directory}/scheduler.kubeconfig`),
        "bind-address": "127.0.0.1",
        "secure-port": `${ports.scheduler}`,
        ...serving(pki),
        "leader-elect": "false",
      });
  }
}

const authenticated = (kubeconfig: string) => ({
  kubeconfig,
  "authentication-kubeconfig": kubeconfig,
  "authorization-kubeconfig": kubeconfig,
});

const serving = (pki: string) => ({
  "tls-cert-file": `${pki}/apiserver.crt`,
  "tls-private-key-file": `${pki}/apiserver.key`,
});

function flags(values: Record<string, string | undefined>): string[] {
  return Object.entries(values).map(([name, value]) =>
    value === undefined ? `--${name}` : `--${name}=${value}`
  );
}

/** What the audit log keeps: every request of service accounts of the namespace `kubeedge`, without bodies. */
export const AUDIT_POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived", "ResponseStarted"],
  rules: [
    { level: "Metadata", userGroups: ["system:serviceaccounts:kubeedge"] },
    { level: "None" },
  ],
} as const;
