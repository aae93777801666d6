/**
 * A socket that sends what was said in one turn as one packet. The driver corks it for each query and uncorks it after;
 * uncorked only when the turn is over, four queries said together are one system call, and wake the server once.
 */
import { Socket } from "node:net";

export class OneBreathSocket extends Socket {
  override uncork(): void {
    process.nextTick(() => super.uncork());
  }
}
