/** Every word that is said around a wallet's barcode, for the same reason as `words.ts`: another language is another catalogue. */
export const english = {
  show: "Show my barcode",
  making: "Making a barcode",
  title: "Your barcode",
  hint: "Hold it to the machine's scanner. By itself it pays nothing: you are asked here first.",
  qr: "QR code of your barcode",
  left: (clock: string) => `Good for ${clock}`,
  over: "This barcode is too old",
  renew: "Make a new one",
  asked: (amount: string, by: string | undefined) => `${by ?? "A machine"} asks for ${amount}`,
  askedDetail: "It read your barcode. Nothing is charged before you pay.",
  pay: (amount: string) => `Go on to pay ${amount}`,
};
