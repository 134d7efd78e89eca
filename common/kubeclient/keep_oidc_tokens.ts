/**
 * Writes tokens into the user of a kubeconfig, all else in it as it was; the file is replaced in one step.
 * @param field of the user's provider: `users[0].user.auth-provider`
 */
export async function keepOidcTokens(
  file: string,
  field: string,
  tokens: { idToken: string; refreshToken: string },
): Promise<void> {
  const user = /^users\[(\d+)\]/.exec(field);
  if (user === null) throw new Error(`Cannot keep tokens at ${field} of ${file}: there is no such user`);
  const { parseDocument } = await import("yaml");
  const document = parseDocument(await Deno.readTextFile(file));
  const config = ["users", Number(user[1]), "user", "auth-provider", "config"];
  document.setIn([...config, "id-token"], tokens.idToken);
  document.setIn([...config, "refresh-token"], tokens.refreshToken);
  const partial = keptPartial(file);
  await Deno.writeTextFile(partial, document.toString({ lineWidth: 0 }), { mode: 0o600 });
  await Deno.rename(partial, file);
}

/** The file that is written before it takes the place of the kubeconfig. */
export function keptPartial(file: string): string {
  return `${file}.kubeedge-new`;
}
