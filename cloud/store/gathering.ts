/** Lets the event loop turn for as long as turns bring more writers, up to `enough`: a commit takes longer than they do, and all share it. */
export async function gathering(waiting: () => number, enough: number): Promise<void> {
  for (let known = 0; known < waiting() && known < enough;) {
    known = waiting();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
