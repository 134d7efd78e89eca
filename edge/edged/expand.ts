/** Longest text an expansion may make: what Linux takes as one argument. */
const MAX_EXPANDED_CHARS = 128 * 1024;

/**
 * Replaces `$(NAME)` by the variable's value; `$$` stands for a dollar sign, an unknown name stays as it is written.
 *
 *   text = { "$$" | "$(" name ")" | any character }
 *
 * Upstream: kubeedge vendor/k8s.io/kubernetes/third_party/forked/golang/expansion/expand.go @ 16cd854
 * @throws {RangeError} when the result is longer than one argument may be
 */
export function expandVariables(text: string, lookup: (name: string) => string | undefined): string {
  const expanded = text.replace(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined) => {
    if (name === undefined) return "$";
    return lookup(name) ?? whole;
  });
  if (expanded.length > MAX_EXPANDED_CHARS) {
    throw new RangeError(`Cannot expand a text: the result is longer than ${MAX_EXPANDED_CHARS} characters`);
  }
  return expanded;
}
