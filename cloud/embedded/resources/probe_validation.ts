import { isObject, type JsonObject, objectAt, textAt } from "../object.ts";
import { type FieldError, forbidden, invalid, notSupported, required } from "./field_error.ts";

const HANDLERS = ["exec", "httpGet", "tcpSocket", "grpc"];
const NUMBERS = [
  "initialDelaySeconds",
  "timeoutSeconds",
  "periodSeconds",
  "successThreshold",
  "failureThreshold",
];

/**
 * What is wrong with a probe.
 * Upstream: k8s.io/kubernetes pkg/apis/core/validation/validation.go (validateProbe, validateHandler) @ v1.33
 * @param name of the field that has it
 */
export function validateProbe(probe: JsonObject, field: string, name: string): FieldError[] {
  const errors: FieldError[] = [];
  const handlers = HANDLERS.filter((kind) => isObject(probe[kind]));
  handlers.forEach((kind, i) => {
    if (i > 0) errors.push(forbidden(`${field}.${kind}`, "may not specify more than 1 handler type"));
    else errors.push(...validateHandler(objectAt(probe, kind), `${field}.${kind}`, kind));
  });
  if (handlers.length === 0) errors.push(required(field, "must specify a handler type"));
  for (const number of NUMBERS) {
    const value = probe[number];
    if (typeof value === "number" && value < 0) {
      errors.push(invalid(`${field}.${number}`, value, "must be greater than or equal to 0"));
    }
  }
  const grace = probe.terminationGracePeriodSeconds;
  if (name === "readinessProbe") {
    if (grace !== undefined) {
      errors.push(
        invalid(`${field}.terminationGracePeriodSeconds`, grace, "must not be set for readinessProbes"),
      );
    }
    return errors;
  }
  if (typeof grace === "number" && grace <= 0) {
    errors.push(invalid(`${field}.terminationGracePeriodSeconds`, grace, "must be greater than 0"));
  }
  if (typeof probe.successThreshold === "number" && probe.successThreshold !== 1) {
    errors.push(invalid(`${field}.successThreshold`, probe.successThreshold, "must be 1"));
  }
  return errors;
}

function validateHandler(handler: JsonObject, field: string, kind: string): FieldError[] {
  if (kind === "exec") {
    const { command } = handler;
    return Array.isArray(command) && command.length > 0 ? [] : [required(`${field}.command`)];
  }
  const errors = portProblems(handler.port).map((why) => invalid(`${field}.port`, handler.port ?? 0, why));
  if (kind !== "httpGet") return errors;
  if (textAt(handler, "path") === "") errors.push(required(`${field}.path`));
  const scheme = textAt(handler, "scheme");
  if (scheme !== "HTTP" && scheme !== "HTTPS") {
    errors.push(notSupported(`${field}.scheme`, scheme, ["HTTP", "HTTPS"]));
  }
  return errors;
}

function portProblems(port: unknown): string[] {
  if (typeof port === "string") return portNameProblems(port);
  const number = typeof port === "number" ? port : 0;
  return number >= 1 && number <= 65535 ? [] : ["must be between 1 and 65535, inclusive"];
}

/** What is wrong with the name of a port. Upstream: k8s.io/apimachinery pkg/util/validation (IsValidPortName) @ v1.33 */
export function portNameProblems(name: string): string[] {
  const problems: string[] = [];
  if (name.length > 15) problems.push("must be no more than 15 characters");
  if (!/^[-a-z0-9]+$/.test(name)) {
    problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (!/[a-z]/.test(name)) problems.push("must contain at least one letter (a-z)");
  if (name.includes("--")) problems.push("must not contain consecutive hyphens");
  if (name.startsWith("-") || name.endsWith("-")) {
    problems.push("must not begin or end with a hyphen");
  }
  return problems;
}
