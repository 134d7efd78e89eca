import { parseQuantity } from "../../../common/api/quantity.ts";
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "../object.ts";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "./field_error.ts";
import { nameProblem, qualifiedNameProblems } from "./metadata.ts";
import { portNameProblems, validateProbe } from "./probe_validation.ts";

const MESSAGE_POLICIES = ["File", "FallbackToLogsOnError"];
const PULL_POLICIES = ["Always", "IfNotPresent", "Never"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const ENV_NAME_TEXT =
  "a valid environment variable name must consist only of printable ASCII characters other than '='";
const ENV_NAME = /^[ -<>-~]+$/;

/**
 * What is wrong with a container.
 * Upstream: k8s.io/kubernetes pkg/apis/core/validation/validation.go (validateContainerCommon) @ v1.33
 * @param volumes names of the volumes of its pod
 */
export function validateContainer(
  container: JsonObject,
  at: string,
  volumes: Set<string>,
  errors: FieldError[],
): void {
  const name = textAt(container, "name");
  const problem = name === "" ? undefined : nameProblem(name, "label");
  if (name === "") errors.push(required(`${at}.name`));
  else if (problem !== undefined) errors.push(invalid(`${at}.name`, name, problem));
  const image = textAt(container, "image");
  if (image === "") errors.push(required(`${at}.image`));
  else if (image !== image.trim()) {
    errors.push(invalid(`${at}.image`, image, "must not have leading or trailing whitespace"));
  }
  const message = textAt(container, "terminationMessagePolicy");
  if (!MESSAGE_POLICIES.includes(message)) {
    errors.push(notSupported(`${at}.terminationMessagePolicy`, message, MESSAGE_POLICIES));
  }
  const portNames = new Set<string>();
  objectsAt(container, "ports").forEach((port, i) => {
    const portName = textAt(port, "name");
    if (portName !== "") {
      const problems = portNameProblems(portName);
      errors.push(...problems.map((problem) => invalid(`${at}.ports[${i}].name`, portName, problem)));
      if (problems.length === 0 && portNames.has(portName)) {
        errors.push(duplicate(`${at}.ports[${i}].name`, portName));
      }
      portNames.add(portName);
    }
    for (const field of ["containerPort", "hostPort"]) {
      const value = port[field];
      if (value === undefined && field === "hostPort") continue;
      if (
        typeof value !== "number" || (value < 1 || value > 65535) && !(field === "hostPort" && value === 0)
      ) {
        errors.push(
          value === undefined || value === 0
            ? required(`${at}.ports[${i}].${field}`)
            : invalid(`${at}.ports[${i}].${field}`, value, "must be between 1 and 65535, inclusive"),
        );
      }
    }
    if (!PROTOCOLS.includes(textAt(port, "protocol"))) {
      errors.push(notSupported(`${at}.ports[${i}].protocol`, port.protocol, PROTOCOLS));
    }
  });
  objectsAt(container, "env").forEach((env, i) => {
    const key = textAt(env, "name");
    if (key === "") errors.push(required(`${at}.env[${i}].name`));
    else if (!ENV_NAME.test(key)) {
      errors.push(
        invalid(`${at}.env[${i}].name`, key, ENV_NAME_TEXT),
      );
    }
    if (isObject(env.valueFrom)) {
      errors.push(...validateValueFrom(env, env.valueFrom, `${at}.env[${i}].valueFrom`));
    }
  });
  validateEnvFrom(container, at, errors);
  const paths = new Set<string>();
  objectsAt(container, "volumeMounts").forEach((mount, i) => {
    const volume = textAt(mount, "name");
    if (volume === "") errors.push(required(`${at}.volumeMounts[${i}].name`));
    else if (!volumes.has(volume)) {
      errors.push({
        reason: "FieldValueNotFound",
        field: `${at}.volumeMounts[${i}].name`,
        message: `Not found: ${JSON.stringify(volume)}`,
      });
    }
    const path = textAt(mount, "mountPath");
    if (path === "") errors.push(required(`${at}.volumeMounts[${i}].mountPath`));
    else if (paths.has(path)) {
      errors.push(invalid(`${at}.volumeMounts[${i}].mountPath`, path, "must be unique"));
    }
    paths.add(path);
    const sub = textAt(mount, "subPath");
    if (sub.startsWith("/")) {
      errors.push(invalid(`${at}.volumeMounts[${i}].subPath`, sub, "must be a relative path"));
    } else if (sub.split("/").includes("..")) {
      errors.push(invalid(`${at}.volumeMounts[${i}].subPath`, sub, "must not contain '..'"));
    }
  });
  if (!PULL_POLICIES.includes(textAt(container, "imagePullPolicy"))) {
    errors.push(notSupported(`${at}.imagePullPolicy`, container.imagePullPolicy, PULL_POLICIES));
  }
  errors.push(
    ...validateResources(objectAt(container, "resources"), `${at}.resources`),
    ...validateSecurity(objectAt(container, "securityContext"), `${at}.securityContext`),
  );
}

/**
 * What is wrong with a container besides its own: how it is looked after.
 * Upstream: k8s.io/kubernetes pkg/apis/core/validation/validation.go (validateContainers) @ v1.33
 */
export function validateMain(container: JsonObject, at: string, pod: JsonObject): FieldError[] {
  const errors = [...validateLifecycle(container, at, pod), ...validateProbes(container, at)];
  if (container.restartPolicy !== undefined) {
    errors.push(forbidden(`${at}.restartPolicy`, "may not be set for non-init containers"));
  }
  return errors;
}

/** Upstream: k8s.io/kubernetes pkg/apis/core/validation/validation.go (validateInitContainers) @ v1.33 */
export function validateInit(container: JsonObject, at: string): FieldError[] {
  const policy = container.restartPolicy;
  if (policy === "Always") return validateProbes(container, at);
  const errors: FieldError[] = [];
  if (policy !== undefined) errors.push(notSupported(`${at}.restartPolicy`, policy, ["Always"]));
  for (const field of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"]) {
    if (container[field] === undefined) continue;
    errors.push(
      forbidden(`${at}.${field}`, "may not be set for init containers without restartPolicy=Always"),
    );
  }
  return errors;
}

/** Ports of the host that two containers of a pod would have. */
export function hostPortConflicts(containers: readonly JsonObject[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const taken = new Set<string>();
  containers.forEach((container, c) =>
    objectsAt(container, "ports").forEach((port, i) => {
      if (typeof port.hostPort !== "number" || port.hostPort === 0) return;
      const text = `${textAt(port, "protocol")}/${textAt(port, "hostIP")}/${port.hostPort}`;
      if (taken.has(text)) errors.push(duplicate(`${path}[${c}].ports[${i}].hostPort`, text));
      taken.add(text);
    })
  );
  return errors;
}

const HANDLERS = ["exec", "httpGet", "tcpSocket", "sleep"];

function validateLifecycle(container: JsonObject, at: string, pod: JsonObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const name of ["postStart", "preStop"]) {
    const handler = objectAt(container, "lifecycle")[name];
    if (!isObject(handler)) continue;
    const field = `${at}.lifecycle.${name}`;
    if (!HANDLERS.some((kind) => isObject(handler[kind]))) {
      errors.push(required(field, "must specify a handler type"));
    }
    const seconds = objectAt(handler, "sleep").seconds;
    const grace = pod.terminationGracePeriodSeconds;
    if (typeof seconds !== "number" || typeof grace !== "number" || (seconds >= 0 && seconds <= grace)) {
      continue;
    }
    errors.push(
      invalid(
        `${field}.sleep`,
        seconds,
        `must be non-negative and less than terminationGracePeriodSeconds (${grace})`,
      ),
    );
  }
  return errors;
}

function validateProbes(container: JsonObject, at: string): FieldError[] {
  return ["livenessProbe", "readinessProbe", "startupProbe"].flatMap((name) => {
    const probe = container[name];
    return isObject(probe) ? validateProbe(probe, `${at}.${name}`, name) : [];
  });
}

const VALUE_SOURCES = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"];
const ENV_FIELDS =
  /^(?:metadata\.(?:name|namespace|uid)|metadata\.(?:labels|annotations)\['[^']*'\]|spec\.(?:nodeName|serviceAccountName)|status\.(?:hostIPs?|podIPs?))$/;

/** Upstream: k8s.io/kubernetes pkg/apis/core/validation/validation.go (validateEnvVarValueFrom) @ v1.33 */
function validateValueFrom(env: JsonObject, from: JsonObject, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const path = objectAt(from, "fieldRef").fieldPath;
  if (isObject(from.fieldRef)) {
    if (typeof path !== "string" || path === "") errors.push(required(`${field}.fieldRef.fieldPath`));
    else if (!ENV_FIELDS.test(path)) {
      errors.push(
        invalid(
          `${field}.fieldRef.fieldPath`,
          path,
          `error converting fieldPath: field label not supported: ${path}`,
        ),
      );
    }
  }
  for (const source of ["configMapKeyRef", "secretKeyRef"]) {
    if (!isObject(from[source])) continue;
    if (textAt(from, source, "key") === "") errors.push(required(`${field}.${source}.key`));
    const name = textAt(from, source, "name");
    const problem = nameProblem(name);
    if (problem !== undefined) errors.push(invalid(`${field}.${source}.name`, name, problem));
  }
  const given = VALUE_SOURCES.filter((source) => isObject(from[source])).length;
  if (given === 0) {
    errors.push(
      invalid(
        field,
        "",
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
      ),
    );
  } else if (textAt(env, "value") !== "") {
    errors.push(invalid(field, "", "may not be specified when `value` is not empty"));
  } else if (given > 1) {
    errors.push(invalid(field, "", "may not have more than one field specified at a time"));
  }
  return errors;
}

function validateEnvFrom(container: JsonObject, at: string, errors: FieldError[]): void {
  objectsAt(container, "envFrom").forEach((from, i) => {
    const prefix = textAt(from, "prefix");
    if (prefix !== "" && !ENV_NAME.test(prefix)) {
      errors.push(invalid(`${at}.envFrom[${i}].prefix`, prefix, ENV_NAME_TEXT));
    }
    const sources = ["configMapRef", "secretRef"].filter((source) => isObject(from[source]));
    for (const source of sources) {
      if (textAt(from, source, "name") === "") errors.push(required(`${at}.envFrom[${i}].${source}.name`));
    }
    if (sources.length === 0) {
      errors.push(invalid(`${at}.envFrom`, "", "must specify one of: `configMapRef` or `secretRef`"));
    } else if (sources.length > 1) {
      errors.push(invalid(`${at}.envFrom`, "", "may not have more than one field specified at a time"));
    }
  });
}

const STANDARD_RESOURCE = /^(?:cpu|memory|ephemeral-storage|hugepages-.+)$/;

/** Upstream: k8s.io/kubernetes pkg/apis/core/validation/validation.go (ValidateContainerResourceRequirements) @ v1.33 */
function validateResources(resources: JsonObject, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const [limits, requests] = [objectAt(resources, "limits"), objectAt(resources, "requests")];
  for (const [list, given] of [["limits", limits], ["requests", requests]] as const) {
    for (const [name, text] of Object.entries(given)) {
      const at = `${field}.${list}[${name}]`;
      errors.push(...resourceNameErrors(name, at));
      if ((parseQuantity(text) ?? 0) < 0) {
        errors.push(invalid(at, String(text), "must be greater than or equal to 0"));
      }
    }
  }
  for (const [name, text] of Object.entries(requests)) {
    const limit = Object.hasOwn(limits, name) ? limits[name] : undefined;
    const overcommit = STANDARD_RESOURCE.test(name) && !name.startsWith("hugepages-");
    if (limit === undefined) {
      if (!overcommit && name.includes("/")) {
        errors.push(required(`${field}.limits`, "Limit must be set for non overcommitable resources"));
      }
      continue;
    }
    const [asked, most] = [parseQuantity(text) ?? 0, parseQuantity(limit) ?? 0];
    if (overcommit ? asked > most : asked !== most) {
      const bound = overcommit ? "less than or equal to" : "equal to";
      errors.push(invalid(`${field}.requests`, String(text), `must be ${bound} ${name} limit of ${limit}`));
    }
  }
  return errors;
}

function resourceNameErrors(name: string, at: string): FieldError[] {
  const problems = qualifiedNameProblems(name);
  if (problems.length === 0 && !name.includes("/") && !STANDARD_RESOURCE.test(name)) {
    problems.push(
      "must be a standard resource type or fully qualified",
      "must be a standard resource for containers",
    );
  }
  // The value is a type of its own there, and is printed without quotes.
  return problems.map((why) => ({
    reason: "FieldValueInvalid",
    field: at,
    message: `Invalid value: ${name}: ${why}`,
  }));
}

const MAX_ID = 2147483647;

function validateSecurity(context: JsonObject, field: string): FieldError[] {
  return ["runAsUser", "runAsGroup"].flatMap((name) => {
    const id = context[name];
    return typeof id !== "number" || (id >= 0 && id <= MAX_ID)
      ? []
      : [invalid(`${field}.${name}`, id, "must be between 0 and 2147483647, inclusive")];
  });
}
