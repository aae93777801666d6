/** The rig's page: the machine, the customer's phone beside it, what can go wrong, and what is being said. */
import { render } from "preact";
import { makeRig } from "./rig.js";
import { RigPage } from "./rig-page.js";

const root = document.getElementById("page");
if (root === null) throw new Error("index.html has no #page");
render(<RigPage rig={makeRig((input, init) => fetch(input, init))} />, root);
