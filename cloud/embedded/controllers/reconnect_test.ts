import assert from "node:assert/strict";
import { hasReason } from "../../../common/errors/mod.ts";
import { createKubeClient, DEPLOYMENTS, PODS } from "../../../common/kubeclient/mod.ts";
import { MetricsRegistry } from "../../../common/metrics/mod.ts";
import { runAll, silentLogger, systemClock } from "../../../common/module/mod.ts";
import { embeddedControlPlane } from "../mod.ts";
import { findCondition } from "./conditions.ts";
import { controlPlaneControllers } from "./mod.ts";

Deno.test("controlPlaneControllers() go on when the API server comes back", async () => {
  const dataDir = await Deno.makeTempDir();
  const components = { clock: systemClock, log: silentLogger, metrics: new MetricsRegistry() };
  const start = async (port: number) => {
    const stop = new AbortController();
    const server = embeddedControlPlane({ ...components, metrics: new MetricsRegistry() }, { dataDir, port });
    const running = runAll([server], stop.signal);
    const endpoint = await server.endpoint;
    return {
      endpoint,
      stop: async () => {
        stop.abort();
        await running;
      },
    };
  };
  let api = await start(0);
  const { server, port, caCertificate: ca, adminToken: token } = api.endpoint;
  const end = new AbortController();
  {
    await using kube = createKubeClient({ server, ca, token });
    const controllers = controlPlaneControllers({ ...components, kube });
    const controlling = controllers.run(end.signal);
    try {
      await controllers.ready;
      await api.stop();
      await assert.rejects(kube.list(PODS), (error) => hasReason(error, "ServiceUnavailable"));
      api = await start(port);
      const { metadata } = await kube.list(PODS);
      await kube.create(DEPLOYMENTS, {
        metadata: { name: "web", namespace: "default" },
        spec: {
          replicas: 1,
          selector: { matchLabels: { app: "web" } },
          template: {
            metadata: { labels: { app: "web" } },
            spec: { containers: [{ name: "c", image: "i" }] },
          },
        },
      });
      const scheduled = AbortSignal.timeout(30_000);
      for await (
        const { object } of kube.watch(PODS, {
          resourceVersion: metadata.resourceVersion ?? "",
          signal: scheduled,
        })
      ) {
        if (findCondition(object.status?.conditions, "PodScheduled")?.reason === "Unschedulable") break;
      }
    } finally {
      end.abort();
      await controlling;
    }
  }
  await api.stop();
  await Deno.remove(dataDir, { recursive: true });
});
