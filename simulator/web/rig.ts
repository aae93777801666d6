/**
 * The simulator's API as its page calls it (system.md 5.4).
 *
 * Promises  an answer that is not what it should be becomes a sentence in the return value, never an exception in the page.
 */
import { z } from "zod";
import { money } from "../../broker/protocol/money.js";
import { faultsAsked, noFaults, withFaults, type FaultsAsked } from "../machine/faults.js";
import type { TraceEntry } from "../machine/trace.js";

const coil = z.object({ item: z.int(), name: z.string(), price: money, stock: z.int(), fallen: z.int() });
export type Coil = z.infer<typeof coil>;

const machineView = z.object({
  id: z.string(),
  code: z.string(),
  powered: z.boolean(),
  display: z.string(),
  shown: z.string(),
  qr: z.url().nullable(),
  printed: z.array(z.object({ text: z.string(), qr: z.url().nullable() })).nullable(),
  credit: money.nullable(),
  vmc: z.enum(["off", "inactive", "disabled", "enabled", "session", "vend", "silent"]),
  coils: z.array(coil),
  faults: faultsAsked.transform((set) => withFaults(noFaults, set)),
});
export type MachineView = z.infer<typeof machineView>;

const rigView = z.object({
  cloudUrl: z.url(),
  machines: z.array(
    z.object({
      id: z.string(),
      code: z.string(),
      name: z.string(),
      url: z.url(),
      screenUrl: z.url().optional(),
    }),
  ),
  customers: z.array(z.object({ name: z.string(), walletUrl: z.url() })).default([]),
});
export type RigView = z.infer<typeof rigView>;
export type RigMachine = RigView["machines"][number];

const at = { seq: z.int(), at: z.string(), machine: z.string() };
const traceEntry: z.ZodType<TraceEntry> = z.discriminatedUnion("kind", [
  z.object({
    ...at,
    kind: z.literal("serial"),
    dir: z.enum(["toMachine", "toController"]),
    line: z.string(),
  }),
  z.object({
    ...at,
    kind: z.literal("mqtt"),
    dir: z.enum(["up", "down"]),
    topic: z.string(),
    n: z.number().nullable(),
    body: z.unknown(),
    fate: z.enum(["passed", "dropped", "duplicated"]),
  }),
  z.object({ ...at, kind: z.literal("journal"), entry: z.unknown() }),
  z.object({ ...at, kind: z.literal("machine"), what: z.string(), detail: z.unknown() }),
  z.object({ ...at, kind: z.literal("process"), what: z.string(), detail: z.unknown() }),
]);

const traceEvent = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue("not JSON"); // the only way in which JSON.parse fails
      return z.NEVER;
    }
  })
  .pipe(traceEntry);

export type Answer<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

export interface Rig {
  rig(): Promise<Answer<RigView>>;
  machine(id: string): Promise<Answer<MachineView>>;
  select(id: string, item: number): Promise<Answer<MachineView>>;
  cancel(id: string): Promise<Answer<MachineView>>;
  code(id: string, how: "scan" | "type", code: string): Promise<Answer<MachineView>>;
  power(id: string, on: boolean): Promise<Answer<MachineView>>;
  faults(id: string, asked: FaultsAsked): Promise<Answer<MachineView>>;
  /** What the machine's trace kept, then all that comes, until the signal. */
  followTrace(id: string, onEntry: (entry: TraceEntry) => void, signal: AbortSignal): void;
}

const refusal = z.object({ message: z.string(), reason: z.string().optional() });

export function makeRig(fetchAnswer: typeof fetch): Rig {
  async function call<T>(schema: z.ZodType<T>, path: string, body?: object): Promise<Answer<T>> {
    let response: Response;
    let json: unknown;
    try {
      const posted = {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      };
      response = await fetchAnswer(path, body === undefined ? {} : posted);
      json = await response.json();
    } catch (error) {
      if (error instanceof SyntaxError)
        return { ok: false, why: "The simulator answered with something unreadable." };
      if (error instanceof TypeError) return { ok: false, why: "The simulator cannot be reached." }; // fetch's one failure
      throw error;
    }
    const read = schema.safeParse(json);
    if (response.ok && read.success) return { ok: true, value: read.data };
    const said = refusal.safeParse(json);
    if (said.success) return { ok: false, why: said.data.reason ?? said.data.message };
    return { ok: false, why: "The simulator answered with something unexpected." };
  }

  const post = (id: string, verb: string, body: object): Promise<Answer<MachineView>> =>
    call(machineView, `/api/machines/${id}/${verb}`, body);

  return {
    rig: () => call(rigView, "/api/rig"),
    machine: (id) => call(machineView, `/api/machines/${id}`),
    select: (id, item) => post(id, "select", { item }),
    cancel: (id) => post(id, "cancel", {}),
    code: (id, how, code) => post(id, how, { code }),
    power: (id, on) => post(id, "power", { on }),
    faults: (id, asked) => post(id, "faults", asked),
    followTrace: (id, onEntry, signal) => {
      const stream = new EventSource(`/api/machines/${id}/trace`);
      stream.onmessage = ({ data }: MessageEvent<string>) => {
        const read = traceEvent.safeParse(data);
        if (read.success) onEntry(read.data);
      };
      signal.addEventListener("abort", () => stream.close());
    },
  };
}
