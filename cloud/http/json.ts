/**
 * What JSON allows and a payment must not: the same key twice (`{"amount":"1","amount":"999"}` is read as 999 by one program and
 * as 1 by another, RFC 8259, section 4), keys that a program may take for its own machinery, and nesting or keys without end.
 * Pure; looks at the text once, before it is parsed.
 */
const MAX_DEPTH = 32;
const MAX_KEYS = 20_000;
const REFUSED: ReadonlySet<string> = new Set(["__proto__", "constructor"]);

/** What is wrong with this text, in words that name the key; `undefined` when nothing is, or when it is no JSON at all. */
export function wrongJson(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // the keys of each object around us; `undefined` for a list
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at);
        const keys = open.at(-1);
        if (keys !== undefined && isKey(text, end)) {
          const key = unescaped(text.slice(at, end));
          if (keys.has(key)) return `${key}: is there twice`;
          if (REFUSED.has(key)) return `${key}: is not a name for a field`;
          if ((count += 1) > MAX_KEYS) return `body: has more than ${MAX_KEYS} keys`;
          keys.add(key);
        }
        at = end - 1;
        break;
      }
      case OBJECT:
      case LIST:
        if (open.length >= MAX_DEPTH) return `body: is nested deeper than ${MAX_DEPTH}`;
        open.push(text.charCodeAt(at) === OBJECT ? new Set() : undefined);
        break;
      case OBJECT_END:
      case LIST_END:
        open.pop();
        break;
    }
  }
  return undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;
const LIST = 0x5b;
const LIST_END = 0x5d;

/** Where the string that begins at `at` ends, past its closing quote. */
function endOfString(text: string, at: number): number {
  let end = at + 1;
  while (end < text.length && text.charCodeAt(end) !== QUOTE)
    end += text.charCodeAt(end) === BACKSLASH ? 2 : 1;
  return end + 1;
}

/** A string in an object is a key when a colon follows it. */
function isKey(text: string, from: number): boolean {
  let at = from;
  while (at < text.length && /\s/.test(text.charAt(at))) at += 1;
  return text.charCodeAt(at) === COLON;
}

/** `"\u0061mount"` is another way to write `"amount"`. */
function unescaped(literal: string): string {
  if (!literal.includes("\\")) return literal.slice(1, -1);
  try {
    return String(JSON.parse(literal));
  } catch {
    return literal; // no JSON: the parser says so
  }
}
