/** What every new row needs beside its content: a moment, and chance for its id. */
import type { Clock, Random } from "../../broker/protocol/clock.js";

export type Making = { readonly clock: Clock; readonly random: Random };
