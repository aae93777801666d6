/**
 * The embedded broker: a wire between machines and cloud.
 *
 * Owns      the aedes instance and every connection to it.
 * Promises  nobody connects without a login; nobody speaks or listens outside {@link mayPublish} and
 *           {@link maySubscribe}, last wills included; a refused subscription is answered as refused (0x80).
 *           Whose login is gone or is another by now is put out by {@link Broker.review}, and its last will is not said.
 *           A packet longer than any of ours ends its connection before it is kept ({@link PacketLimit}).
 *           What is refused is counted by kind and by login, and logged at powers of two: a stranger cannot fill the log.
 * Never     keeps a session: every connection is a clean one. Retained messages live in memory and go with it; both ends
 *           say again what they owe, so a broker that comes back empty has lost nothing that matters.
 * Crash     everyone reconnects.
 */
import type { Duplex } from "node:stream";
import { Aedes, type AuthenticateError, type Client, type Connection } from "aedes";
import { PacketLimit } from "./packet-limit.js";
import { MAX_PAYLOAD_BYTES } from "./protocol/envelope.js";
import { Tally } from "./protocol/tally.js";
import { authenticate, inForce, mayPublish, maySubscribe, type Login } from "./access.js";

export interface BrokerLog {
  info(what: object, message: string): void;
  warn(what: object, message: string): void;
}
export type Broker = {
  /** Takes over one accepted connection (a TCP socket with Nagle off, or a WebSocket as a stream), and tells when its login is proved. */
  readonly handle: (stream: Duplex, onLogin?: () => void) => void;
  /** The logins have changed: ends the connections that were proved by one that is not in force any more. */
  readonly review: () => void;
  readonly close: () => Promise<void>;
};

const CONNECT_TIMEOUT_MS = 10_000;
/** A message of ours and its topic. */
const MAX_PACKET_BYTES = MAX_PAYLOAD_BYTES + 1024;
/** CONNACK return codes (MQTT 3.1.1, 3.2.2.3). */
const RETURN_CODE = { badLogin: 5, badClientId: 2 } as const;

/** As much of what a client said as a line of the log may hold. */
const shown = (said: string | undefined): string | undefined => said?.slice(0, 64);

/** `logins` is asked at every CONNECT, and at every review. */
export async function makeBroker(logins: () => readonly Login[], log: BrokerLog): Promise<Broker> {
  const known = new WeakMap<Client, Login>(); // a last will is asked for after the connection is gone
  const inside = new Set<Client>();
  const atLogin = new WeakMap<Connection, () => void>();
  const refusals = new Tally();
  /** `who` is the name of a login, or nobody's. */
  const refused = (what: object, message: string, who = ""): void => {
    const count = refusals.count(`${message} ${who}`);
    if (count !== undefined) log.warn({ ...what, count }, message);
  };
  const dropped = (client: Client, error: Error): void =>
    refused(
      { clientId: shown(client.id), error: shown(error.message) },
      "connection dropped",
      known.get(client)?.username,
    );
  const aedes = await Aedes.createBroker({
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxClientsIdLength: 64,
    maxTopicLevels: 4,
    preConnect(_client, packet, done) {
      packet.clean = true; // a wire keeps no sessions
      done(null, true);
    },
    authenticate(client, username, password, done) {
      const current = logins();
      const proved = authenticate(current, client.id, username, password);
      if (proved.ok) {
        known.set(client, proved.login);
        inside.add(client);
        client.conn.once("close", () => inside.delete(client));
        atLogin.get(client.conn)?.();
        done(null, true);
        return;
      }
      const { reason } = proved;
      refused(
        { clientId: shown(client.id), username: shown(username), reason },
        "connection refused",
        current.find((one) => one.username === username)?.username,
      );
      const refusal: Error = Object.assign(new Error(reason), {
        returnCode: RETURN_CODE[reason],
      });
      done(refusal as AuthenticateError, false); // an Error with one of aedes' own codes, just above
    },
    authorizePublish(client, packet, done) {
      const login = client === null ? undefined : known.get(client);
      if (login !== undefined && mayPublish(login, packet.topic)) {
        done(null);
        return;
      }
      refused({ login: login?.username, topic: shown(packet.topic) }, "publish refused", login?.username);
      done(new Error("not your topic"));
    },
    authorizeSubscribe(client, subscription, done) {
      const login = known.get(client);
      if (login !== undefined && maySubscribe(login, subscription.topic)) {
        done(null, subscription);
        return;
      }
      refused(
        { login: login?.username, filter: shown(subscription.topic) },
        "subscription refused",
        login?.username,
      );
      done(null, null);
    },
  });
  aedes.on("clientReady", (client) => log.info({ clientId: client.id }, "connected"));
  aedes.on("clientDisconnect", (client) => log.info({ clientId: client.id }, "disconnected"));
  // A broken connection is the connection's own business; without a listener it would end the process.
  aedes.on("clientError", dropped);
  aedes.on("connectionError", dropped);
  return {
    handle(stream, onLogin) {
      const limited = new PacketLimit(stream);
      atLogin.set(limited, () => {
        limited.allow(MAX_PACKET_BYTES);
        onLogin?.();
      });
      void aedes.handle(limited);
    },
    review() {
      const isInForce = inForce(logins());
      for (const client of inside) {
        const login = known.get(client);
        if (login === undefined || isInForce(login)) continue;
        log.warn({ clientId: client.id }, "connection ended: its login is gone or has changed");
        known.delete(client); // whatever it still says, its last will too, is nobody's
        client.close();
      }
    },
    close: () => new Promise((resolve) => aedes.close(() => resolve())),
  };
}
