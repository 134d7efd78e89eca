/**
 * One error type for everything that can be told to a client as a Kubernetes Status, and the guards over it.
 * @module
 */
export {
  errorText,
  findStatusError,
  hasReason,
  httpStatusOf,
  isAlreadyExists,
  isConflict,
  isExpired,
  isForbidden,
  isNamespaceTerminating,
  isNotFound,
  reasonOf,
  StatusError,
  statusErrorFrom,
} from "./status_error.ts";
export type { StatusErrorOptions, StatusReason } from "./status_error.ts";
