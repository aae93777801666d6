/**
 * A MateDealer between a machine and its serial line: it gives back what is typed, announces requests and results, and says
 * where it is only when it is asked.
 */
import { decimalToMinor, minorToDecimal } from "../../broker/protocol/money.js";
import type { Adapter, Ends } from "./adapter.js";
import type { Word } from "./word.js";

type State = "INACTIVE" | "DISABLED" | "ENABLED" | "SESSION IDLE" | "VEND";

export class MateDealerAdapter implements Adapter {
  readonly #ends: Ends;
  #state: State = "INACTIVE";
  #isOn = false; // an Arduino on the controller's USB: no reader to the machine before that
  #isStarting = false; // the firmware forgets a start only when a machine takes it
  #item = 0;

  constructor(ends: Ends) {
    this.#ends = ends;
  }

  heard(line: string): void {
    if (!this.#isOn) this.#switchOn();
    this.#ends.write(line);
    const [command = "", argument = ""] = line.trim().split(" ");
    switch (command.toLowerCase()) {
      case "mdb-state": {
        this.#ends.write(`State: ${this.#state}`);
        return;
      }
      case "start-session": {
        this.#start(Number.parseInt(argument, 10) || 0);
        return;
      }
      case "approve-vend":
        if (this.#state === "VEND") {
          this.#ends.obey({ kind: "approve" });
          return;
        }
        {
          this.#refuse("MateDealer is not in a suitable state to approve a vend");
          return;
        }
      case "deny-vend":
        if (this.#state === "VEND") {
          this.#ends.obey({ kind: "deny" });
          return;
        }
        {
          this.#refuse("MateDealer is not in a suitable state to deny a vend");
          return;
        }
      case "cancel-session":
        if (this.#state === "SESSION IDLE") {
          this.#ends.obey({ kind: "stop" });
          return;
        }
        {
          this.#refuse("MateDealer is not in a suitable state to cancel a session");
          return;
        }
      case "reset":
        this.#ends.obey({ kind: "off" });
        this.#isStarting = false;
        this.#ends.write("MateDealer is up and running");
        {
          this.#switchOn();
          return;
        }
      default: {
        this.#refuse("Unknown command");
        return;
      }
    }
  }

  lost(): void {
    this.#isOn = false;
    this.#isStarting = false;
    this.#state = "INACTIVE";
    this.#ends.lost();
  }

  say(word: Word): void {
    switch (word.kind) {
      case "inactive":
      case "reset":
        this.#state = "INACTIVE";
        return;
      case "disabled":
        this.#state = "DISABLED";
        return;
      case "enabled": {
        const wasOpen = this.#state === "SESSION IDLE" || this.#state === "VEND";
        this.#state = "ENABLED";
        if (wasOpen) this.#ends.write("session-complete");
        return;
      }
      case "idle":
        this.#isStarting = false;
        this.#state = "SESSION IDLE";
        return;
      case "requested":
        this.#state = "VEND";
        this.#item = word.item;
        {
          this.#ends.write(
            `vend-request ${decimalToMinor(word.price, this.#ends.decimals) ?? 0} ${word.item}`,
          );
          return;
        }
      case "succeeded":
        this.#state = "SESSION IDLE";
        {
          this.#ends.write(`vend-success ${this.#item}`);
          return;
        }
      case "failed":
        this.#state = "SESSION IDLE";
        {
          this.#ends.write("vend-failure");
          return;
        }
      case "cancelled":
        this.#state = "SESSION IDLE";
        {
          this.#ends.write("vend-cancel");
          return;
        }
      default:
        return; // what only a Qibixx says
    }
  }

  [Symbol.dispose](): void {
    // nothing is open: the line is the port's
  }

  #switchOn(): void {
    this.#isOn = true;
    this.#state = "INACTIVE";
    this.#ends.obey({ kind: "on" });
  }

  #start(minor: number): void {
    if (this.#state !== "ENABLED") {
      this.#refuse("MateDealer not ready for a session");
      return;
    }
    if (this.#isStarting) {
      this.#refuse("Session is already running");
      return;
    }
    this.#isStarting = true;
    this.#ends.obey({ kind: "start", funds: minorToDecimal(minor, this.#ends.decimals) });
  }

  #refuse(why: string): void {
    this.#ends.write(`Error: ${why}`);
  }
}
