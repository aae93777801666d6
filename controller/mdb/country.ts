/** A currency as READER CONFIG names it (MDB/ICP 4.2, 7.4.2). Pure. */

/** ISO 4217 numbers. */
// prettier-ignore
const numericCodes: Readonly<Record<string, string>> = {
  AED: "784", AUD: "036", BGN: "975", BRL: "986", CAD: "124", CHF: "756", CLP: "152", CNY: "156", CZK: "203",
  DKK: "208", EUR: "978", GBP: "826", HKD: "344", HUF: "348", IDR: "360", ILS: "376", INR: "356", ISK: "352",
  JPY: "392", KRW: "410", MXN: "484", MYR: "458", NOK: "578", NZD: "554", PHP: "608", PLN: "985", QAR: "634",
  RON: "946", SAR: "682", SEK: "752", SGD: "702", THB: "764", TRY: "949", TWD: "901", UAH: "980", USD: "840",
  VND: "704", ZAR: "710",
};

/** Four BCD digits, of which the first says "ISO": EUR 978 is 1978. */
export function countryOf(currency: string): string | undefined {
  const numeric = numericCodes[currency];
  return numeric === undefined ? undefined : `1${numeric}`;
}
