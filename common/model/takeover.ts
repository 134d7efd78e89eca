/**
 * How two edges that claim one name are kept from fighting over it for ever: the newest connection wins, the older is told by the
 * code of its close, and from then on asks with a header to be let in only when no other is connected. Upstream's cloudcore and
 * edgecore know neither: a close is a close to them, and the header is ignored.
 */

/** Close code of a connection whose place another one took. */
export const TAKEN_OVER_CODE = 4409;

/** Reason that goes with it. */
export const TAKEN_OVER_REASON = "a newer connection of this node took over";

/** Request header of an edge that does not want to take the place of a connection of its name. Its value does not matter. */
export const YIELD_HEADER = "kubeedge-yield";
