import { StatusError } from "../../common/errors/mod.ts";
import { printMetrics } from "../../common/metrics/mod.ts";
import { ApiServer } from "./api_server.ts";
import { RequestMetrics } from "./api/request_metrics.ts";
import { WatchHub } from "./api/watch.ts";
import { Authenticator } from "./auth/authenticator.ts";
import { generateTokenKey, ServiceAccountTokens } from "./auth/service_account_tokens.ts";
import { RbacAuthorizer } from "./auth/rbac.ts";
import { RoleKeeper } from "./auth/role_keeper.ts";
import { ensureDefaults } from "./bootstrap.ts";
import type {
  EmbeddedControlPlaneComponents,
  EmbeddedControlPlaneEndpoint,
  EmbeddedControlPlaneOptions,
} from "./mod.ts";
import { CustomResources } from "./crd/custom_resources.ts";
import { expireEvents } from "./event_expiry.ts";
import { NamespaceKeeper } from "./namespace_keeper.ts";
import { OwnerKeeper } from "./owner_keeper.ts";
import { Registry } from "./registry.ts";
import { ResourceTable } from "./resources/table.ts";
import { covers, createAuthority, createServing, type KeyPair } from "./serving_cert.ts";
import { printKubeconfig, writePrivateFile } from "./state_files.ts";
import { ObjectStore } from "./storage/object_store.ts";

const TICK_MS = 1000;
const EXPIRY_INTERVAL_MS = 60_000;
/** How long requests under way may take once told to stop. */
const DRAIN_MS = 2000;

/** Serves the API until the signal aborts. @throws {StatusError} when it cannot start */
export async function serveControlPlane(
  { clock, log, metrics }: EmbeddedControlPlaneComponents,
  options: EmbeddedControlPlaneOptions,
  { signal, serving }: { signal: AbortSignal; serving: (endpoint: EmbeddedControlPlaneEndpoint) => void },
): Promise<void> {
  const { dataDir, address = "127.0.0.1", advertiseAddress = "127.0.0.1" } = options;
  await makeDirectory(dataDir);
  using store = await openStore(`${dataDir}/control-plane.db`);
  const now = () => clock.now();
  const registry = new Registry({ store, table: new ResourceTable(), clock }, options.watchCache);
  for (const { object: { resource, namespace, name }, error } of registry.damaged) {
    log.error("Cannot read a stored object; it is not served", error, { resource, namespace, name });
  }
  using custom = new CustomResources({ registry, clock, log });
  custom.start();
  using owners = new OwnerKeeper({ registry, log });
  owners.start();
  const watches = new WatchHub(registry, now, options.watches);
  const names = sanNames(address, advertiseAddress, options.extraSans ?? []);
  const { authority, pair } = await servingPair(store, names, clock.now());
  const adminToken = keptSetting(
    store,
    "adminToken",
    () => crypto.getRandomValues(new Uint8Array(32)).toHex(),
  );
  const tokens = await ServiceAccountTokens.load(await keptKey(store));
  const authenticator = new Authenticator({ registry, tokens, adminToken, now });
  using roles = new RoleKeeper({ registry, log });
  roles.start();
  using authorizer = new RbacAuthorizer(registry);
  const measured = new RequestMetrics(metrics, clock.now());
  metrics.gauge("apiserver_longrunning_requests", "Watches that are served", () => watches.size);
  metrics.gauge("embedded_apiserver_resource_version", "Newest resourceVersion", () => registry.version);
  const api = new ApiServer({
    registry,
    watches,
    tokens,
    authenticator,
    authorizer,
    now,
    log,
    metrics: measured,
    printMetrics: () => {
      measured.refresh(registry);
      return printMetrics(metrics.collect());
    },
    healthy: () => !signal.aborted,
  });
  using keeper = new NamespaceKeeper({ registry, now, log, caCertificate: authority.certificate });
  const stop = new AbortController();
  const server = listen(address, options.port ?? 6443, pair, (request) => api.handle(request), stop.signal);
  try {
    const { port } = server.addr;
    ensureDefaults(registry, { port, address: advertiseAddress });
    keeper.start();
    const host = advertiseAddress.includes(":") ? `[${advertiseAddress}]` : advertiseAddress;
    const url = `https://${host}:${port}`;
    const kubeconfig = options.kubeconfig ?? `${dataDir}/admin.kubeconfig`;
    const caCertificate = authority.certificate;
    await writePrivateFile(kubeconfig, printKubeconfig({ server: url, caCertificate, token: adminToken }));
    log.info("Serving the embedded control plane", { address, port, kubeconfig });
    serving({ port, server: url, kubeconfig, caCertificate, adminToken });
    let expiredAt = clock.now();
    while (!signal.aborted) {
      await sleepUntilAborted(clock.sleep(TICK_MS, { signal }), signal);
      watches.tick();
      keeper.retry();
      custom.retry();
      roles.retry();
      if (clock.now() - expiredAt >= EXPIRY_INTERVAL_MS) {
        expiredAt = clock.now();
        expireEvents(registry, expiredAt, log);
      }
    }
  } finally {
    watches.end();
    const drained = server.shutdown();
    const patience = new AbortController();
    const late = clock.sleep(DRAIN_MS, { signal: patience.signal }).then(() => stop.abort(), () => {});
    await drained;
    patience.abort();
    await late;
  }
}

async function sleepUntilAborted(sleep: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await sleep;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new StatusError(
      "InternalError",
      `Cannot make the data directory ${path}: make its parent writable for this user`,
      {
        cause,
      },
    );
  }
}

async function openStore(path: string): Promise<ObjectStore> {
  const store = ObjectStore.open(path);
  await Deno.chmod(path, 0o600);
  return store;
}

function sanNames(address: string, advertised: string, extra: readonly string[]): string[] {
  const names = [
    "127.0.0.1",
    "::1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
  ];
  for (const name of [address, advertised, ...extra]) {
    if (name !== "" && name !== "0.0.0.0" && name !== "::") names.push(name);
  }
  return [...new Set(names)];
}

function keptSetting(store: ObjectStore, name: string, make: () => string): string {
  let value = store.setting(name);
  if (value === undefined) store.setSetting(name, value = make());
  return value;
}

async function keptKey(store: ObjectStore): Promise<string> {
  let key = store.setting("serviceAccountKey");
  if (key === undefined) store.setSetting("serviceAccountKey", key = await generateTokenKey());
  return key;
}

async function servingPair(
  store: ObjectStore,
  names: readonly string[],
  now: number,
): Promise<{ authority: KeyPair; pair: KeyPair }> {
  const kept = store.setting("authority");
  const authority: KeyPair = kept === undefined ? await createAuthority(now) : JSON.parse(kept);
  if (kept === undefined) store.setSetting("authority", JSON.stringify(authority));
  const present = store.setting("servingCertificate");
  if (present !== undefined) {
    const pair: KeyPair = JSON.parse(present);
    if (await covers(pair, authority, names, now)) return { authority, pair };
  }
  const pair = await createServing(authority, names, now);
  store.setSetting("servingCertificate", JSON.stringify(pair));
  return { authority, pair };
}

function listen(
  hostname: string,
  port: number,
  pair: KeyPair,
  handler: (request: Request) => Promise<Response>,
  signal: AbortSignal,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve(
      { hostname, port, key: pair.key, cert: pair.certificate, signal, onListen: () => {} },
      handler,
    );
  } catch (cause) {
    const why = cause instanceof Deno.errors.AddrInUse
      ? "the port is taken: stop what uses it, or choose another"
      : "see that the address belongs to this machine and the port is allowed";
    throw new StatusError("InternalError", `Cannot listen on ${hostname}:${port}: ${why}`, { cause });
  }
}
