export type {
  CronJob,
  Job,
  JobCondition,
  JobSpec,
  JobStatus,
  PodFailurePolicy,
  SuccessPolicy,
} from "kubernetes-types/batch/v1.d.ts";
