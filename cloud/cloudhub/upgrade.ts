import type { IncomingHttpHeaders } from "node:http";
import { YIELD_HEADER } from "../../common/model/mod.ts";
import type { CertificateInfo } from "../../common/pki/mod.ts";
import { isNodeName, speaksFor } from "./node_name.ts";

/** What is known of a client that wants a WebSocket. */
export interface UpgradeFacts {
  headers: IncomingHttpHeaders;
  /** The certificate, verified against the CA; undefined when it did not verify. */
  certificate: CertificateInfo | undefined;
  legacyCertificates: boolean;
  nodeLimit: number;
  connectedNodes: number;
  /** Whether a node has a session now: a newer connection takes its place, whatever the limit. */
  isConnected: (node: string) => boolean;
}

/** The node to be served, or the refusal to send. */
export type UpgradeDecision =
  | { accept: true; node: string }
  | { accept: false; status: number; reason: string; text: string };

/**
 * Decides whether a client becomes a session. Pure. The path of the URL does not count.
 * Upstream: kubeedge pkg/viaduct/pkg/server/ws.go, cloud/pkg/cloudhub/handler/message_handler.go @ 16cd854
 */
export function decideUpgrade(facts: UpgradeFacts): UpgradeDecision {
  const { headers, certificate } = facts;
  const refuse = (status: number, reason: string, text: string): UpgradeDecision => ({
    accept: false,
    status,
    reason,
    text,
  });
  if (headers.origin !== undefined && URL.parse(headers.origin)?.host !== headers.host) {
    return refuse(403, "origin", "Cannot open a session: the Origin header is not this host");
  }
  const node = header(headers, "node_id");
  if (node === "") return refuse(400, "node_id", "Cannot open a session: the header node_id is missing");
  if (!isNodeName(node)) {
    return refuse(400, "node_id", "Cannot open a session: the header node_id is not the name of a node");
  }
  // Edgecore adds the header again on every try, and servers join repeated headers.
  const uses = header(headers, "connectionuse").split(",").map((use) => use.trim());
  if (!uses.every((use) => use === "msg")) {
    return refuse(400, "connection_use", 'Cannot open a session: the header ConnectionUse must be "msg"');
  }
  if (certificate === undefined) {
    return refuse(
      401,
      "certificate",
      "Cannot open a session: a client certificate of this cluster's CA is needed",
    );
  }
  if (!speaksFor(certificate, node, facts.legacyCertificates)) {
    const owner = JSON.stringify(certificate.subject.commonName.slice(0, 300));
    const text = `Cannot open a session: the certificate of ${owner} does not belong to node ${node}; ` +
      "remove the node's certificate and join it again with a token";
    return refuse(403, "identity", text);
  }
  if (headers[YIELD_HEADER] !== undefined && facts.isConnected(node)) {
    const text = `Cannot open a session: another edgecore is connected as node ${node}; ` +
      "stop one of them, or give this one another name and join it again with a token";
    return refuse(409, "taken", text);
  }
  if (facts.connectedNodes >= facts.nodeLimit && !facts.isConnected(node)) {
    const text = `Cannot open a session: ${facts.connectedNodes} nodes are connected already; ` +
      "raise modules.cloudHub.nodeLimit of cloudcore";
    return refuse(503, "node_limit", text);
  }
  return { accept: true, node };
}

function header(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return Array.isArray(value) ? value.join(", ") : value ?? "";
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  409: "Conflict",
  503: "Service Unavailable",
};

/** A whole HTTP/1.1 response that refuses an upgrade and ends the connection. */
export function refusalResponse(status: number, text: string): string {
  const length = new TextEncoder().encode(text).length;
  return `HTTP/1.1 ${status} ${
    STATUS_TEXT[status] ?? "Error"
  }\r\nContent-Type: text/plain; charset=utf-8\r\n` +
    `Content-Length: ${length}\r\nConnection: close\r\n\r\n${text}`;
}
