import type { JsonObject } from "../../object.ts";
import { apply, type ApplyCase, get, merge, post, send } from "./request.ts";

const WIDGETS = "/apis/$NS.example.com/v1/namespaces/$NS/widgets";
const W = `${WIDGETS}/w`;

/** A custom resource with every way to merge. */
const DEFINITION = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.$NS.example.com" },
  spec: {
    group: "$NS.example.com",
    scope: "Namespaced",
    names: { plural: "widgets", singular: "widget", kind: "Widget" },
    versions: ["v1", "v2"].map((name) => ({
      name,
      served: true,
      storage: name === "v1",
      subresources: {
        status: {},
        scale: { specReplicasPath: ".spec.size.count", statusReplicasPath: ".status.count" },
      },
      schema: {
        openAPIV3Schema: {
          type: "object",
          properties: {
            spec: {
              type: "object",
              properties: {
                size: {
                  type: "object",
                  properties: { count: { type: "integer" }, w: { type: "integer", default: 3 } },
                },
                color: { type: "string" },
                tags: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
                ports: {
                  type: "array",
                  "x-kubernetes-list-type": "map",
                  "x-kubernetes-list-map-keys": ["port", "protocol"],
                  items: {
                    type: "object",
                    required: ["port"],
                    properties: {
                      port: { type: "integer" },
                      protocol: { type: "string", default: "TCP" },
                      name: { type: "string" },
                    },
                  },
                },
                plain: { type: "array", items: { type: "object", properties: { a: { type: "string" } } } },
                opts: {
                  type: "object",
                  additionalProperties: { type: "object", properties: { x: { type: "string" } } },
                },
                free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
                atom: {
                  type: "object",
                  "x-kubernetes-map-type": "atomic",
                  properties: { a: { type: "string" }, b: { type: "string" } },
                },
                ios: { "x-kubernetes-int-or-string": true },
                mixed: {
                  type: "object",
                  "x-kubernetes-preserve-unknown-fields": true,
                  properties: { known: { type: "object", properties: { k: { type: "string" } } } },
                },
              },
            },
            status: {
              type: "object",
              properties: {
                count: { type: "integer" },
                conditions: {
                  type: "array",
                  "x-kubernetes-list-type": "map",
                  "x-kubernetes-list-map-keys": ["type"],
                  items: {
                    type: "object",
                    required: ["type"],
                    properties: { type: { type: "string" }, status: { type: "string" } },
                  },
                },
              },
            },
          },
        },
      },
    })),
  },
};

const widget = (spec: JsonObject, version = "v1", metadata: JsonObject = { name: "w" }) => ({
  apiVersion: `$NS.example.com/${version}`,
  kind: "Widget",
  metadata,
  spec,
});

const FULL_WIDGET = {
  size: { count: 1 },
  color: "red",
  tags: ["a", "b"],
  ports: [{ port: 80, name: "x" }, { port: 81, protocol: "UDP" }],
  plain: [{ a: "1" }],
  opts: { o1: { x: "1" }, o2: {} },
  free: { a: { b: 1 }, l: [1, { z: 1 }], s: "x" },
  atom: { a: "1" },
  ios: 5,
  mixed: { known: { k: "1" }, other: { deep: { er: 1 } } },
};

const OTHER_WIDGET = {
  color: "blue",
  tags: ["a", "c"],
  ports: [{ port: 80, name: "y" }],
  atom: { b: "2" },
  free: { a: { b: 2 }, n: { o: [1] } },
  opts: { o1: { x: "2" } },
  mixed: { other: { deep: { er: 2 } } },
  ios: "x",
};

/** Requests of custom objects and their definition. */
export const CUSTOM_CASES: readonly ApplyCase[] = [
  post("a definition", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION),
  apply("a custom object", W, widget(FULL_WIDGET)),
  apply("a custom object again", W, widget(FULL_WIDGET)),
  apply("a custom object with an unknown field", W, widget({ ...FULL_WIDGET, nope: 1 })),
  apply("a custom object with a text for a list", W, widget({ ...FULL_WIDGET, tags: "x" })),
  apply("a custom object with an item twice", W, widget({ ...FULL_WIDGET, tags: ["a", "a"] })),
  apply(
    "a custom object with an item without its key",
    W,
    widget({ ...FULL_WIDGET, ports: [{ name: "x" }] }),
  ),
  apply("a custom object against another", W, widget(OTHER_WIDGET), "fieldManager=m2"),
  apply("a custom object by force", W, widget(OTHER_WIDGET), "fieldManager=m2&force=true"),
  merge("what is not known of a custom object", W, {
    spec: { free: { s: null, q: { w: 1 } }, opts: { o3: { x: "9" } } },
  }, "fieldManager=u"),
  apply("less of a custom object", W, widget({ size: { count: 1 }, free: { l: [1] } })),
  apply("a custom status", `${W}/status`, {
    ...widget({ color: "x" }),
    status: { count: 1, conditions: [{ type: "A", status: "True" }] },
  }, "fieldManager=st"),
  merge("a custom status of another", `${W}/status`, {
    status: { conditions: [{ type: "B", status: "True" }] },
  }, "fieldManager=su"),
  merge("a custom scale", `${W}/scale`, { spec: { replicas: 4 } }, "fieldManager=sc"),
  get("after a custom scale", W),
  apply(
    "another version",
    W.replace("/v1/", "/v2/"),
    widget({ size: { count: 4 }, color: "green" }, "v2"),
    "fieldManager=m2&force=true",
  ),
  merge(
    "an update of another version",
    W.replace("/v1/", "/v2/"),
    { spec: { color: "black" } },
    "fieldManager=u",
  ),
  get("after another version", W),
  post("a made custom object", `${WIDGETS}?fieldManager=p`, widget(FULL_WIDGET, "v1", { name: "w2" })),
  send("DELETE")(
    "a definition that goes",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.$NS.example.com",
  ),
];
