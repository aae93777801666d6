import { defineConfig } from "vitest/config";

/** The long runs, each with its own command; `npm test` leaves them out. */
export default defineConfig({ test: { include: ["test/soak/*.ts"], disableConsoleIntercept: true } });
