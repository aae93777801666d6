/** The network as the simulator takes it: byte streams that come in, and byte streams it opens. */
import type { Duplex } from "node:stream";

export interface Listening extends AsyncDisposable {
  readonly port: number;
}
/** Opens a port; each connection is handed over as it comes. The receiver listens for its errors. */
export type Listen = (port: number, accept: (socket: Duplex) => void) => Promise<Listening>;
/** Begins a connection; what is written before it stands is kept, and failing is an `error` event. */
export type Connect = () => Duplex;
