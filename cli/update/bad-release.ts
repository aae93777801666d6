/** An archive that is not what it should be: the sentence says which part of it, and nothing of it was run. */
export class BadRelease extends Error {
  override readonly name = "BadRelease";
}
