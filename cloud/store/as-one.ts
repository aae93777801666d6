/**
 * Several writes as one statement of PostgreSQL's (7.8.4, data-modifying statements in WITH): one message, and one answer
 * that counts what each changed where somebody asks. Those that are counted are done first, in their order: rows that
 * several transactions want are then locked by all of them in the same order. Pure.
 */
import type { Bound } from "./statement.js";

export function asOne(all: readonly Bound[]): { readonly text: string; readonly values: readonly unknown[] } {
  const [first] = all;
  if (first !== undefined && all.length === 1 && !first.isCounted) return first;
  const key = all.map(({ id, isCounted }) => (isCounted ? -id : id)).join();
  const text = known.get(key) ?? compose(all);
  if (known.size < KNOWN) known.set(key, text);
  return { text, values: all.flatMap(({ values }) => values) };
}
/** The ways in which a service's writes go together are few. */
const KNOWN = 200;
const known = new Map<string, string>();

function compose(all: readonly Bound[]): string {
  let before = 0;
  const parts = all.map(({ text, values, isCounted }, index) => {
    const offset = before;
    before += values.length;
    const moved = text.replaceAll(/\$(\d+)/g, (_place, number) => `$${offset + Number(number)}`);
    return `w${index} as (${moved}${isCounted ? " returning 1" : ""})`;
  });
  const counts = all.flatMap(({ isCounted }, index) =>
    isCounted ? [`(select count(*) from w${index}) as w${index}`] : [],
  );
  return `with ${parts.join(", ")} select ${counts.length === 0 ? "1" : counts.join(", ")}`;
}
