/**
 * Asks an API server what it answers to the cases, and writes that to a file: with a real server, what the embedded one is expected to
 * answer.
 *
 *     deno run --allow-all cloud/embedded/crd/record_testing.ts <kubeconfig> <file>
 */
import { loadKubeConfig } from "../../../common/kubeclient/mod.ts";
import type { JsonObject } from "../object.ts";
import {
  answerOf,
  type CaseAnswer,
  changedCrd,
  CRD_CASES,
  VALUE_CASES,
  valueCrd,
  valueObject,
} from "./cases_testing.ts";

/** Where the answers of the real server are. */
export const ANSWERS = new URL("./answers_testing.json", import.meta.url);

/** Answers by the name of the case; several values have several. */
export interface Answers {
  crds: Record<string, CaseAnswer>;
  values: Record<string, CaseAnswer[]>;
}

/** Sends a request with a JSON body. */
export type Send = (
  method: string,
  path: string,
  body?: unknown,
) => Promise<{ status: number; headers: Headers; body: JsonObject }>;

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const VALUES = "/apis/cases.example.com/v1/namespaces/default/values";

/** Asks a server. */
export async function ask(send: Send): Promise<Answers> {
  const answers: Answers = { crds: {}, values: {} };
  for (const one of CRD_CASES) {
    const answer = answerOf(await send("POST", `${CRDS}?dryRun=All&fieldValidation=Strict`, changedCrd(one)));
    delete answer.spec;
    answers.crds[one[0]] = answer;
  }
  const crd = valueCrd();
  const made = await send("POST", CRDS, crd);
  if (made.status !== 201) throw new Error(`Cannot make the definition: ${JSON.stringify(made.body)}`);
  for (let attempt = 0; (await send("GET", VALUES)).status !== 200; attempt++) {
    if (attempt > 100) throw new Error("The definition is not served");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const [name, , ...values] of VALUE_CASES) {
    const found: CaseAnswer[] = answers.values[name] = [];
    for (const value of values) {
      found.push(answerOf(await send("POST", `${VALUES}?dryRun=All`, valueObject(name, value))));
    }
  }
  await send("DELETE", `${CRDS}/values.cases.example.com`);
  return answers;
}

if (import.meta.main) {
  const [path, file] = Deno.args;
  if (path === undefined || file === undefined) throw new TypeError("Name the kubeconfig and the file");
  const { server, ca = "", cert = "", key = "" } = await loadKubeConfig({ path });
  using client = Deno.createHttpClient({ caCerts: [ca], cert, key });
  const answers = await ask(async (method, path, given) => {
    const response = await fetch(server + path, {
      method,
      client,
      headers: { "content-type": "application/json" },
      ...(given === undefined ? {} : { body: JSON.stringify(given) }),
    });
    const text = await response.text();
    const body = text.startsWith("{") ? JSON.parse(text) : { message: text };
    return { status: response.status, headers: response.headers, body };
  });
  await Deno.writeTextFile(file, `${JSON.stringify(answers, undefined, 1)}\n`);
}
