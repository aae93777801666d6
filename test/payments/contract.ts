/**
 * The published document, held against what is really answered: every body a test sees is checked with the schema that
 * the document has for its path, method and status. A path, method or status the document does not know is a failure.
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { z } from "zod";

const response = z.looseObject({
  content: z.record(z.string(), z.looseObject({ schema: z.unknown() })).optional(),
});
const operation = z.looseObject({ responses: z.record(z.string(), response) });
const document = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
});
type Operation = {
  readonly method: string;
  readonly path: RegExp;
  readonly name: string;
  readonly answers: ReadonlyMap<string, ValidateFunction | undefined>;
};
const ROOT = "https://contract.example/";

export class Contract {
  readonly #operations: readonly Operation[];

  constructor(published: unknown) {
    const { paths, components } = document.parse(published);
    const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
    ajv.addSchema({ $id: ROOT, components });
    const compiled = (schema: unknown): ValidateFunction =>
      ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', `"${ROOT}#/`)) as object); // a schema is an object
    this.#operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { responses }]) => ({
        method: method.toUpperCase(),
        path: new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`),
        name: `${method.toUpperCase()} ${path}`,
        answers: new Map(
          Object.entries(responses).map(([status, { content }]) => {
            const schema = (content?.["application/json"] ?? content?.["text/event-stream"])?.schema;
            return [status, schema === undefined ? undefined : compiled(schema)];
          }),
        ),
      })),
    );
  }

  /** Every operation there is, as `GET /api/…/{id}`. */
  get operations(): readonly string[] {
    return this.#operations.map(({ name }) => name);
  }

  /** What is wrong with an answer; `undefined` when it is as published. `path` may have a query. */
  fault(method: string, path: string, status: number, body: unknown): string | undefined {
    const [place = ""] = path.split("?");
    const candidates = this.#operations.filter((one) => one.method === method && one.path.test(place));
    // `/a/{id}` also fits `/a/b`: the one with the fewest open parts is meant.
    const found = candidates.sort((a, b) => opens(a.name) - opens(b.name))[0];
    if (found === undefined) return status === 404 ? undefined : `${method} ${place} is not in the document`;
    const known = found.answers.has(String(status));
    if (!known) return `${found.name} answered ${status}, which the document does not know`;
    const validate = found.answers.get(String(status));
    if (validate === undefined || validate(body)) return undefined;
    const wrong = (validate.errors ?? []).map(
      ({ instancePath, message }) => `${instancePath} ${message ?? ""}`,
    );
    return `${found.name} ${status}: ${wrong.join("; ")} in ${JSON.stringify(body)}`;
  }
}

const opens = (name: string): number => name.split("{").length;
