/**
 * The letters that a customer display and a receipt printer are sent: Windows-1252, as far as prices and sentences need
 * it. Pure.
 *
 * Promises  a text can command nothing: a letter that the page does not have is sent in its plain form (`c` for `č`), and
 *           what has none as a question mark.
 */
const [SPACE, QUESTION_MARK, EURO] = [0x20, 0x3f, 0x80];

/** A byte for each letter. */
export const onPage = (text: string): readonly number[] => Array.from(text.normalize("NFC"), byteOf);

function byteOf(letter: string): number {
  if (/\s/.test(letter)) return SPACE;
  if (letter === "€") return EURO;
  return codeOf(letter) ?? codeOf(letter.normalize("NFD")) ?? QUESTION_MARK;
}

function codeOf(letter: string): number | undefined {
  const code = letter.charCodeAt(0);
  return (code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code <= 0xff) ? code : undefined;
}
