/**
 * What is printed: filled outlines in millimetres from the top left corner, and nothing else. Pure.
 *
 * Why letters are outlines too: then SVG, PNG and PDF are the same picture, whatever fonts the printer has.
 */
export type Outline = { readonly path: string; readonly colour: string };
export type Page = {
  readonly widthMm: number;
  readonly heightMm: number;
  readonly outlines: readonly Outline[];
};
export type Point = { readonly x: number; readonly y: number };
export type Box = Point & { readonly width: number; readonly height: number };

/** A length as paths are written: to a thousandth of a millimetre. */
export const mm = (length: number): string => String(Math.round(length * 1_000) / 1_000);

export const rectangle = ({ x, y, width, height }: Box): string =>
  `M${mm(x)} ${mm(y)}h${mm(width)}v${mm(height)}h${mm(-width)}z`;

export function roundedRectangle({ x, y, width, height }: Box, radius: number): string {
  const corner = (dx: number, dy: number): string => `a${mm(radius)} ${mm(radius)} 0 0 1 ${mm(dx)} ${mm(dy)}`;
  const [across, down] = [width - 2 * radius, height - 2 * radius];
  return [
    `M${mm(x + radius)} ${mm(y)}h${mm(across)}${corner(radius, radius)}`,
    `v${mm(down)}${corner(-radius, radius)}`,
    `h${mm(-across)}${corner(-radius, -radius)}`,
    `v${mm(-down)}${corner(radius, -radius)}z`,
  ].join("");
}
