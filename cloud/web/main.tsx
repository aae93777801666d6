/** The customer's pages: the one place that touches the address bar, the phone's storage and its clock. */
import { render } from "preact";
import { makeApi } from "./api.js";
import { makeAttempts } from "./attempt.js";
import { makeMemory } from "./memory.js";
import { moneyText } from "./money-text.js";
import { Pages } from "./pages.js";
import { routeOf } from "./route.js";
import { makeTimeText } from "./time-text.js";
import { makePocket } from "./wallet.js";
import { wordsFor } from "./words.js";

const root = document.getElementById("page");
if (root === null) throw new Error("index.html has no #page");

const memory = makeMemory(() => window.localStorage);
const locale = navigator.language;
const api = makeApi(
  (input, init) => fetch(input, init),
  () => Date.now(),
);
const { time, dayAndTime } = makeTimeText(locale);

/** 128 bits of chance. `crypto.randomUUID` is not there on plain http, where these pages may be, too. */
const randomKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );

render(
  <Pages
    route={routeOf(location.pathname)}
    pocket={makePocket(memory)}
    app={{
      api,
      words: wordsFor(navigator.languages),
      memory,
      attempts: makeAttempts(memory, randomKey),
      money: (money) => moneyText(money, locale),
      time: (at) => time(at, api.nowMs()),
      dayAndTime,
      tabMemory: makeMemory(() => window.sessionStorage),
    }}
  />,
  root,
);
