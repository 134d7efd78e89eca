import assert from "node:assert/strict";
import { objectsAt } from "../object.ts";
import { type ControlPlaneUnderTest, startControlPlane } from "../testing.ts";

async function has(program: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

interface Run {
  code: number;
  out: string;
  err: string;
}

/** Runs kubectl with what comes in. */
async function kubectl(api: ControlPlaneUnderTest, args: string, input = "", env = {}): Promise<Run> {
  const child = new Deno.Command("kubectl", {
    args: ["--kubeconfig", api.endpoint.kubeconfig, ...args.split(" ")],
    env: { HOME: api.dataDir, ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

async function succeeds(api: ControlPlaneUnderTest, args: string, input = "", env = {}): Promise<string> {
  const { code, out, err } = await kubectl(api, args, input, env);
  assert.equal(code, 0, `kubectl ${args}: ${err}`);
  return out;
}

const WEB = (replicas: number, image = "demo:1") => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "${image}"}]}
`;

async function managers(api: ControlPlaneUnderTest): Promise<string[]> {
  const { body } = await api.request("GET", "/apis/apps/v1/namespaces/default/deployments/web");
  return objectsAt(body, "metadata", "managedFields").map(({ manager, operation }) =>
    `${manager}/${operation}`
  )
    .sort();
}

function test(name: string, body: (api: ControlPlaneUnderTest) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !available,
    fn: async () => {
      await using api = await startControlPlane();
      await body(api);
    },
  });
}

const available = await has("kubectl", ["version", "--client"]);
const canDiff = await has("diff", ["--version"]);

test("kubectl applies on the server, is told of conflicts, and takes what it is told to", async (api) => {
  assert.match(await succeeds(api, "apply --server-side -f -", WEB(1)), /web serverside-applied/);
  assert.deepEqual(await managers(api), ["kubectl/Apply"]);
  await succeeds(api, "apply --server-side --field-manager=other -f -", WEB(1));
  const { code, err } = await kubectl(
    api,
    "apply --server-side --field-manager=other -f -",
    WEB(2, "demo:2"),
  );
  assert.equal(code, 1);
  assert.match(err, /Apply failed with 2 conflicts: conflicts with "kubectl":\n- \.spec\.replicas/);
  assert.match(err, /\.spec\.template\.spec\.containers\[name="c"\]\.image/);
  await succeeds(api, "apply --server-side --field-manager=other --force-conflicts -f -", WEB(2, "demo:2"));
  assert.equal(await succeeds(api, "get deployment web -o jsonpath={.spec.replicas}"), "2");
  await succeeds(api, "apply --server-side --dry-run=server -f -", WEB(2, "demo:2"));
});

test("kubectl moves what it applied by itself to the server", async (api) => {
  await succeeds(api, "apply -f -", WEB(1));
  assert.deepEqual(await managers(api), ["kubectl-client-side-apply/Update"]);
  await succeeds(api, "apply --server-side -f -", WEB(2));
  assert.deepEqual(await managers(api), ["kubectl-last-applied/Apply", "kubectl/Apply"]);
  // A field that is not applied any more goes, though kubectl once set it by itself.
  await succeeds(
    api,
    "apply --server-side -f -",
    WEB(2).replace("  replicas: 2\n", "  minReadySeconds: 3\n"),
  );
  const spec = await succeeds(api, "get deployment web -o jsonpath={.spec.replicas}/{.spec.minReadySeconds}");
  assert.equal(spec, "1/3");
  // And back: the annotation was kept in step, so that kubectl knows what to take away.
  await succeeds(api, "apply -f -", WEB(4));
  assert.equal(
    await succeeds(api, "get deployment web -o jsonpath={.spec.replicas}/{.spec.minReadySeconds}"),
    "4/",
  );
});

test("kubectl edits, scales and labels under names of its own", async (api) => {
  await succeeds(api, "apply --server-side -f -", WEB(1));
  await succeeds(api, "edit deployment web", "", { KUBE_EDITOR: "sed -i s/replicas:.*1/replicas:\\ 3/" });
  assert.equal(await succeeds(api, "get deployment web -o jsonpath={.spec.replicas}"), "3");
  assert.deepEqual(await managers(api), ["kubectl-edit/Update", "kubectl/Apply"]);
  await succeeds(api, "scale deployment web --replicas=5");
  await succeeds(api, "label deployment web x=y");
  const { err } = await kubectl(api, "apply --server-side -f -", WEB(1));
  assert.match(err, /conflict with "kubectl" with subresource "scale" using apps\/v1: \.spec\.replicas/);
  const shown = await succeeds(api, "get deployment web -o yaml --show-managed-fields");
  assert.match(shown, /f:labels:\n\s+\.: \{\}\n\s+f:x: \{\}/);
  assert.doesNotMatch(await succeeds(api, "get deployment web -o yaml"), /managedFields/);
});

Deno.test({
  name: "kubectl shows what applying on the server would change",
  ignore: !available || !canDiff,
  fn: async () => {
    await using api = await startControlPlane();
    await succeeds(api, "apply --server-side -f -", WEB(1));
    const { code, out } = await kubectl(api, "diff --server-side -f -", WEB(7));
    assert.equal(code, 1);
    assert.match(out, /^-\s+replicas: 1$/m);
    assert.match(out, /^\+\s+replicas: 7$/m);
    assert.equal(await succeeds(api, "get deployment web -o jsonpath={.spec.replicas}"), "1");
  },
});
