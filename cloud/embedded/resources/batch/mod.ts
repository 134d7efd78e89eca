/**
 * Jobs and CronJobs as they are stored: defaults, generated selectors, what is wrong with them, what may not change.
 *
 * Upstream: k8s.io/kubernetes pkg/apis/batch, pkg/registry/batch @ v1.33
 * @module
 */
import type { ResourceDefinition } from "../definition.ts";
import { CRON_JOB } from "./cron_job.ts";
import { JOB } from "./job.ts";

/** Jobs and CronJobs. */
export const BATCH: readonly ResourceDefinition[] = [CRON_JOB, JOB];
