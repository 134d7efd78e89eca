/**
 * Asks a running cloudcore all of `cloud_https_cases.ts` and prints the answers, a line each.
 *
 *     deno run -A tests/wire/cloud_https_record.ts <kubeconfig> <port of its HTTPS endpoint>
 *
 * The Node `edge-present` must exist and `edge-http` must not.
 */
import { createKubeClient, loadKubeConfig } from "../../common/kubeclient/mod.ts";
import { readCloudSecrets } from "./cloud_core.ts";
import { askHttps, httpsCases } from "./cloud_https_cases.ts";
import { recordAnswer } from "./cloud_https_form.ts";

const [kubeconfig = "", port = ""] = Deno.args;
await using kube = createKubeClient(await loadKubeConfig({ path: kubeconfig }));
const cloud = { httpsPort: Number(port), hubPort: 0, ...await readCloudSecrets(kube) };
const out = new TextEncoder();
for (const each of await httpsCases(cloud)) {
  const line = {
    name: each.name,
    method: each.method,
    path: each.path,
    ...recordAnswer(await askHttps(cloud, each)),
  };
  await Deno.stdout.write(out.encode(`${JSON.stringify(line)}\n`));
}
