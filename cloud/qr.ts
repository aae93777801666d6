/** QR codes, as the labels and the pages show them. Error correction Q: a quarter of it may be scratched. */
import QRCode from "qrcode";

const errorCorrectionLevel = "Q";
/** What the largest code holds at this correction, whatever the letters (ISO/IEC 18004, table 7: 40-Q). */
export const QR_MOST_BYTES = 1_663;
export const QUIET_ZONE = 4; // modules on every side (ISO/IEC 18004)

export const qrSvg = (text: string): Promise<string> =>
  QRCode.toString(text, { errorCorrectionLevel, margin: QUIET_ZONE, type: "svg" });

/** The dark modules of a code, without its quiet zone: rows from the top, each from the left. */
export function qrRows(text: string): readonly (readonly boolean[])[] {
  const { size, data } = QRCode.create(text, { errorCorrectionLevel }).modules;
  return Array.from({ length: size }, (_, row) =>
    Array.from({ length: size }, (_, column) => data[row * size + column] === 1),
  );
}
