/**
 * What every part of a core is made of: modules with a life cycle, mailboxes between them, compartments that hold them with
 * just the permissions they need, and the clock and logger they are given.
 * @module
 */
export { aborted, deferModule, defineModule, runAll } from "./module.ts";
export type { Module, ModuleContext } from "./module.ts";
export { lockdown } from "./lockdown.ts";
export { connectPort, Mailbox, MailboxClosedError } from "./mailbox.ts";
export type { Inbox, PortOptions, Send } from "./mailbox.ts";
export { itemsUntil } from "./items.ts";
export { throttle } from "./throttle.ts";
export { News } from "./news.ts";
export { systemClock } from "./clock.ts";
export type { Clock } from "./clock.ts";
export { backoffMs } from "./backoff.ts";
export type { BackoffOptions } from "./backoff.ts";
export { createLogger, printJson, printText, silentLogger } from "./logger.ts";
export type { LogFields, Logger, LoggerOptions, LogLevel, LogRecord } from "./logger.ts";
export { compartment, runCompartment } from "./compartment.ts";
export type { Compartment, CompartmentContext, CompartmentSpec } from "./compartment.ts";
