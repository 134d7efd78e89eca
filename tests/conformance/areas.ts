/** All areas of the suite. */
import { ACCESS, TOKENS } from "./areas/access.ts";
import { APPLYING } from "./areas/applying.ts";
import { BODIES } from "./areas/bodies.ts";
import { COLLECTIONS, CONCURRENCY } from "./areas/collections.ts";
import { CRUD } from "./areas/crud.ts";
import { CUSTOM_RESOURCES, CUSTOM_VERSIONS } from "./areas/custom_resources.ts";
import { DEFAULTS } from "./areas/defaults.ts";
import { DELETION, OWNERS } from "./areas/deletion.ts";
import { DISCOVERY, OPENAPI } from "./areas/discovery.ts";
import { DRY_RUN } from "./areas/dry_run.ts";
import { EVENTS } from "./areas/events.ts";
import { KUBECTL_CLUSTER, KUBECTL_OBJECTS, KUBECTL_WORKLOADS } from "./areas/kubectl.ts";
import { LIMITS } from "./areas/limits.ts";
import { NAMES } from "./areas/names.ts";
import { NAMESPACES } from "./areas/namespaces.ts";
import { OUTPUT } from "./areas/output.ts";
import { FORGETTING, PAGING } from "./areas/paging.ts";
import { PATCHES, STRATEGIC } from "./areas/patches.ts";
import { PROPERTIES } from "./areas/properties.ts";
import { REFUSALS } from "./areas/refusals.ts";
import { SELECTORS } from "./areas/selectors.ts";
import { SUBRESOURCES } from "./areas/subresources.ts";
import { TRANSPORT } from "./areas/transport.ts";
import { VERSIONS } from "./areas/versions.ts";
import { STREAMING, WATCH_FORMS, WATCHING } from "./areas/watching.ts";
import type { Area } from "./case.ts";

/** The longest first, so that none is left running at the end. */
export const AREAS: readonly Area[] = [
  NAMESPACES,
  TOKENS,
  KUBECTL_WORKLOADS,
  KUBECTL_OBJECTS,
  KUBECTL_CLUSTER,
  VERSIONS,
  WATCHING,
  OWNERS,
  CUSTOM_RESOURCES,
  CUSTOM_VERSIONS,
  DISCOVERY,
  OPENAPI,
  PROPERTIES,
  CRUD,
  NAMES,
  SELECTORS,
  PAGING,
  STREAMING,
  WATCH_FORMS,
  PATCHES,
  STRATEGIC,
  APPLYING,
  SUBRESOURCES,
  OUTPUT,
  BODIES,
  TRANSPORT,
  DRY_RUN,
  DELETION,
  EVENTS,
  ACCESS,
  COLLECTIONS,
  CONCURRENCY,
  DEFAULTS,
  REFUSALS,
  LIMITS,
  FORGETTING,
];
