/** A browser's storage, in a map. */
import type { Shelf } from "../../cloud/web/memory.js";

export function makeShelf(): Shelf {
  const kept = new Map<string, string>();
  return {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, value),
    removeItem: (name) => void kept.delete(name),
  };
}
