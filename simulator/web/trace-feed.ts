/**
 * A machine's trace as it arrives, and the part of it that is on show.
 *
 * Bounded   the last `KEPT` entries; a pause holds the picture still while the feed goes on behind it.
 */
import { useEffect, useState } from "preact/hooks";
import type { TraceEntry } from "../machine/trace.js";
import type { Rig } from "./rig.js";

const KEPT = 600;
/** A burst of lines is drawn once. */
const DRAW_MS = 60;

/** `key` keeps rising when the simulator starts again and its own numbers do not. */
export type Fed = { readonly key: number; readonly entry: TraceEntry };

export function useTraceFeed(rig: Rig, machineId: string): readonly Fed[] {
  const [feed, setFeed] = useState<readonly Fed[]>([]);
  useEffect(() => {
    const ended = new AbortController();
    let key = 0;
    let fresh: Fed[] = [];
    let drawing: ReturnType<typeof setTimeout> | undefined;
    setFeed([]);

    const draw = (): void => {
      const arrived = fresh;
      fresh = [];
      drawing = undefined;
      setFeed((before) => [...before, ...arrived].slice(-KEPT));
    };
    const onEntry = (entry: TraceEntry): void => {
      fresh.push({ key: key++, entry });
      drawing ??= setTimeout(draw, DRAW_MS);
    };
    rig.followTrace(machineId, onEntry, ended.signal);
    return () => {
      clearTimeout(drawing);
      ended.abort();
    };
  }, [rig, machineId]);
  return feed;
}

/** The item whose motor turns now, if one does. */
export function turningItem(feed: readonly Fed[]): number | undefined {
  const last = feed.findLast(
    ({ entry }) => entry.kind === "machine" && /^(turns|falls|jams)$/.test(entry.what),
  )?.entry;
  if (last?.kind !== "machine" || last.what !== "turns") return undefined;
  const { detail } = last;
  return typeof detail === "object" && detail !== null && "item" in detail ? Number(detail.item) : undefined;
}
