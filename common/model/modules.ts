/** Names of modules and groups as they stand in `route.source` and `route.group`. */

/** Modules of the cloud. Upstream: kubeedge cloud/pkg/common/modules/modules.go @ 16cd854 */
export const CloudModule = {
  cloudHub: "cloudhub",
  edgeController: "edgecontroller",
  deviceController: "devicecontroller",
  syncController: "synccontroller",
  dynamicController: "dynamiccontroller",
  policyController: "policycontroller",
  taskManager: "taskmanager",
  router: "router",
  cloudStream: "cloudStream",
} as const;

/** Modules of the edge; edgehub is called "websocket". Upstream: kubeedge edge/pkg/common/modules/names.go @ 16cd854 */
export const EdgeModule = {
  edged: "edged",
  metaManager: "metamanager",
  edgeHub: "websocket",
  deviceTwin: "twin",
  eventBus: "eventbus",
  serviceBus: "servicebus",
  edgeStream: "edgestream",
  taskManager: "taskmanager",
} as const;

/** Groups. Upstream: kubeedge edge/pkg/common/modules/group.go @ 16cd854 */
export const Group = {
  resource: "resource",
  meta: "meta",
  hub: "hub",
  twin: "twin",
  bus: "bus",
  user: "user",
  func: "func",
  taskManager: "taskmanager",
} as const;
