import type { Format } from "./schema.ts";

/** Starts with a slash and has no `..` in it. */
export const ABSOLUTE_PATH: Format = {
  expected: 'an absolute path without ".."',
  test: (v) => v.startsWith("/") && !v.includes("\0") && !v.split("/").includes(".."),
};

const OCTET = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4_PATTERN = new RegExp(`^${OCTET}(\\.${OCTET}){3}$`);

/** An IPv4 address in dotted decimal. `node:net` knows this too, at 3 MB of memory in a process that needs nothing else of it. */
function isIPv4(text: string): boolean {
  return IPV4_PATTERN.test(text);
}

/** An IPv6 address without a zone: the URL parser knows them. */
function isIPv6(text: string): boolean {
  return /^[0-9a-fA-F:.]{2,45}$/.test(text) && URL.canParse(`http://[${text}]`);
}

/** An IPv4 or IPv6 address. */
export const IP_ADDRESS: Format = { expected: "an IP address", test: (v) => isIPv4(v) || isIPv6(v) };

const DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const DNS_SUBDOMAIN_PATTERN = new RegExp(`^${DNS_LABEL}(\\.${DNS_LABEL})*$`);

/**
 * What a node may be called.
 * Upstream: k8s.io/apimachinery pkg/util/validation (IsDNS1123Subdomain)
 */
export const DNS_SUBDOMAIN: Format = {
  expected: 'a name of at most 253 lower-case letters, digits, "-" and "."',
  test: (v) => v.length <= 253 && DNS_SUBDOMAIN_PATTERN.test(v),
};

/** A DNS label, as namespaces are named. */
export const DNS_LABEL_NAME: Format = {
  expected: 'a name of at most 63 lower-case letters, digits and "-"',
  test: (v) => v.length <= 63 && new RegExp(`^${DNS_LABEL}$`).test(v),
};

/** The two parts of `host:port`, IPv6 hosts in brackets; undefined for anything else. */
export function splitHostPort(value: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]/@\s]+)):(\d{1,5})$/.exec(value);
  if (match === null) return undefined;
  const [, v6, name = "", digits = ""] = match;
  const port = Number(digits);
  if (port < 1 || port > 65535 || (v6 !== undefined && !isIPv6(v6))) return undefined;
  return { host: v6 ?? name, port };
}

/** `host:port`. */
export const HOST_PORT: Format = {
  expected: "host:port with a port from 1 to 65535",
  test: (v) => splitHostPort(v) !== undefined,
};

/** `ip:port`. */
export const IP_PORT: Format = {
  expected: "IP:port with a port from 1 to 65535",
  test: (v) => IP_ADDRESS.test(splitHostPort(v)?.host ?? ""),
};

/** A URL of one of these schemes. */
export function urlOf(...schemes: string[]): Format {
  return {
    expected: `an address that begins with ${schemes.map((s) => `${s}://`).join(" or ")}`,
    test: (v) => {
      const url = URL.parse(v);
      return url !== null && schemes.includes(url.protocol.slice(0, -1)) &&
        (url.host !== "" || url.pathname !== "");
    },
  };
}

/** `unix://` and an absolute path. */
export const UNIX_SOCKET: Format = {
  expected: "unix:// followed by an absolute path",
  test: (v) => v.startsWith("unix:///") && ABSOLUTE_PATH.test(v.slice("unix://".length)),
};

/**
 * A Kubernetes quantity that is not negative: `100Mi`, `0.5`, `2e3`, `500m`.
 * Upstream: k8s.io/apimachinery pkg/api/resource/quantity.go
 */
export const QUANTITY: Format = {
  expected: "a quantity such as 100Mi",
  test: (v) => /^\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3}|[KMGTPE]i|[numkMGTPE])?$/.test(v),
};

/** A quantity or a share such as `10%`. */
export const QUANTITY_OR_PERCENT: Format = {
  expected: "a quantity such as 100Mi or a share such as 10%",
  test: (v) => QUANTITY.test(v) || (/^\d+(\.\d+)?%$/.test(v) && Number(v.slice(0, -1)) <= 100),
};
