/** The real clock and chance, as main.ts hands them on, for tests over real sockets and processes. */
export { systemClock as realClock, systemRandom as realRandom } from "../../broker/protocol/system.js";
