/** The way to the owner's pages, which are fetched only here: a customer in front of a machine downloads none of them. */
import type { ComponentType, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useApp } from "./app.js";
import { Notice } from "./notice.js";

type Props = { readonly code: string | undefined };

export function OwnerDoor({ code }: Props): VNode {
  const { words } = useApp();
  const [room, setRoom] = useState<{ readonly Page: ComponentType<Props> }>();
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    import("./owner-page.js").then(
      ({ OwnerPage }) => setRoom({ Page: OwnerPage }),
      () => setFailed(true), // an import fails in one way: it was not to be had
    );
  }, []);
  if (failed) return <Notice tone="bad" said={words.refusal("NO_ANSWER")} />;
  if (room === undefined) return <p class="loading" role="status" />;
  return <room.Page code={code} />;
}
