import assert from "node:assert/strict";
import { type ControlPlaneUnderTest, hasKubectl, startControlPlane } from "./testing.ts";

interface Run {
  code: number;
  out: string;
  err: string;
}

/** kubectl against a control plane, with a home of its own. */
class Kubectl {
  readonly #api: ControlPlaneUnderTest;
  readonly #extra: Record<string, string>;

  constructor(api: ControlPlaneUnderTest, extra: Record<string, string> = {}) {
    this.#api = api;
    this.#extra = extra;
  }

  spawn(args: string[]): Deno.ChildProcess {
    return new Deno.Command("kubectl", {
      args: ["--kubeconfig", this.#api.endpoint.kubeconfig, ...args],
      env: { HOME: this.#api.dataDir, ...this.#extra },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  async run(args: string, input = ""): Promise<Run> {
    const child = this.spawn(args.split(" "));
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
  }

  /** Runs and expects success. */
  async ok(args: string, input = ""): Promise<string> {
    const { code, out, err } = await this.run(args, input);
    assert.equal(code, 0, `kubectl ${args}: ${err}`);
    return out;
  }
}

const WEB = (replicas: number, page: string) => `
apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data: {index.html: "${page}"}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {token: hush}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: demo:1
        ports: [{containerPort: 80}]
        volumeMounts: [{name: page, mountPath: /www}]
      volumes: [{name: page, configMap: {name: page}}]
`;

const POD = `
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: x}}
spec:
  nodeName: edge-1
  containers: [{name: c, image: "busybox:1"}]
`;

const NODE = `
apiVersion: v1
kind: Node
metadata: {name: edge-1, labels: {node-role.kubernetes.io/edge: ""}}
status:
  conditions: [{type: Ready, status: "True"}]
  addresses: [{type: InternalIP, address: 10.0.0.1}]
  nodeInfo: {kubeletVersion: v1.32.10-kubeedge-v1.23.1, osImage: Debian, containerRuntimeVersion: "docker://1"}
`;

function lines(text: string): string[] {
  return text.trim().split("\n").map((line) => line.trim().split(/\s{2,}/).join("|"));
}

Deno.test({
  name: "the real kubectl works against the embedded control plane",
  ignore: !(await hasKubectl()),
  fn: async (t) => {
    await using api = await startControlPlane();
    const kubectl = new Kubectl(api);
    await t.step("apply creates, then finds nothing to do, then changes", async () => {
      assert.deepEqual(lines(await kubectl.ok("apply -f -", WEB(2, "one"))), [
        "configmap/page created",
        "secret/key created",
        "deployment.apps/web created",
      ]);
      const again = lines(await kubectl.ok("apply -f -", WEB(2, "one")));
      assert.deepEqual([again[0], again[2]], ["configmap/page unchanged", "deployment.apps/web unchanged"]);
      assert.deepEqual(lines(await kubectl.ok("apply -f -", WEB(3, "two"))), [
        "configmap/page configured",
        again[1],
        "deployment.apps/web configured",
      ]);
      const data = await kubectl.ok("get deploy web -o jsonpath={.spec.replicas}/{.metadata.generation}");
      assert.equal(data, "3/2");
    });
    await t.step("get prints the columns of the real server", async () => {
      await kubectl.ok("create -f -", NODE);
      await kubectl.ok("apply -f -", POD);
      const [head, row] = lines(await kubectl.ok("get pods -o wide"));
      assert.equal(head, "NAME|READY|STATUS|RESTARTS|AGE|IP|NODE|NOMINATED NODE|READINESS GATES");
      assert.match(row!, /^p\|0\/1\|Pending\|0\|\d+s\|<none>\|edge-1\|<none>\|<none>$/);
      assert.match(
        lines(await kubectl.ok("get nodes"))[1]!,
        /^edge-1\|Ready\|edge\|\d+s\|v1\.32\.10-kubeedge-v1\.23\.1$/,
      );
      assert.match(
        lines(await kubectl.ok("get deploy -o wide"))[1]!,
        /^web\|0\/3\|0\|0\|\d+s\|web\|demo:1\|app=web$/,
      );
      const all = await kubectl.ok("get all");
      for (const name of ["pod/p", "service/kubernetes", "deployment.apps/web"]) {
        assert.ok(all.includes(name), name);
      }
      assert.match(await kubectl.ok("get cm page -o yaml"), /index.html: two/);
      assert.equal((await kubectl.ok("get cm -o name -l app=none")).trim(), "");
      assert.equal((await kubectl.ok("get secret key -o jsonpath={.data.token}")).trim(), btoa("hush"));
      assert.match(await kubectl.ok("get ns --show-labels"), /kubernetes.io\/metadata.name=default/);
      for (
        const kind of ["sa", "svc", "ep", "events", "pv", "pvc", "leases", "rs", "ds", "sts", "objectsyncs"]
      ) {
        await kubectl.ok(`get ${kind} -A`);
      }
    });
    await t.step("get -w prints changes as they come", async () => {
      const child = kubectl.spawn([
        "get",
        "cm",
        "page",
        "-w",
        "--no-headers",
        "-o",
        "custom-columns=L:.metadata.labels.seen",
      ]);
      await child.stdin.close();
      let text = "";
      const decoder = new TextDecoder();
      for await (const chunk of child.stdout) {
        text += decoder.decode(chunk);
        if (text === "<none>\n") await kubectl.ok("label cm page seen=yes");
        if (text.includes("yes")) break;
      }
      child.kill("SIGTERM");
      await child.status;
      await child.stderr.cancel();
      assert.equal(text, "<none>\nyes\n");
    });
    await t.step("describe tells of objects and their events", async () => {
      assert.match(await kubectl.ok("describe deploy web"), /Replicas:\s+3 desired/);
      assert.match(await kubectl.ok("describe pod p"), /Node:\s+edge-1/);
      assert.match(await kubectl.ok("describe node edge-1"), /Non-terminated Pods:\s+\(1 in total\)/);
      assert.match(await kubectl.ok("describe ns default"), /Status:\s+Active/);
    });
    await t.step("edit, label, annotate and patch", async () => {
      const editor = new Kubectl(api, { KUBE_EDITOR: "sed -i s/two/three/" });
      assert.match(await editor.ok("edit cm page"), /configmap\/page edited/);
      await kubectl.ok("annotate cm page note=hello");
      await kubectl.ok('patch cm page --type=json -p [{"op":"add","path":"/data/x","value":"1"}]');
      await kubectl.ok('patch cm page --type=merge -p {"data":{"y":"2"}}');
      await kubectl.ok("set image deploy/web web=demo:2");
      assert.equal(
        await kubectl.ok("get cm page -o jsonpath={.data.x}{.data.y}{.metadata.annotations.note}"),
        "12hello",
      );
      assert.equal(
        await kubectl.ok("get deploy web -o jsonpath={.spec.template.spec.containers[*].image}"),
        "demo:2",
      );
      const refused = await kubectl.run("label pod p app=y");
      assert.match(refused.err, /'app' already has a value \(x\), and --overwrite is false/);
    });
    await t.step("scale, rollout status and wait", async () => {
      await kubectl.ok("scale deploy web --replicas=1");
      const generation = Number(await kubectl.ok("get deploy web -o jsonpath={.metadata.generation}"));
      const child = kubectl.run("rollout status deploy/web --timeout=30s");
      const waiting = kubectl.run("wait --for=condition=Available deploy/web --timeout=30s");
      const status = {
        observedGeneration: generation,
        replicas: 1,
        updatedReplicas: 1,
        readyReplicas: 1,
        availableReplicas: 1,
        conditions: [{ type: "Available", status: "True" }],
      };
      await api.request("PATCH", "/apis/apps/v1/namespaces/default/deployments/web/status", { status }, {
        "content-type": "application/merge-patch+json",
      });
      assert.match((await child).out, /deployment "web" successfully rolled out/);
      assert.match((await waiting).out, /deployment.apps\/web condition met/);
    });
    await t.step("create and expose send what typed clients send", async () => {
      await kubectl.ok("create ns other");
      await kubectl.ok("create cm made -n other --from-literal=a=b");
      await kubectl.ok("create deploy made -n other --image=demo:1 --replicas=0");
      assert.equal(await kubectl.ok("get deploy made -n other -o jsonpath={.spec.replicas}"), "0");
      await kubectl.ok("expose deploy made -n other --port=80");
      await kubectl.ok("create sa robot -n other");
      assert.match(await kubectl.ok("create token robot -n other"), /^ey[\w-]+\.[\w-]+\.[\w-]+\s*$/);
      assert.equal((await kubectl.ok("auth can-i delete pods")).trim(), "yes");
      assert.match(await kubectl.ok("auth whoami"), /kubernetes-admin/);
      await kubectl.ok("run x --image=demo:1 -n other --dry-run=server");
      await kubectl.ok("cordon edge-1");
      await kubectl.ok("taint node edge-1 a=b:NoSchedule");
      assert.match(await kubectl.ok("get node edge-1"), /Ready,SchedulingDisabled/);
      assert.match(await kubectl.ok("explain deployment.spec.strategy"), /rollingUpdate/);
      assert.match(await kubectl.ok("version"), /Server Version: v1\.32/);
    });
    await t.step("delete waits for what is deleted", async () => {
      await kubectl.ok("delete ns other --timeout=20s");
      await kubectl.ok("delete pod p --wait=false");
      assert.match(await kubectl.ok("get pod p"), /Terminating/);
      await kubectl.ok("delete pod p --force --grace-period=0");
      await kubectl.ok("delete deploy,cm,secret --all --timeout=20s");
      assert.match((await kubectl.run("get deploy")).err, /No resources found in default namespace/);
    });
    await t.step("errors read as those of a real server", async () => {
      const rows: Array<[string, string, RegExp]> = [
        ["get pod nosuch", "", /^Error from server \(NotFound\): pods "nosuch" not found/],
        ["get nosuch", "", /the server doesn't have a resource type "nosuch"/],
        ["create cm a -n nosuch", "", /namespaces "nosuch" not found/],
        [
          "apply -f -",
          "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndta: {}\n",
          /unknown field "dta"/,
        ],
        [
          "apply -f -",
          "apiVersion: v1\nkind: Pod\nmetadata: {name: A_b}\nspec: {containers: [{name: c}]}\n",
          /The Pod "A_b" is invalid: \n\* metadata.name: Invalid value: "A_b"/,
        ],
        ["get pods --field-selector a=b", "", /field label not supported: a/],
        [
          "apply -f -",
          "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\n",
          /no matches for kind "Thing"/,
        ],
        [
          "apply -f -",
          "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\n" +
          "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n",
          /PersistentVolumeClaim "a" is invalid: spec: Forbidden: .*no storage provisioner/,
        ],
        [
          "create service clusterip a --tcp=80:80 --clusterip=10.1.2.3",
          "",
          /failed to allocate IP 10.1.2.3: the provided IP \(10.1.2.3\) is not in the valid range/,
        ],
        [
          "create service nodeport a --tcp=80:80 --node-port=80",
          "",
          /The range of valid ports is 30000-32767/,
        ],
      ];
      for (const [args, input, expected] of rows) {
        const { code, err } = await kubectl.run(args, input);
        assert.notEqual(code, 0, args);
        assert.match(err, expected);
      }
    });
  },
});
