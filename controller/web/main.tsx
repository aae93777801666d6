/** The machine's own screen: what its terminal shows, live, and a keypad for the code of a voucher. */
import { render } from "preact";
import { Kiosk } from "./kiosk.js";

const root = document.getElementById("page");
if (root === null) throw new Error("index.html has no #page");
render(<Kiosk />, root);
