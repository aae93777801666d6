/** Something the reader should know now, and what to do about it. */
import type { VNode } from "preact";
import { Icon } from "./icon.js";
import type { Said } from "./words.js";

type Action = { readonly label: string; readonly run: () => void };
type Props = {
  readonly tone: "plain" | "good" | "bad";
  readonly said: Said;
  readonly action?: Action;
  readonly dismiss?: Action;
};

export function Notice({ tone, said, action, dismiss }: Props): VNode {
  return (
    <section class={`notice ${tone}`} role={tone === "bad" ? "alert" : "status"}>
      <div>
        <strong>{said.title}</strong>
        {said.detail !== "" && <p>{said.detail}</p>}
        {action !== undefined && (
          <button type="button" class="quiet" onClick={action.run}>
            {action.label}
          </button>
        )}
      </div>
      {dismiss !== undefined && (
        <button type="button" class="bare" aria-label={dismiss.label} onClick={dismiss.run}>
          <Icon name="close" />
        </button>
      )}
    </section>
  );
}
