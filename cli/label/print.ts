/** Pages as files: SVG and PNG hold one, PDF any number. All three are the same outlines. */
import { crc32 } from "node:zlib";
import { Resvg } from "@resvg/resvg-js";
import PDFDocument from "pdfkit";
import { mm, type Page } from "./drawing.js";

const DPI = 300;
const MM_PER_INCH = 25.4;
const POINTS_PER_MM = 72 / MM_PER_INCH;

export function svgOf({ widthMm, heightMm, outlines }: Page, title: string): string {
  const [width, height] = [mm(widthMm), mm(heightMm)];
  const paths = outlines.map(({ path, colour }) => `<path fill="${colour}" d="${path}"/>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}mm" height="${height}mm" viewBox="0 0 ${width} ${height}">`,
    `<title>${escaped(title)}</title>`,
    ...paths,
    "</svg>\n",
  ].join("\n");
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** At 300 dots an inch, and saying so, that it is printed at its true size. */
export function pngOf(page: Page): Uint8Array {
  const width = Math.round((page.widthMm / MM_PER_INCH) * DPI);
  const drawn = new Resvg(svgOf(page, ""), {
    fitTo: { mode: "width", value: width },
    background: "#ffffff",
    font: { loadSystemFonts: false },
  });
  return withDensity(drawn.render().asPng());
}

const HEADER_END = 8 + 25; // the signature and IHDR, which is always first

function withDensity(png: Buffer): Uint8Array {
  const chunk = Buffer.alloc(21);
  const perMetre = Math.round((DPI / MM_PER_INCH) * 1_000);
  chunk.writeUInt32BE(9, 0);
  chunk.write("pHYs", 4, "latin1");
  chunk.writeUInt32BE(perMetre, 8);
  chunk.writeUInt32BE(perMetre, 12);
  chunk.writeUInt8(1, 16); // the unit is the metre
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 17)), 17);
  return Buffer.concat([png.subarray(0, HEADER_END), chunk, png.subarray(HEADER_END)]);
}

export async function pdfOf(pages: readonly Page[], title: string): Promise<Uint8Array> {
  const pdf = new PDFDocument({ autoFirstPage: false, info: { Title: title } });
  for (const { widthMm, heightMm, outlines } of pages) {
    pdf.addPage({ size: [widthMm * POINTS_PER_MM, heightMm * POINTS_PER_MM], margin: 0 });
    pdf.scale(POINTS_PER_MM);
    for (const { path, colour } of outlines) pdf.path(path).fill(colour);
  }
  pdf.end();
  const chunks: Buffer[] = [];
  for await (const chunk of pdf as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
