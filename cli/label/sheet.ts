/** Stickers on pages: each alone on a page of its own size, or several on a sheet of paper with crop marks. Pure. */
import { mm, rectangle, type Outline, type Page, type Point } from "./drawing.js";
import { centred, text } from "./lettering.js";
import { label, LABEL, strip, STRIP, type Labelled } from "./sticker.js";

export const PAPERS = { A4: { width: 210, height: 297 }, Letter: { width: 215.9, height: 279.4 } } as const;
export type Paper = keyof typeof PAPERS;

const COLUMNS = 2;
const ROWS = 2;
const GAP = 6; // between a label and its strip
const BETWEEN = { x: 12, y: 10 } as const;
const CELL = { width: LABEL.width, height: LABEL.height + GAP + STRIP.height } as const;
const MARK = { from: 1.5, length: 3.5, thick: 0.1 } as const;
const PRINT = "#000000";

/** A label a page. */
export const single = (labels: readonly Labelled[]): readonly Page[] =>
  labels.map((what) => ({
    widthMm: LABEL.width,
    heightMm: LABEL.height,
    outlines: label(what, { x: 0, y: 0 }),
  }));

/** Four labels a sheet, each above its strip. */
export function sheets(labels: readonly Labelled[], paper: Paper): readonly Page[] {
  const { width, height } = PAPERS[paper];
  const left = (width - COLUMNS * CELL.width - (COLUMNS - 1) * BETWEEN.x) / 2;
  const top = (height - ROWS * CELL.height - (ROWS - 1) * BETWEEN.y) / 2;
  const cells = (page: readonly Labelled[]): readonly Outline[] =>
    page.flatMap((what, index) =>
      cell(what, {
        x: left + (index % COLUMNS) * (CELL.width + BETWEEN.x),
        y: top + Math.floor(index / COLUMNS) * (CELL.height + BETWEEN.y),
      }),
    );
  return inPages(labels).map((page) => ({
    widthMm: width,
    heightMm: height,
    outlines: [...cells(page), ...ruler({ x: width / 2, y: height - 5 })],
  }));
}

function inPages(labels: readonly Labelled[]): readonly (readonly Labelled[])[] {
  const fit = COLUMNS * ROWS;
  return Array.from({ length: Math.ceil(labels.length / fit) }, (_, page) =>
    labels.slice(page * fit, (page + 1) * fit),
  );
}

function cell(what: Labelled, { x, y }: Point): readonly Outline[] {
  const below = y + LABEL.height + GAP;
  return [
    ...label(what, { x, y }),
    ...strip(what, { x, y: below }),
    ...cropMarks({ x, y }, LABEL),
    ...cropMarks({ x, y: below }, STRIP),
    centred(
      "The strip goes where nobody can paste over it: behind the glass.",
      { weight: "regular", sizeMm: 2, colour: PRINT },
      { x: x + CELL.width / 2, y: below - GAP / 2 + 0.6 },
    ),
  ];
}

/** Hairlines outside each corner, in line with the edges. */
function cropMarks(
  { x, y }: Point,
  { width, height }: { readonly width: number; readonly height: number },
): readonly Outline[] {
  const { from, length, thick } = MARK;
  const lines = [
    [x, -1],
    [x + width, 1],
  ] as const;
  const levels = [
    [y, -1],
    [y + height, 1],
  ] as const;
  const away = (edge: number, way: number): number => (way < 0 ? edge - from - length : edge + from);
  const path = lines.flatMap(([line, outX]) =>
    levels.flatMap(([level, outY]) => [
      rectangle({ x: away(line, outX), y: level - thick / 2, width: length, height: thick }),
      rectangle({ x: line - thick / 2, y: away(level, outY), width: thick, height: length }),
    ]),
  );
  return [{ path: path.join(""), colour: PRINT }];
}

/** What tells a sheet that was printed at another size. */
function ruler({ x, y }: Point): readonly Outline[] {
  const length = 50;
  const from = x - length / 2;
  const ticks = [from, from + length].map((at) =>
    rectangle({ x: at - 0.1, y: y - 1, width: 0.2, height: 2 }),
  );
  const line = rectangle({ x: from, y: y - 0.1, width: length, height: 0.2 });
  return [
    { path: line + ticks.join(""), colour: PRINT },
    text(
      `Print at 100 %: this line is ${mm(length)} mm.`,
      { weight: "regular", sizeMm: 2.2, colour: PRINT },
      { x: from + length + 3, y: y + 0.7 },
    ),
  ];
}
