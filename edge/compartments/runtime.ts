/** The compartment of edged: it runs the container engine's client and a few programs of the system, and keeps the pods' directories. */
import { type Message, MESSAGE_TEXT } from "../../common/model/mod.ts";
import { Mailbox, runCompartment, systemClock } from "../../common/module/mod.ts";
import { edged, type EdgedOptions } from "../edged/mod.ts";
import { type Allocatable, envResolver, fieldValue, resourceValue } from "../edged/env/mod.ts";
import { type DockerOptions, dockerRuntime, systemProcesses } from "../edged/runtime/mod.ts";
import { podVolumes, systemMounter } from "../edged/volumes/mod.ts";

export interface RuntimeInit {
  edged: EdgedOptions & { rootDirectory: string };
  docker: DockerOptions;
  /** Whether this process may mount. */
  root: boolean;
}

/** What a container without limits may use: all of the machine. */
function allocatable(): Allocatable {
  return {
    cpu: String(navigator.hardwareConcurrency),
    memory: String(Deno.systemMemoryInfo().total),
  };
}

runCompartment<RuntimeInit>(({ init, log, metrics, connect }) => {
  const clock = systemClock;
  const inbox = new Mailbox<Message>("edged", 1024);
  const metaManager = connect("metamanager", inbox, MESSAGE_TEXT);
  const runtime = dockerRuntime(
    { processes: systemProcesses(clock), clock, log: log.child("docker") },
    init.docker,
  );
  const volumeLog = log.child("volumes");
  return [
    edged({
      inbox,
      metaManager,
      runtime,
      volumes: (api) =>
        podVolumes({
          api,
          downward: {
            field: (pod, path) => fieldValue(pod, path),
            resource: (pod, selector) => resourceValue(pod, undefined, selector, allocatable()),
          },
          ...(init.root ? { mounter: systemMounter } : {}),
          clock,
          log: volumeLog,
        }, { rootDirectory: init.edged.rootDirectory }),
      resolveEnv: (api) => envResolver({ api, allocatable, log: log.child("env") }),
      clock,
      log: log.child("edged"),
      metrics,
    }, init.edged),
  ];
});
