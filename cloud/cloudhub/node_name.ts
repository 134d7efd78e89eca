import { type CertificateInfo, NODES_GROUP, nodeUser } from "../../common/pki/mod.ts";

const NODE_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Whether text can be the name of a Node: an RFC 1123 subdomain of at most 253 characters. */
export function isNodeName(text: string): boolean {
  return text.length <= 253 && NODE_NAME.test(text);
}

/** Name and organization in certificates that upstream's certgen.sh makes; they stand for no particular node. */
const LEGACY = { organization: "KubeEdge", commonName: "kubeedge.io" } as const;

/**
 * Whether a certificate lets its holder act as this node.
 * Upstream: kubeedge cloud/pkg/cloudhub/servers/httpserver/certificate/certs.go @ 16cd854
 */
export function speaksFor(
  { subject }: Pick<CertificateInfo, "subject">,
  node: string,
  legacyCertificates: boolean,
): boolean {
  const [organization] = subject.organizations;
  if (organization === NODES_GROUP && subject.commonName === nodeUser(node)) return true;
  return legacyCertificates && organization === LEGACY.organization &&
    subject.commonName === LEGACY.commonName;
}

/** Organizations with which requests before v1.16, and certgen.sh, are written. */
const ANY_NODE_ORGANIZATIONS: ReadonlySet<string> = new Set(["kubeEdge", LEGACY.organization]);

/**
 * Whether a certificate request is one of edgecore before v1.16, which names no node.
 * Upstream: kubeedge edge/pkg/edgehub/certificate/certmanager.go @ v1.15
 */
export function isForAnyNode(
  { commonName, organizations: [organization = ""] }: CertificateInfo["subject"],
): boolean {
  return commonName === LEGACY.commonName && ANY_NODE_ORGANIZATIONS.has(organization);
}
