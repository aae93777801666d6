/** What can go wrong with a reading, in one word. Pure. */
import type { Fault } from "./audit.js";
import type { Why } from "./session.js";

/** `lineLost`: the line itself could not be opened, or went away. `kept`: what was read could not be kept. */
export type Trouble = Why | Fault["kind"] | "lineLost" | "notKept";
