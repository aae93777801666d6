/** The two stickers of a machine: the label with its QR code, and the strip that repeats the check words apart from it. */
import { checkWords, machineUrl, typedAddress } from "../../cloud/vending/check-words.js";
import { QUIET_ZONE, qrRows } from "../../cloud/qr.js";
import { rectangle, roundedRectangle, type Box, type Outline, type Point } from "./drawing.js";
import { centred, fitting, text, widthOf, type Lettering } from "./lettering.js";

/** What is printed for one machine. The name may be empty: then the code stands alone. */
export type Labelled = { readonly publicUrl: string; readonly code: string; readonly name: string };

export const LABEL = { width: 70, height: 100 } as const;
export const STRIP = { width: 70, height: 15 } as const;

const INK = "#18211d";
const SOFT = "#4d5751";
const ACCENT = "#075240";
const WASH = "#e0efe8";
const PAPER = "#ffffff";
const MARGIN = 4;
const INNER = LABEL.width - 2 * MARGIN;
const QR_SIDE = 50; // with its quiet zone

const bold = (sizeMm: number, colour: string = INK): Lettering => ({ weight: "bold", sizeMm, colour });
const regular = (sizeMm: number, colour: string = INK): Lettering => ({ weight: "regular", sizeMm, colour });

export function label(what: Labelled, { x, y }: Point): readonly Outline[] {
  const middle = x + LABEL.width / 2;
  const words = checkWords(what.publicUrl, what.code);
  const wordsBox = { x: x + MARGIN, y: y + 86.5, width: INNER, height: 10 };
  return [
    { path: rectangle({ x, y, ...LABEL }), colour: PAPER },
    ...head(what, { x: x + MARGIN, y: y + MARGIN, width: INNER, height: 15 }),
    qr(machineUrl(what.publicUrl, what.code), { x: middle - QR_SIDE / 2, y: y + 18.5 }),
    ...steps({ x: x + MARGIN, y: y + 69 }),
    ...address(what, { x: middle, y: y + 80 }),
    { path: roundedRectangle(wordsBox, 2), colour: WASH },
    ...checked(words, "The page must show these words too.", wordsBox),
  ];
}

export function strip({ publicUrl, code }: Labelled, { x, y }: Point): readonly Outline[] {
  const box = { x, y, ...STRIP };
  const inner = { x: x + MARGIN, y: y + 2.5, width: INNER, height: 10 };
  return [
    { path: rectangle(box), colour: PAPER },
    { path: roundedRectangle(inner, 2), colour: WASH },
    ...checked(checkWords(publicUrl, code), `${code}: pay only where you see these words.`, inner),
  ];
}

function head({ name, code }: Labelled, box: Box): readonly Outline[] {
  const who = name === "" ? code : name;
  const middle = box.x + box.width / 2;
  return [
    { path: roundedRectangle(box, 2.5), colour: ACCENT },
    centred("Scan to pay", bold(6.6, PAPER), { x: middle, y: box.y + 7.2 }),
    centred(who, fitting(who, regular(3.8, PAPER), box.width - 6), { x: middle, y: box.y + 12.3 }),
  ];
}

/** The dark modules of a row are drawn in runs, so that no hairline can show between them. */
function qr(url: string, at: Point): Outline {
  const rows = qrRows(url);
  const side = QR_SIDE / (rows.length + 2 * QUIET_ZONE);
  const runs = rows.flatMap((row, down) =>
    runsOf(row).map(({ from, length }) =>
      rectangle({
        x: at.x + (QUIET_ZONE + from) * side,
        y: at.y + (QUIET_ZONE + down) * side,
        width: length * side,
        height: side,
      }),
    ),
  );
  return { path: runs.join(""), colour: "#000000" };
}

function runsOf(row: readonly boolean[]): readonly { readonly from: number; readonly length: number }[] {
  const starts = row.flatMap((dark, index) => (dark && row[index - 1] !== true ? [index] : []));
  return starts.map((from) => {
    const end = row.indexOf(false, from);
    return { from, length: (end < 0 ? row.length : end) - from };
  });
}

const STEPS = ["Scan", "Pay by phone", "Choose"] as const;

function steps(at: Point): readonly Outline[] {
  const lettering = bold(3.2);
  const dot = 4.4;
  const gap = 1.1;
  const widths = STEPS.map((step) => dot + gap + widthOf(step, lettering));
  const between = (INNER - widths.reduce((sum, width) => sum + width, 0)) / (STEPS.length - 1);
  return STEPS.flatMap((step, index) => {
    const x = at.x + widths.slice(0, index).reduce((sum, width) => sum + width + between, 0);
    return [
      { path: roundedRectangle({ x, y: at.y, width: dot, height: dot }, dot / 2), colour: ACCENT },
      centred(String(index + 1), bold(3.1, PAPER), { x: x + dot / 2, y: at.y + dot / 2 + 1.05 }),
      text(step, lettering, { x: x + dot + gap, y: at.y + dot / 2 + 1.07 }),
    ];
  });
}

/** Too long for a line that can be read, an address goes on in a second one. */
function address({ publicUrl, code }: Labelled, at: Point): readonly Outline[] {
  const typed = typedAddress(publicUrl, code);
  const lead = centred("No camera? Type this address:", regular(2.7, SOFT), { x: at.x, y: at.y - 1.7 });
  const size = 4;
  const whole = fitting(typed, bold(size), INNER);
  if (whole.sizeMm > 2.8) return [lead, centred(typed, whole, { x: at.x, y: at.y + 3.4 })];
  const end = typed.lastIndexOf("/m/");
  return [typed.slice(0, end), typed.slice(end)]
    .map((line, index) =>
      centred(line, fitting(line, bold(2.8), INNER), { x: at.x, y: at.y + 1.7 + 3 * index }),
    )
    .concat(lead);
}

function checked(words: string, sentence: string, box: Box): readonly Outline[] {
  const middle = box.x + box.width / 2;
  const lead = regular(3.2, SOFT);
  const leadWidth = widthOf("Check words", lead) + 2;
  const strong = fitting(words, bold(4.6, ACCENT), box.width - 6 - leadWidth);
  const from = middle - (leadWidth + widthOf(words, strong)) / 2;
  return [
    text("Check words", lead, { x: from, y: box.y + 4.9 }),
    text(words, strong, { x: from + leadWidth, y: box.y + 4.9 }),
    centred(sentence, fitting(sentence, regular(2.6, INK), box.width - 4), { x: middle, y: box.y + 8.4 }),
  ];
}
