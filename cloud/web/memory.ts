/**
 * What this phone remembers between visits.
 *
 * Promises  never throws: where storage is refused or full, what was put is remembered until the page is closed.
 */
export interface Memory {
  get(name: string): string | undefined;
  put(name: string, value: string): void;
  forget(name: string): void;
}

/** The part of the browser's `Storage` that is used. */
export interface Shelf {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

const PREFIX = "scanvend.";

/** Even to ask for `storage` throws in browsers told to keep nothing. */
export function makeMemory(storage: () => Shelf): Memory {
  const kept = attempt(storage);
  const here = new Map<string, string>();
  return {
    get: (name) => here.get(name) ?? attempt(() => kept?.getItem(PREFIX + name) ?? undefined),
    put: (name, value) => {
      here.set(name, value);
      attempt(() => kept?.setItem(PREFIX + name, value));
    },
    forget: (name) => {
      here.delete(name);
      attempt(() => kept?.removeItem(PREFIX + name));
    },
  };
}

/** Storage fails only by throwing, and every one of its failures means the same: it keeps nothing. */
function attempt<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch {
    return undefined;
  }
}
