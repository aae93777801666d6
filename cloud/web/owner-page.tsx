/**
 * What an owner sees of their machines: whether each sells and why not, how its box is, what it sold.
 *
 * Promises  the key is in this tab's memory and in the header of each question, and nowhere else: never in an address.
 * Never     changes anything but by GiveBack.
 */
import type { VNode } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Answer } from "./api.js";
import { useApp } from "./app.js";
import { GiveBack } from "./give-back.js";
import { isNothing } from "./money-text.js";
import { Notice } from "./notice.js";
import { detailOf, machinesOf, salesOf, type OwnedMachine, type OwnedSale, type Telemetry } from "./owned.js";
import "./owner.css";
import { ownerWordsFor, type OwnerWords } from "./owner-words.js";
import { poll } from "./poll.js";
import type { Refusal } from "./refusal.js";
import type { Said } from "./words.js";

const ASK_MS = 5_000;
const KEY = "ownerKey";

export function OwnerPage({ code }: { readonly code: string | undefined }): VNode {
  const { tabMemory } = useApp();
  const words = useMemo(() => ownerWordsFor(navigator.languages), []);
  const [key, setKey] = useState(() => tabMemory.get(KEY));
  const [refused, setRefused] = useState<Refusal>();

  useEffect(() => {
    document.title = code ?? words.title;
  }, [code, words]);

  const keep = (next: string): void => {
    tabMemory.put(KEY, next);
    setRefused(undefined);
    setKey(next);
  };
  const forget = (why?: Refusal): void => {
    tabMemory.forget(KEY);
    setRefused(why);
    setKey(undefined);
  };

  if (key === undefined) return <Door words={words} refused={refused} onKey={keep} />;
  const inside = { words, apiKey: key, onRefused: forget };
  return (
    <div class="owner">
      {code === undefined ? <Machines {...inside} /> : <Detail key={code} code={code} {...inside} />}
      <button type="button" class="secondary leave" onClick={() => forget()}>
        {words.leave}
      </button>
    </div>
  );
}

type DoorProps = {
  readonly words: OwnerWords;
  readonly refused: Refusal | undefined;
  readonly onKey: (key: string) => void;
};

function Door({ words, refused, onKey }: DoorProps): VNode {
  const [typed, setTyped] = useState("");
  return (
    <form
      class="owner-door"
      onSubmit={(event) => {
        event.preventDefault();
        if (typed.trim() !== "") onKey(typed.trim());
      }}
    >
      <h1>{words.title}</h1>
      {refused !== undefined && <Notice tone="bad" said={saidOf(refused, words)} />}
      <label>
        {words.key}
        <input
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onInput={({ currentTarget }) => setTyped(currentTarget.value)}
        />
      </label>
      <p class="hint">{words.keyHint}</p>
      <button type="submit" class="primary" disabled={typed.trim() === ""}>
        {words.enter}
      </button>
    </form>
  );
}

type Inside = {
  readonly words: OwnerWords;
  readonly apiKey: string;
  readonly onRefused: (why: Refusal) => void;
};

function Machines({ words, apiKey, onRefused }: Inside): VNode {
  const { api } = useApp();
  const [pages, setPages] = useState(1);
  const [list, refusal] = useAsked(() => machinesOf(api, apiKey, pages), [api, apiKey, pages]);
  useKeyRefused(refusal, onRefused);
  const items = list?.items ?? [];
  const selling = items.filter(({ state }) => state === "ready" || state === "busy").length;
  return (
    <>
      <header class="owner-head">
        <h1>{words.title}</h1>
        {items.length > 0 && <p class="hint">{words.counts(selling, items.length - selling)}</p>}
      </header>
      <Trouble words={words} refusal={refusal} isShown={list !== undefined} />
      {list?.items.length === 0 && <Notice tone="plain" said={words.none} />}
      <ul class="owned">
        {items.map((machine) => (
          <li key={machine.code}>
            <a href={`/owner/${machine.code}`}>
              <strong>{machine.name}</strong>
              <span class="hint">
                {machine.place}, {machine.code}
              </span>
              <State words={words} machine={machine} />
            </a>
          </li>
        ))}
      </ul>
      {list?.more === true && <More words={words} onMore={() => setPages(pages + 1)} />}
    </>
  );
}

function State({ words, machine }: { readonly words: OwnerWords; readonly machine: OwnedMachine }): VNode {
  const { dayAndTime } = useApp();
  const { state, reason, heardAt, doubtful } = machine;
  return (
    <>
      <span class={`state ${state}`}>{words.state[state]}</span>
      {doubtful > 0 && <span class="why">{words.doubtful(doubtful)}</span>}
      {state === "outOfService" && <span class="why">{words.reason(reason ?? "").title}</span>}
      {state === "offline" && (
        <span class="why">{words.since(heardAt === undefined ? undefined : dayAndTime(heardAt))}</span>
      )}
    </>
  );
}

function Detail({ words, apiKey, onRefused, code }: Inside & { readonly code: string }): VNode {
  const { api, dayAndTime } = useApp();
  const [pages, setPages] = useState(1);
  const [changes, setChanges] = useState(0);
  const [machine, refusal] = useAsked(() => detailOf(api, apiKey, code), [api, apiKey, code, changes]);
  const [sales] = useAsked(() => salesOf(api, apiKey, code, pages), [api, apiKey, code, pages, changes]);
  useKeyRefused(refusal, onRefused);
  const { state, reason = "", heardAt } = machine ?? {};
  const listed = { words, apiKey, code, onChanged: () => setChanges(changes + 1) };
  return (
    <>
      <a class="owner-back" href="/owner">
        {words.all}
      </a>
      <Trouble
        words={words}
        refusal={refusal}
        isShown={machine !== undefined}
        notYours={words.refused.machine}
      />
      {machine !== undefined && (
        <>
          <header class="owner-head">
            <h1>{machine.name}</h1>
            <p class="hint">
              {machine.place}, {machine.code}
            </p>
            <State words={words} machine={machine} />
            {state === "outOfService" && <p>{words.reason(reason).detail}</p>}
            {heardAt !== undefined && state !== "offline" && (
              <p class="hint">{words.heard(dayAndTime(heardAt))}</p>
            )}
          </header>
          <Doubts {...listed} sales={machine.doubts} />
          <div class="owner-columns">
            <Box words={words} machine={machine} />
            <section aria-labelledby="sales">
              <h2 id="sales">{words.sales.heading}</h2>
              {sales?.items.length === 0 && <p class="hint">{words.sales.none}</p>}
              <Sales {...listed} sales={sales?.items ?? []} />
              {sales?.more === true && <More words={words} onMore={() => setPages(pages + 1)} />}
            </section>
          </div>
        </>
      )}
    </>
  );
}

type SalesProps = {
  readonly words: OwnerWords;
  readonly apiKey: string;
  readonly code: string;
  readonly sales: readonly OwnedSale[];
  readonly onChanged: () => void;
};

/** What a person should look at while it lasts, by what is the matter. */
function Doubts({ sales, ...listed }: SalesProps): VNode {
  const { words } = listed;
  const isUnknown = ({ state }: OwnedSale): boolean => state === "unknown";
  const kinds = [
    { id: "doubts", title: words.doubts, hint: words.doubtsHint, of: sales.filter(isUnknown) },
    { id: "owing", title: words.owing, hint: words.owingHint, of: sales.filter((one) => !isUnknown(one)) },
  ];
  return (
    <>
      {kinds
        .filter(({ of }) => of.length > 0)
        .map(({ id, title, hint, of }) => (
          <section key={id} class="notice bad doubts" aria-labelledby={id}>
            <div>
              <h2 id={id}>{title}</h2>
              <p>{hint}</p>
              <Sales {...listed} sales={of} />
            </div>
          </section>
        ))}
    </>
  );
}

function Box({ words, machine }: { readonly words: OwnerWords; readonly machine: OwnedMachine }): VNode {
  const { dayAndTime } = useApp();
  const { telemetry: said } = words;
  const { version, configuration, telemetry } = machine;
  const { applied, trying, refused } = configuration;
  return (
    <section aria-labelledby="box">
      <h2 id="box">{said.heading}</h2>
      <p class="hint">{telemetry === undefined ? said.none : said.at(dayAndTime(telemetry.at))}</p>
      <dl class="figures">
        {[
          ...(telemetry === undefined ? [] : figures(words, telemetry)),
          ...(version === undefined ? [] : [[said.version, version] as const]),
          [
            said.configuration,
            [
              said.applied(applied),
              ...(trying === undefined ? [] : [said.trying(trying)]),
              ...(refused === undefined ? [] : [said.refused(refused.version, refused.at)]),
            ].join("; "),
          ] as const,
        ].map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {telemetry !== undefined && <p class="hint">{said.since}</p>}
    </section>
  );
}

function figures(words: OwnerWords, telemetry: Telemetry): readonly (readonly [string, string])[] {
  const { telemetry: said, duration } = words;
  const { vends, temperatureC, freeDiskMb } = telemetry;
  return [
    [said.vends, String(vends.succeeded)],
    [said.failed, String(vends.failed)],
    [said.unknown, String(vends.unknown)],
    ...(temperatureC === undefined ? [] : [[said.temperature, said.degrees(temperatureC)] as const]),
    ...(freeDiskMb === undefined ? [] : [[said.disk, said.megabytes(freeDiskMb)] as const]),
    [said.memory, said.megabytes(telemetry.residentMb)],
    [said.uptime, duration(telemetry.uptimeSeconds)],
    [said.boxUptime, duration(telemetry.boxUptimeSeconds)],
    [said.mdbResets, String(telemetry.mdbResets)],
    [said.serialLosses, String(telemetry.serialLosses)],
    [said.commits, String(telemetry.commits)],
  ];
}

function Sales({ words, apiKey, code, sales, onChanged }: SalesProps): VNode {
  const { money, dayAndTime } = useApp();
  return (
    <ul class="owned-sales">
      {sales.map(({ id, at, state, credit, paid, paymentRequestId, vended, refunded, returnable, flags }) => (
        <li key={id}>
          <span class="what">
            <strong>
              {vended.length === 0 ? words.sales.nothing : vended.map(({ name }) => name).join(", ")}
            </strong>
            <time dateTime={at}>{dayAndTime(at)}</time>
            {flags.map((flag) => (
              <span key={flag} class="why">
                {words.flag(flag)}
              </span>
            ))}
            <a class="reference" href={`/m/${code}?sale=${id}`}>
              {words.sales.reference(id)}
            </a>
            {paymentRequestId !== undefined && (
              <span class="reference">{words.sales.request(paymentRequestId)}</span>
            )}
          </span>
          <span class="how">
            <span>{words.saleState(state)}</span>
            <span class="hint">
              {paid ? words.sales.paid(money(credit)) : words.sales.asked(money(credit))}
            </span>
            {!isNothing(refunded) && <span class="hint">{words.sales.refunded(money(refunded))}</span>}
          </span>
          {returnable.length > 0 && (
            <div class="returns">
              {returnable.map((product) => (
                <GiveBack
                  key={product.vend}
                  {...{ words, apiKey, code, product, saleId: id, onDone: onChanged }}
                />
              ))}
            </div>
          )}
        </li>
      ))}
    </ul>
  );
}

function More({ words, onMore }: { readonly words: OwnerWords; readonly onMore: () => void }): VNode {
  return (
    <button type="button" class="secondary" onClick={onMore}>
      {words.more}
    </button>
  );
}

type TroubleProps = {
  readonly words: OwnerWords;
  readonly refusal: Refusal | undefined;
  readonly isShown: boolean;
  /** Instead of what is said where nothing at all is the key's. */
  readonly notYours?: Said;
};

/** While there is something to show, one missed answer is no more than a line. */
function Trouble({ words, refusal, isShown, notYours }: TroubleProps): VNode | null {
  if (refusal === undefined) {
    return isShown ? null : (
      <p class="loading" role="status">
        {words.loading}
      </p>
    );
  }
  if (isShown && !refusal.certain) return <p class="stale">{words.stale}</p>;
  const said = refusal.code === "Forbidden" ? notYours : undefined;
  return <Notice tone="bad" said={said ?? saidOf(refusal, words)} />;
}

function saidOf({ code }: Refusal, { refused }: OwnerWords): Said {
  if (code === "Missing authentication") return refused.key;
  return code === "Forbidden" ? refused.notYours : refused.other;
}

/** A key that is nobody's is asked for anew. */
function useKeyRefused(refusal: Refusal | undefined, onRefused: (why: Refusal) => void): void {
  useEffect(() => {
    if (refusal?.code === "Missing authentication") onRefused(refusal);
  }, [refusal, onRefused]);
}

/** The last good answer, and the last refusal since. Asked again and again while somebody looks. */
function useAsked<T>(
  ask: () => Promise<Answer<T>>,
  about: readonly unknown[],
): readonly [T | undefined, Refusal | undefined] {
  const [value, setValue] = useState<T>();
  const [refusal, setRefusal] = useState<Refusal>();
  useEffect(() => {
    const ended = new AbortController();
    const onAnswer = (answer: Answer<T>): void => {
      if (answer.ok) setValue(() => answer.value);
      setRefusal(answer.ok ? undefined : answer);
    };
    poll(ask, ASK_MS, onAnswer, ended.signal);
    return () => ended.abort();
  }, about); // `ask` is new each time, and asks the same while these are the same
  return [value, refusal];
}
