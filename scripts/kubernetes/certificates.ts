/** The CA of a control plane on this machine, and everything it signs, as PEM files in one folder. */
import "reflect-metadata";
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from "@peculiar/x509";
import {
  createAuthority,
  exportSec1,
  generateKeys,
  issueServingCertificate,
  loadAuthority,
  printEcKeyPem,
  printPem,
  signNodeRequest,
} from "../../common/pki/mod.ts";

/** Who has a client certificate; the names RBAC's default bindings know. */
export const CLIENTS = {
  admin: { user: "kubernetes-admin", group: "system:masters" },
  "controller-manager": { user: "system:kube-controller-manager" },
  scheduler: { user: "system:kube-scheduler" },
  "etcd-client": { user: "kube-apiserver" },
} as const satisfies Record<string, { user: string; group?: string }>;

export type ClientName = keyof typeof CLIENTS;

const VALIDITY_DAYS = 3650;
/** clientAuth and serverAuth of Go's x509.ExtKeyUsage: etcd's members use one certificate for both ends. */
const BOTH_USAGES = [1, 2];
/** First address of the range of services, which pods reach the API at. */
const SERVICE_ADDRESS = "10.96.0.1";

/**
 * Makes the files `ca`, `apiserver`, `etcd`, `service-accounts` and one per client, each as `.crt` and `.key`
 * (`service-accounts` has a key only), unless they are there.
 * @param directory exists
 */
export async function ensureCertificates(directory: string, now: number): Promise<void> {
  // The last file written: with it all are there.
  const last = `${directory}/service-accounts.key`;
  try {
    await Deno.stat(last);
    return;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const ca = await createAuthority(now);
  const authority = await loadAuthority(ca);
  const write = async (
    name: string,
    pair: { certificate: Uint8Array<ArrayBuffer>; key: Uint8Array<ArrayBuffer> },
  ) => {
    await Deno.writeTextFile(`${directory}/${name}.crt`, printPem("CERTIFICATE", pair.certificate));
    await Deno.writeTextFile(`${directory}/${name}.key`, printEcKeyPem(pair.key), { mode: 0o600 });
  };
  await write("ca", ca);
  const dnsNames = [
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
  ];
  await write(
    "apiserver",
    await issueServingCertificate(authority, { dnsNames, addresses: ["127.0.0.1", SERVICE_ADDRESS], now }),
  );
  const signed = async (name: string, addresses: string[]) => {
    const keys = await generateKeys();
    const request = await Pkcs10CertificateRequestGenerator.create({
      name,
      keys,
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      ...(addresses.length === 0 ? {} : {
        extensions: [
          new SubjectAlternativeNameExtension(addresses.map((value) => ({ type: "ip" as const, value }))),
        ],
      }),
    });
    const certificate = await signNodeRequest(authority, new Uint8Array(request.rawData), {
      validityDays: VALIDITY_DAYS,
      extKeyUsages: BOTH_USAGES,
      now,
    });
    return { certificate, key: await exportSec1(keys.privateKey) };
  };
  await write("etcd", await signed("CN=etcd", ["127.0.0.1"]));
  for (const [name, client] of Object.entries(CLIENTS)) {
    const group = "group" in client ? `O=${client.group}, ` : "";
    await write(name, await signed(`${group}CN=${client.user}`, []));
  }
  const { privateKey } = await generateKeys();
  await Deno.writeTextFile(last, printEcKeyPem(await exportSec1(privateKey)), { mode: 0o600 });
}

/** A kubeconfig whose user has a client certificate. @param directory of the certificates */
export async function printClientKubeconfig(
  directory: string,
  server: string,
  client: ClientName,
): Promise<string> {
  const read = async (name: string) =>
    new TextEncoder().encode(await Deno.readTextFile(`${directory}/${name}`)).toBase64();
  return printKubeconfig(server, await read("ca.crt"), CLIENTS[client].user, {
    "client-certificate-data": await read(`${client}.crt`),
    "client-key-data": await read(`${client}.key`),
  });
}

/** A kubeconfig, as JSON, which is YAML. @param ca base64 of PEM */
export function printKubeconfig(
  server: string,
  ca: string,
  name: string,
  user: Record<string, string>,
): string {
  return JSON.stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "local", cluster: { server, "certificate-authority-data": ca } }],
      users: [{ name, user }],
      contexts: [{ name: `${name}@local`, context: { cluster: "local", user: name } }],
      "current-context": `${name}@local`,
    },
    null,
    2,
  ) + "\n";
}
