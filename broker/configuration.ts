/** What the broker is told at its start. */
import { z } from "zod";

const port = z.int().min(0).max(65_535);
export const brokerConfiguration = z.strictObject({
  /** The address to listen on. Loopback unless said otherwise: machines elsewhere need TLS in front. */
  host: z.string().default("127.0.0.1"),
  /** MQTT over TCP. 0 picks a free port. */
  port: port.default(1883),
  /** MQTT over WebSocket; leave it out for none. */
  webSocketPort: port.optional(),
  /** How many logins may be connected at once; who comes past that is turned away. */
  maxConnections: z.int().positive().default(20_000),
  /** How many may be on the way to their login, from one address and in all: past that the oldest of them makes room. */
  beforeLoginPerAddress: z.int().positive().default(1_000),
  beforeLogin: z.int().positive().default(2_000),
  /** The file of logins, read again whenever it has changed. */
  loginsFile: z.string().min(1),
});
export type BrokerConfiguration = z.infer<typeof brokerConfiguration>;
