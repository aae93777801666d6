/**
 * How Node is started for a controller: what it may take of a small box.
 *
 * A young generation of 1 MB instead of 16 keeps it some 20 MB smaller, and a leak ends in a restart of this one process
 * before it ends in a box without memory. What it needs is about a third of the heap it is given. One helper thread instead
 * of four: each keeps for good what it once took to compile or to collect, 6 MB together.
 *
 * V8 compiles what has run a while, and a machine sells a few dozen times a day: without a smaller budget an approval would be
 * interpreted for a month.
 */
export const CONTROLLER_NODE_FLAGS = [
  "--max-semi-space-size=1",
  "--max-old-space-size=48",
  "--v8-pool-size=1",
  "--interrupt-budget=2000",
] as const;
