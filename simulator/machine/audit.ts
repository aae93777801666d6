/** A simulated machine's audit (EVA-DTS 6.1.1), from what its coils have really given out. Pure. */
import { checksum } from "../../controller/dex/audit.js";
import type { Coil, Vmc } from "./vmc.js";

/** Cashless sales are device DA's, the only reader there is; what is counted since a reset is the same, as nobody resets it. */
export function auditOf({ coils, settings }: Vmc, serialNumber: string, currency: string): Uint8Array {
  const all = counted(coils, ({ fallen }) => fallen);
  const cash = counted(coils, ({ forCash }) => forCash);
  const cashless = counted(coils, ({ fallen, forCash }) => fallen - forCash);
  const lines = [
    "ST*001*0001",
    `ID1*${serialNumber}*SIMULATED*1`,
    `ID4*${settings.decimals}**${currency}`,
    `VA1*${all.value}*${all.vends}*${all.value}*${all.vends}`,
    `CA2*${cash.value}*${cash.vends}*${cash.value}*${cash.vends}`,
    `DA2*${cashless.value}*${cashless.vends}*${cashless.value}*${cashless.vends}`,
    ...coils.flatMap(linesOf),
  ];
  const whole = [
    "DXS*SIMULATED1*VA*V1/1*1",
    ...lines,
    `G85*${checksum(lines)}`,
    `SE*${lines.length + 2}*0001`,
    "DXE*1*1",
  ];
  return Buffer.from(whole.map((line) => `${line}\r\n`).join(""), "latin1");
}

function linesOf(coil: Coil): readonly string[] {
  const { item, name, priceMinor, fallen, forCash } = coil;
  const of = (vends: number): string => `${vends}*${vends * priceMinor}*${vends}*${vends * priceMinor}`;
  return [
    `PA1*${item}*${priceMinor}*${name.replaceAll(/[^ -~]|\*/g, "?")}`,
    `PA2*${of(fallen)}`,
    `PA7*${item}*CA*0*${priceMinor}*${of(forCash)}`,
    `PA7*${item}*DA*0*${priceMinor}*${of(fallen - forCash)}`,
  ];
}

function counted(coils: readonly Coil[], vendsOf: (coil: Coil) => number): { vends: number; value: number } {
  return {
    vends: coils.reduce((sum, coil) => sum + vendsOf(coil), 0),
    value: coils.reduce((sum, coil) => sum + vendsOf(coil) * coil.priceMinor, 0),
  };
}
