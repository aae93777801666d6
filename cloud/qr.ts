/** QR codes, as the sticker and the pages show them. Error correction Q: a quarter of it may be scratched. */
import QRCode from "qrcode";

const look = { errorCorrectionLevel: "Q", margin: 4 } as const; // a quiet zone of four modules (ISO/IEC 18004)

export const qrSvg = (text: string): Promise<string> => QRCode.toString(text, { ...look, type: "svg" });

/** A PNG sharp enough for print: 1,024 pixels square. */
export const qrPng = (text: string): Promise<Buffer> =>
  QRCode.toBuffer(text, { ...look, type: "png", width: 1024 });
