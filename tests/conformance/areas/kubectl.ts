import assert from "node:assert/strict";
import { until } from "../../../scripts/trial/program.ts";
import { area, type CaseContext } from "../case.ts";
import { expectAnswer } from "../expect.ts";
import { Kubectl } from "../kubectl.ts";

async function start(c: CaseContext): Promise<{ ns: string; k: Kubectl }> {
  const ns = await c.podNamespace();
  return { ns, k: new Kubectl(c.plane, ns) };
}

const settings = (greeting: string) => `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: demo}}
data: {greeting: ${greeting}}
`;

const web = (replicas: number, image = "web:1") => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      schedulerName: none
      containers:
      - {name: main, image: "${image}", ports: [{containerPort: 80}]}
`;

export const KUBECTL_OBJECTS = area("kubectl with objects", {
  "create, get, delete": async (c) => {
    const { k } = await start(c);
    assert.equal(await k.ok("create -f -", settings("hi")), "configmap/settings created");
    assert.match(await k.fails("create -f -", settings("hi")), /AlreadyExists|already exists/);
    assert.equal(await k.ok("get cm settings -o jsonpath={.data.greeting}"), "hi");
    assert.equal(await k.ok("get cm settings -o name"), "configmap/settings");
    assert.match(await k.ok("get cm -l app=demo"), /^NAME +DATA +AGE\nsettings +1 +\d+s$/);
    assert.match(
      await k.ok("get cm settings -o yaml"),
      /^apiVersion: v1\ndata:\n {2}greeting: hi\nkind: ConfigMap/,
    );
    assert.match(await k.ok("get cm settings -o wide --show-labels"), /app=demo/);
    assert.equal(await k.ok("get cm settings -o custom-columns=N:.metadata.name --no-headers"), "settings");
    assert.equal(await k.ok("delete cm settings"), `configmap "settings" deleted`);
    assert.match(
      await k.fails("get cm settings"),
      /^Error from server \(NotFound\): configmaps "settings" not found$/,
    );
  },
  "apply prunes what is no longer there": async (c) => {
    const { k } = await start(c);
    const set = c.unique("set");
    const maps = (...names: string[]) =>
      names.map((name) =>
        `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, labels: {set: ${set}}}\n`
      ).join("---\n");
    await k.ok("apply -f -", maps("a", "b"));
    assert.equal(
      await k.ok(`apply --prune -l set=${set} -f -`, maps("a")),
      "configmap/a unchanged\nconfigmap/b pruned",
    );
    assert.equal(await k.ok(`get cm -l set=${set} -o name`), "configmap/a");
  },
  "generated objects": async (c) => {
    const { k } = await start(c);
    assert.equal(await k.ok("create configmap lit --from-literal=a=1"), "configmap/lit created");
    assert.equal(await k.ok("create secret generic key --from-literal=token=hush"), "secret/key created");
    assert.equal(await k.ok("get secret key -o jsonpath={.data.token}"), "aHVzaA==");
    assert.equal(await k.ok("create serviceaccount robot"), "serviceaccount/robot created");
    assert.match(await k.ok("create token robot"), /^[\w-]+\.[\w-]+\.[\w-]+$/);
    assert.equal(
      await k.ok("create deployment gen --image=gen:1 --replicas=0"),
      "deployment.apps/gen created",
    );
  },
  "apply, apply again, diff, apply with removal": async (c) => {
    const { k } = await start(c);
    assert.equal(await k.ok("apply -f -", settings("hi")), "configmap/settings created");
    assert.equal(await k.ok("apply -f -", settings("hi")), "configmap/settings unchanged");
    const { code, stdout } = await k.run("diff -f -", settings("bye"));
    assert.equal(code, 1);
    assert.match(stdout, /-\s*greeting: hi\n\+\s*greeting: bye/);
    assert.equal((await k.run("diff -f -", settings("hi"))).code, 0);
    assert.equal(await k.ok("apply -f -", settings("bye")), "configmap/settings configured");
    const other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {other: x}\n";
    assert.equal(await k.ok("apply -f -", other), "configmap/settings configured");
    assert.equal(await k.ok("get cm settings -o jsonpath={.data}{.metadata.labels}"), '{"other":"x"}');
    assert.equal(
      await k.ok("apply --dry-run=server -f -", settings("x")),
      "configmap/settings configured (server dry run)",
    );
  },
  "apply on the server, with conflicts and force": async (c) => {
    const { k } = await start(c);
    assert.equal(
      await k.ok("apply --server-side -f -", settings("hi")),
      "configmap/settings serverside-applied",
    );
    assert.match(
      await k.fails("apply --server-side --field-manager=other -f -", settings("bye")),
      /conflict with "kubectl": \.data\.greeting/,
    );
    assert.equal(
      await k.ok("apply --server-side --field-manager=other --force-conflicts -f -", settings("bye")),
      "configmap/settings serverside-applied",
    );
    assert.equal(await k.ok("get cm settings -o jsonpath={.data.greeting}"), "bye");
  },
  "a bad manifest is refused with what is wrong": async (c) => {
    const { k } = await start(c);
    const bad = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndatas: {a: b}\n";
    assert.match(await k.fails("create -f -", bad), /unknown field "datas"/);
    assert.match(
      await k.fails("apply -f -", "apiVersion: v1\nkind: Nosuch\nmetadata: {name: a}\n"),
      /no matches for kind "Nosuch" in version "v1"/,
    );
    assert.match(await k.fails("get nosuch"), /the server doesn't have a resource type "nosuch"/);
  },
  "patch, label, annotate, edit by replace": async (c) => {
    const { k } = await start(c);
    await k.ok("create -f -", settings("hi"));
    assert.equal(
      await k.ok(["patch", "cm", "settings", "-p", '{"data":{"more":"yes"}}']),
      "configmap/settings patched",
    );
    assert.equal(
      await k.ok([
        "patch",
        "cm",
        "settings",
        "--type=json",
        "-p",
        '[{"op":"remove","path":"/data/greeting"}]',
      ]),
      "configmap/settings patched",
    );
    assert.equal(await k.ok("get cm settings -o jsonpath={.data}"), '{"more":"yes"}');
    assert.equal(await k.ok("label cm settings tier=web"), "configmap/settings labeled");
    assert.match(
      await k.fails("label cm settings tier=db"),
      /already has a value \(web\), and --overwrite is false/,
    );
    assert.equal(await k.ok("label cm settings tier-"), "configmap/settings unlabeled");
    assert.equal(await k.ok("annotate cm settings note=x"), "configmap/settings annotated");
    const object = JSON.parse(await k.ok("get cm settings -o json"));
    object.data = { replaced: "1" };
    assert.equal(await k.ok("replace -f -", JSON.stringify(object)), "configmap/settings replaced");
    assert.match(await k.fails("replace -f -", JSON.stringify(object)), /the object has been modified/);
  },
  "watch and wait": async (c) => {
    const { ns, k } = await start(c);
    const maps = `/api/v1/namespaces/${ns}/configmaps`;
    await k.ok("create -f -", settings("hi"));
    const waiting = k.ok("wait cm/settings --for=jsonpath={.data.greeting}=bye --timeout=60s");
    const gone = k.ok("wait cm/settings --for=delete --timeout=60s");
    const watching = k.run([
      "get",
      "cm",
      "settings",
      "--watch",
      "-o",
      "jsonpath={.data.greeting} ",
      "--request-timeout=3s",
    ]);
    await c.api.patch(`${maps}/settings`, "merge", { data: { greeting: "bye" } });
    assert.equal(await waiting, "configmap/settings condition met");
    assert.match((await watching).stdout, /bye/);
    await c.api.delete(`${maps}/settings`);
    assert.match(await gone, /condition met/);
  },
  "delete by label, all and from a file": async (c) => {
    const { k } = await start(c);
    for (const name of ["a", "b", "c"]) await k.ok(`create configmap ${name}`);
    await k.ok("label cm a b group=one");
    assert.match(await k.ok("delete cm -l group=one"), /"a" deleted[\s\S]*"b" deleted/);
    assert.equal(await k.ok("delete -f - --ignore-not-found", settings("hi")), "");
    assert.match(await k.ok("delete cm --all"), /"c" deleted/);
    assert.match(await k.fails("delete cm c"), /configmaps "c" not found/);
  },
});

export const KUBECTL_WORKLOADS = area("kubectl with workloads", {
  "a deployment: scale, rollout, set image, undo, history": async (c) => {
    const { k } = await start(c);
    await k.ok("apply -f -", web(0));
    assert.equal(
      await k.ok("rollout status deploy/web --timeout=60s"),
      'deployment "web" successfully rolled out',
    );
    assert.equal(await k.ok("scale deploy/web --replicas=2"), "deployment.apps/web scaled");
    await until("there are two pods", async () => {
      return (await k.ok("get pods -l app=web -o name")).split("\n").filter((line) => line !== "").length ===
        2;
    });
    assert.match(
      await k.fails("scale deploy/web --replicas=5 --current-replicas=7"),
      /Expected replicas to be 7, was 2/,
    );
    assert.equal(await k.ok("set image deploy/web main=web:2"), "deployment.apps/web image updated");
    await until("there is a second revision", async () => {
      return /\n2 /.test(await k.ok("rollout history deploy/web"));
    });
    assert.equal(await k.ok("rollout undo deploy/web"), "deployment.apps/web rolled back");
    assert.equal(
      await k.ok(["get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}"]),
      "web:1",
    );
    assert.equal(await k.ok("rollout pause deploy/web"), "deployment.apps/web paused");
    assert.equal(await k.ok("rollout resume deploy/web"), "deployment.apps/web resumed");
    assert.equal(await k.ok("rollout restart deploy/web"), "deployment.apps/web restarted");
    assert.match(
      await k.ok("get deploy web -o wide"),
      /NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR\nweb +0\/2 .* main +web:1 +app=web/,
    );
    assert.match(
      await k.ok("describe deploy web"),
      /Name: +web[\s\S]*Replicas:[\s\S]*Image: +web:1[\s\S]*Events:/,
    );
    assert.match(await k.ok("get all"), /deployment\.apps\/web[\s\S]*replicaset\.apps\/web-/);
    assert.match(await k.ok("delete deploy web"), /"web" deleted/);
    await until("its pods are gone", async () => (await k.ok("get pods -o name")) === "", {
      timeoutMs: 60_000,
    });
  },
  "a pod: get wide, describe, events": async (c) => {
    const { ns, k } = await start(c);
    const pod = JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p" },
      spec: { schedulerName: "none", containers: [{ name: "c", image: "i:1" }] },
    });
    await k.ok("create -f -", pod);
    const uid = await k.ok("get pod p -o jsonpath={.metadata.uid}");
    assert.match(
      await k.ok("get pod p -o wide"),
      /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\np +0\/1 +Pending +0 +\d+s +<none> +<none> +<none> +<none>$/,
    );
    expectAnswer(
      await c.api.post(`/api/v1/namespaces/${ns}/events`, {
        metadata: { name: "p.1" },
        involvedObject: { apiVersion: "v1", kind: "Pod", namespace: ns, name: "p", uid },
        reason: "Tested",
        message: "an event of a test",
        type: "Normal",
        count: 1,
        firstTimestamp: new Date().toISOString(),
        lastTimestamp: new Date().toISOString(),
      }),
      201,
    );
    assert.match(
      await k.ok("describe pod p"),
      /Name: +p\n[\s\S]*Status: +Pending[\s\S]*Tested[\s\S]*an event of a test/,
    );
    assert.match(await k.ok("events --for pod/p"), /Normal +Tested +Pod\/p +an event of a test/);
    assert.match(await k.ok("get events"), /Tested +pod\/p +an event of a test/);
  },
  "a service is exposed": async (c) => {
    const { k } = await start(c);
    await k.ok("apply -f -", web(0));
    assert.equal(await k.ok("expose deploy/web --port=80 --cluster-ip=None"), "service/web exposed");
    assert.match(await k.ok("get svc web"), /web +ClusterIP +None +<none> +80\/TCP/);
    assert.equal(await k.ok("get svc web -o jsonpath={.spec.selector.app}"), "web");
    assert.match(await k.ok("describe svc web"), /Selector: +app=web/);
  },
  "nodes: cordon, taint, drain without any pods": async (c) => {
    const { k } = await start(c);
    const node = c.unique("node");
    expectAnswer(await c.api.post("/api/v1/nodes", { metadata: { name: node } }), 201);
    assert.equal(await k.ok(`cordon ${node}`), `node/${node} cordoned`);
    assert.match(await k.ok(`get node ${node}`), /SchedulingDisabled/);
    assert.equal(await k.ok(`uncordon ${node}`), `node/${node} uncordoned`);
    assert.equal(await k.ok(`taint nodes ${node} a=b:NoSchedule`), `node/${node} tainted`);
    assert.equal(await k.ok(`taint nodes ${node} a-`), `node/${node} untainted`);
    assert.equal(await k.ok(`label node ${node} a=b`), `node/${node} labeled`);
    assert.match(
      await k.ok(`drain ${node}`),
      new RegExp(`node/${node} cordoned[\\s\\S]*node/${node} drained`),
    );
    assert.match(await k.ok(`describe node ${node}`), /Unschedulable: +true/);
    await k.ok(`delete node ${node}`);
    assert.match(await k.fails("drain nosuch"), /nodes "nosuch" not found/);
  },
});

export const KUBECTL_CLUSTER = area("kubectl with the cluster", {
  "explain": async (c) => {
    const { k } = await start(c);
    assert.match(await k.ok("explain pods"), /KIND: +Pod\nVERSION: +v1[\s\S]*spec\t<PodSpec>/);
    assert.match(
      await k.ok("explain deployments.spec.replicas"),
      /GROUP: +apps\nKIND: +Deployment\nVERSION: +v1\n\nFIELD: replicas <integer>/,
    );
    assert.match(await k.ok("explain configmap --recursive"), /data\t<map\[string\]string>/);
    assert.match(await k.fails("explain pods.nosuch"), /field "nosuch" does not exist/);
  },
  "api-resources and api-versions": async (c) => {
    const { k } = await start(c);
    const resources = await k.ok("api-resources");
    for (
      const line of [
        /configmaps +cm +v1 +true +ConfigMap/,
        /deployments +deploy +apps\/v1 +true +Deployment/,
        /nodes +no +v1 +false +Node/,
      ]
    ) {
      assert.match(resources, line);
    }
    assert.match(await k.ok("api-resources --api-group=apps -o name"), /^deployments\.apps$/m);
    assert.match(await k.ok("api-versions"), /^apps\/v1$/m);
  },
  "auth can-i and whoami": async (c) => {
    const { ns, k } = await start(c);
    assert.equal(await k.ok("auth can-i create pods"), "yes");
    const { code, stdout } = await k.run(`auth can-i create pods --as=system:serviceaccount:${ns}:default`);
    assert.deepEqual([code, stdout.trim().split("\n").at(-1)], [1, "no"]);
    assert.match(await k.ok("auth whoami"), /system:masters/);
    assert.match(await k.ok("auth can-i --list"), /\*\.\* +\[\] +\[\] +\[\*\]/);
  },
  "cluster-info and version": async (c) => {
    const { k } = await start(c);
    assert.match(await k.ok("cluster-info"), /is running at/);
    assert.match(await k.ok("version"), /Server Version: v1\.\d+\.\d+/);
    assert.match(await k.ok("get --raw /readyz"), /^ok$/);
    assert.match(await k.ok("get ns default"), /default +Active/);
  },
  "a namespace": async (c) => {
    const { k } = await start(c);
    const name = c.unique("made");
    assert.equal(await k.ok(`create ns ${name}`), `namespace/${name} created`);
    assert.match(await k.ok(`describe ns ${name}`), /Status: +Active/);
    assert.equal(await k.ok(`delete ns ${name} --timeout=60s`), `namespace "${name}" deleted`);
  },
  "a definition and its objects": async (c) => {
    const { k } = await start(c);
    const id = c.unique("").replaceAll("-", "");
    const [plural, kind, group] = [`cogs${id}`, `Cog${id}`, `k${id}.example.com`];
    const definition = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        scope: "Namespaced",
        names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
        versions: [{
          name: "v1",
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: "object",
              properties: {
                spec: {
                  type: "object",
                  description: "What is wanted.",
                  properties: { teeth: { type: "integer" } },
                },
              },
            },
          },
        }],
      },
    };
    await k.ok("apply -f -", JSON.stringify(definition));
    await k.ok(`wait crd/${plural}.${group} --for=condition=Established --timeout=60s`);
    const cog = (teeth: number) =>
      JSON.stringify({ apiVersion: `${group}/v1`, kind, metadata: { name: "a" }, spec: { teeth } });
    await until("it can be applied", async () => (await k.run("apply -f -", cog(8))).code === 0);
    assert.match(await k.ok(`get ${plural}`), /NAME +AGE\na +\d+s/);
    assert.match(await k.ok("apply -f -", cog(9)), /configured$/);
    assert.equal(await k.ok(`get ${plural} a -o jsonpath={.spec.teeth}`), "9");
    await until(
      "it can be explained",
      async () => /What is wanted/.test((await k.run(`explain ${plural}.spec`)).stdout),
    );
    assert.match(await k.ok(`delete crd ${plural}.${group}`), /deleted/);
  },
});
