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
  const check = (chars: number) => {
    if (chars <= MAX_EXPANDED_CHARS) return;
    throw new RangeError(`Cannot expand a text: the result is longer than ${MAX_EXPANDED_CHARS} characters`);
  };
  let grown = 0;
  const expanded = text.replace(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined, at: number) => {
    const value = name === undefined ? "$" : lookup(name) ?? whole;
    // Before the result is made: even that of a short text may be longer than memory is.
    check(at + grown + value.length);
    grown += value.length - whole.length;
    return value;
  });
  check(expanded.length);
  return expanded;
}
