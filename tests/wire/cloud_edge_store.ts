/** What upstream's edgecore keeps of what a cloud tells it. For tests only; it has no metaserver and no devices. */
import { isObjectResponse } from "../../common/model/mod.ts";
import { typeOf, type WireMessage } from "./cloud_recording.ts";

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The objects of one edge by key. Upstream: kubeedge edge/pkg/metamanager/process.go, client/{pod,node}.go @ 16cd854 */
export class EdgeStore {
  readonly objects = new Map<string, unknown>();

  /** Takes a message of the cloud; `request` is what it answers. */
  take(message: WireMessage, request: WireMessage | undefined): void {
    const { operation, resource = "", group } = message.route;
    if (message.header.parent_msg_id !== undefined) {
      if (request !== undefined && operation === "response") this.#answered(resource, message, request);
    } else if (group === "resource") this.#pushed(operation ?? "", resource, message);
  }

  #pushed(operation: string, key: string, message: WireMessage): void {
    if (operation !== "delete") this.objects.set(key, message.content);
    else if (typeOf(message) !== "pod" || uidOf(message.content) === uidOf(this.objects.get(key))) {
      this.objects.delete(key);
    }
  }

  #answered(resource: string, { content }: WireMessage, request: WireMessage): void {
    const type = typeOf(request);
    const wrapped = isObjectResponse(content);
    if (content === "OK" || (wrapped && content.Err !== null)) return;
    const object = wrapped ? content.Object : content;
    if (type === "nodepatch" || type === "podpatch") {
      const kind = type === "nodepatch" ? "Node" : "Pod";
      this.objects.set(resource.replace(`/${type}/`, `/${type.replace("patch", "")}/`), {
        ...(object as Json),
        apiVersion: "v1",
        kind,
      });
    } else if (type === "serviceaccounttoken") {
      // Kept by what it is bound to and for whom.
      const spec = (object as { spec: Json }).spec;
      const { kind, name, uid } = spec.boundObjectRef as Json;
      this.objects.set(`${resource} ${kind} ${name} ${uid}`, object);
    } else if (wrapped) {
      // Go's decoder of the type does not look at these.
      const { apiVersion: _version, kind: _kind, ...rest } = object as Json;
      this.objects.set(resource, rest);
    } else this.objects.set(resource, object);
  }
}

function uidOf(object: unknown): unknown {
  return isObject(object) && isObject(object.metadata) ? object.metadata.uid : undefined;
}
