/** What failures of a connection mean, and what to do about them. */
const EXPLANATIONS: ReadonlyArray<readonly [RegExp, string]> = [
  // Before the rest: the cloud's complaint about our certificate sounds like ours about its own.
  [
    /fatal alert: (Certificate|BadCert|UnknownCA|DecryptError|AccessDenied|UnsupportedCert)|close_notify/i,
    "it does not accept this node's certificate; remove it and join again with a new token (keadm gettoken)",
  ],
  [/refused|ECONNREFUSED|tcp connect error/i, "is cloudcore running, and are address and port right?"],
  [
    /ENOTFOUND|failed to lookup|Name or service not known|dns error/i,
    "the name cannot be resolved; check it and the DNS",
  ],
  [/EHOSTUNREACH|ENETUNREACH|unreachable/i, "there is no route to it; check the network"],
  [
    /not ?valid ?yet|not ?yet ?valid/i,
    "its certificate is not valid yet by this machine's clock; set the one that is wrong of both machines' clocks",
  ],
  [
    /expired/i,
    "its certificate has expired by this machine's clock; set the one that is wrong of both machines' clocks, " +
    "or restart cloudcore, which renews it",
  ],
  [
    /NotValidForName|certificate not valid for name|altnames|ERR_TLS_CERT_ALTNAME/i,
    "its certificate is for other addresses; add this one to cloudHub.advertiseAddress or dnsNames of cloudcore",
  ],
  [
    /UnknownIssuer|unable to (get|verify)|self.signed|BadSignature/i,
    "its certificate is not from the CA this node knows; if the cloud was set up anew, remove the node's certificates " +
    "and join again with a new token (keadm gettoken)",
  ],
];

/** A hint for a connection that failed, to be put behind a sentence; empty for an unknown cause. */
export function explain(cause: unknown): string {
  let text = "";
  for (let e = cause, depth = 0; e instanceof Error && depth < 8; e = e.cause, depth++) {
    text += ` ${"code" in e ? String(e.code) : ""} ${e.message}`;
  }
  const hint = EXPLANATIONS.find(([pattern]) => pattern.test(text))?.[1];
  if (hint === undefined) return "";
  const seconds = /verification time (\d{1,11}) \(UNIX\)/.exec(text)?.[1];
  const clock = seconds === undefined ? "" : `; here it is ${new Date(Number(seconds) * 1000).toISOString()}`;
  return ` (${hint}${clock})`;
}
