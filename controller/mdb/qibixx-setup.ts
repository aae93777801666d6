/** The adapter settings a machine's currency asks for. Pure. MDB/ICP 4.2, 7.4.2 (READER CONFIG). */
import type { QibixxSetup } from "./qibixx.js";

/** ISO 4217 numbers. MDB writes them as four BCD digits, of which the first says "ISO": EUR 978 is 0x1978. */
// prettier-ignore
const numericCodes: Readonly<Record<string, string>> = {
  AED: "784", AUD: "036", BGN: "975", BRL: "986", CAD: "124", CHF: "756", CLP: "152", CNY: "156", CZK: "203",
  DKK: "208", EUR: "978", GBP: "826", HKD: "344", HUF: "348", IDR: "360", ILS: "376", INR: "356", ISK: "352",
  JPY: "392", KRW: "410", MXN: "484", MYR: "458", NOK: "578", NZD: "554", PHP: "608", PLN: "985", QAR: "634",
  RON: "946", SAR: "682", SEK: "752", SGD: "702", THB: "764", TRY: "949", TWD: "901", UAH: "980", USD: "840",
  VND: "704", ZAR: "710",
};

/** `further` wins. A currency without a number here needs its `mdb-currency-code` from there. */
export function qibixxSetup(
  currency: string,
  decimals: number,
  further: Readonly<Record<string, string>>,
): QibixxSetup {
  const numeric = numericCodes[currency];
  const settings = {
    "mdb-always-idle": "0", // credit first: a session is opened with what was paid
    ...(numeric === undefined ? {} : { "mdb-currency-code": `0x1${numeric}` }),
    "mdb-decimal-places": String(decimals),
    "mdb-scale-factor": "1",
    ...further,
  };
  return { decimals, settings: Object.entries(settings) };
}
