/** Luhn check characters, over digits or any other alphabet (Luhn mod N). Pure. */
export const DECIMAL = "0123456789";

/** The character to put at the end of `text`. `alphabet` has an even number of characters, and `text` no others. */
export function checkCharacter(text: string, alphabet: string): string {
  const base = alphabet.length;
  let sum = 0;
  for (let i = 0; i < text.length; i += 1) {
    const value = alphabet.indexOf(text.charAt(text.length - 1 - i)) * (i % 2 === 0 ? 2 : 1);
    sum += Math.floor(value / base) + (value % base);
  }
  return alphabet.charAt((base - (sum % base)) % base);
}
