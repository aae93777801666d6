/** Letters as outlines, in a typeface made to be told apart: 0 is not O, 1 is not l. */
import { createRequire } from "node:module";
import { openSync, type Font } from "fontkit";
import { mm, type Outline, type Point } from "./drawing.js";

const FAMILY = "@expo-google-fonts/atkinson-hyperlegible-next";
function font(file: string): Font {
  const opened = openSync(createRequire(import.meta.url).resolve(`${FAMILY}/${file}`));
  if ("fonts" in opened) throw new Error(`${file} is a collection of fonts`);
  return opened;
}
const fonts = {
  regular: font("400Regular/AtkinsonHyperlegibleNext_400Regular.ttf"),
  bold: font("700Bold/AtkinsonHyperlegibleNext_700Bold.ttf"),
};

export type Lettering = {
  readonly weight: keyof typeof fonts;
  /** Of a capital letter's em: what others call the font size, in millimetres. */
  readonly sizeMm: number;
  readonly colour: string;
};

/** The first character that cannot be printed, or `undefined`. */
export const unprintable = (text: string): string | undefined =>
  Array.from(text).find((character) => !fonts.bold.hasGlyphForCodePoint(character.codePointAt(0) ?? 0));

export const widthOf = (text: string, { weight, sizeMm }: Omit<Lettering, "colour">): number =>
  (fonts[weight].layout(text).advanceWidth / fonts[weight].unitsPerEm) * sizeMm;

/** The same lettering, small enough for the text to be at most so wide. */
export const fitting = <L extends Omit<Lettering, "colour">>(text: string, most: L, widthMm: number): L => ({
  ...most,
  sizeMm: Math.min(most.sizeMm, (most.sizeMm * widthMm) / widthOf(text, most)),
});

const LETTERS = {
  moveTo: "M",
  lineTo: "L",
  quadraticCurveTo: "Q",
  bezierCurveTo: "C",
  closePath: "Z",
} as const;

/** A line of text; `at` is where its base line begins. */
export function text(words: string, { weight, sizeMm, colour }: Lettering, at: Point): Outline {
  const { unitsPerEm } = fonts[weight];
  const run = fonts[weight].layout(words);
  const scale = sizeMm / unitsPerEm;
  let pen = 0;
  const path = run.glyphs.flatMap((glyph, index) => {
    const place = run.positions[index];
    const [dx, dy] = [pen + (place?.xOffset ?? 0), place?.yOffset ?? 0];
    pen += place?.xAdvance ?? glyph.advanceWidth;
    return glyph.path.commands.map(({ command, args }) => {
      const points = args.map((value, odd) =>
        odd % 2 === 0 ? mm(at.x + (value + dx) * scale) : mm(at.y - (value + dy) * scale),
      );
      return LETTERS[command] + points.join(" ");
    });
  });
  return { path: path.join(""), colour };
}

/** A line of text around the middle `at`. */
export const centred = (words: string, lettering: Lettering, at: Point): Outline =>
  text(words, lettering, { x: at.x - widthOf(words, lettering) / 2, y: at.y });
