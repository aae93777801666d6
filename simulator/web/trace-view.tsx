/** What is being said on the serial line and on the bus, and what the machine does: newest on top, filterable, pausable. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { TraceEntry } from "../machine/trace.js";
import type { Fed } from "./trace-feed.js";
import { traceLine } from "./trace-line.js";

const kinds = [
  "serial",
  "mqtt",
  "journal",
  "machine",
  "process",
] as const satisfies readonly TraceEntry["kind"][];
type Kind = (typeof kinds)[number];

/** Heartbeats and polls would push everything else away; more is a search away. */
const SHOWN = 250;

export function TraceView({ feed }: { readonly feed: readonly Fed[] }): VNode {
  const [hidden, setHidden] = useState<ReadonlySet<Kind>>(new Set());
  const [search, setSearch] = useState("");
  const [held, setHeld] = useState<readonly Fed[]>();
  const source = held ?? feed;
  const waiting = (feed.at(-1)?.key ?? -1) - (source.at(-1)?.key ?? -1);

  const toggle = (kind: Kind): void => {
    const next = new Set(hidden);
    if (!next.delete(kind)) next.add(kind);
    setHidden(next);
  };

  const wanted = search.trim().toLowerCase();
  const rows = source
    .filter(({ entry }) => !hidden.has(entry.kind))
    .filter(({ entry }) => wanted === "" || JSON.stringify(entry).toLowerCase().includes(wanted))
    .slice(-SHOWN)
    .reverse();

  return (
    <section class="trace" aria-labelledby="trace">
      <div class="trace-bar">
        <h2 id="trace">Trace</h2>
        <div class="kinds" role="group" aria-label="Kinds shown">
          {kinds.map((kind) => (
            <button
              key={kind}
              type="button"
              class={`kind ${kind}`}
              aria-pressed={!hidden.has(kind)}
              onClick={() => toggle(kind)}
            >
              {kind}
            </button>
          ))}
        </div>
        <input
          type="search"
          placeholder="Search"
          aria-label="Search the trace"
          value={search}
          onInput={({ currentTarget }) => setSearch(currentTarget.value)}
        />
        <button
          type="button"
          class="pause"
          aria-pressed={held !== undefined}
          onClick={() => setHeld(held === undefined ? feed : undefined)}
        >
          {held === undefined ? "Pause" : waiting > 0 ? `Go on (${waiting} new)` : "Go on"}
        </button>
      </div>
      {rows.length === 0 ? (
        <p class="waiting">Nothing to show</p>
      ) : (
        <ol class="rows">
          {rows.map(({ key, entry }) => (
            <Row key={key} entry={entry} />
          ))}
        </ol>
      )}
    </section>
  );
}

function Row({ entry }: { readonly entry: TraceEntry }): VNode {
  const [open, setOpen] = useState(false);
  const { arrow, text, detail } = traceLine(entry);
  return (
    <li>
      <button type="button" class="row" aria-expanded={open} onClick={() => setOpen(!open)}>
        <time dateTime={entry.at}>{entry.at.slice(11, 23)}</time>
        <span class={`kind ${entry.kind}`}>{entry.kind}</span>
        <span class="arrow">{arrow}</span>
        <span class="gist">{text}</span>
      </button>
      {open && <pre>{JSON.stringify(detail, null, 2)}</pre>}
    </li>
  );
}
