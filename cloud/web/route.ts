/** Which page an address asks for. Pure. */
export type Route =
  | { readonly kind: "machine"; readonly code: string }
  | { readonly kind: "pay"; readonly requestId: string }
  | { readonly kind: "wallet" }
  /** An owner's machines, or one of them. */
  | { readonly kind: "owner"; readonly code: string | undefined }
  | { readonly kind: "lost" };

/** Codes and ids are plain words; what would need decoding names nothing of ours. */
export const isWord = (text: string): boolean => /^[0-9A-Za-z_-]{1,64}$/.test(text);

export function routeOf(pathname: string): Route {
  const [, first, second, ...rest] = pathname.replace(/\/$/, "").split("/");
  if (rest.length > 0) return { kind: "lost" };
  if (first === "wallet" && second === undefined) return { kind: "wallet" };
  if (first === "owner" && second === undefined) return { kind: "owner", code: undefined };
  if (second === undefined || !isWord(second)) return { kind: "lost" };
  if (first === "m") return { kind: "machine", code: second };
  if (first === "pay") return { kind: "pay", requestId: second };
  if (first === "owner") return { kind: "owner", code: second };
  return { kind: "lost" };
}
