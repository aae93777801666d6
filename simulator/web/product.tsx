/** Packs and spirals, drawn. Which pack a name gets is a guess for the eye; nothing depends on it. */
import type { VNode } from "preact";

type Pack = "bag" | "bar" | "can";

function packOf(name: string): Pack {
  if (/\b(water|cola|coffee|juice|tea|soda|lemonade|milk|drink|brew)\b/i.test(name)) return "can";
  if (/\b(bar|choc\w*|biscuits?|cookies?|wafers?|slice|gum|mints?)\b/i.test(name)) return "bar";
  return "bag";
}

const outlines: Record<Pack, VNode> = {
  bag: (
    <>
      <path d="M9 5h30l2 4-2 4v34l2 4-2 4H9l-2-4 2-4V13L7 9z" fill="var(--pack)" />
      <path d="M9 5h30l2 4-2 4H9L7 9zM9 47h30l2 4-2 4H9l-2-4z" fill="var(--pack-dark)" />
    </>
  ),
  bar: (
    <>
      <path d="M12 4h24v52H12z" fill="var(--pack)" />
      <path
        d="m12 4 3 3 3-3 3 3 3-3 3 3 3-3 3 3 3-3v5H12zM12 56l3-3 3 3 3-3 3 3 3-3 3 3 3-3 3 3v-5H12z"
        fill="var(--pack-dark)"
      />
    </>
  ),
  can: (
    <>
      <path d="M14 4h20l4 6v40l-4 6H14l-4-6V10z" fill="var(--pack)" />
      <path d="M14 4h20l4 6H10zM10 50h28l-4 6H14z" fill="#b9c2c8" />
    </>
  ),
};

export function Product({ item, name }: { readonly item: number; readonly name: string }): VNode {
  return (
    <svg viewBox="0 0 48 60" class={`pack hue-${item % 8}`} aria-hidden="true">
      {outlines[packOf(name)]}
      <rect x="13" y="20" width="22" height="20" rx="2" fill="#fff" opacity="0.92" />
      <text x="24" y="35" text-anchor="middle" font-size="14" font-weight="700" fill="#1c2529">
        {name.slice(0, 2)}
      </text>
      <path d="M15 12v36" stroke="#fff" stroke-width="2" opacity="0.28" />
    </svg>
  );
}

/** The wire in front of the pack; a turn of the motor moves it round once. */
export function Spiral(): VNode {
  return (
    <svg viewBox="0 0 80 30" preserveAspectRatio="none" class="spiral" aria-hidden="true">
      <path d="M2 28C2-4 20-4 20 16S10 28 14 16 32-4 34 16 24 28 28 16 46-4 48 16 38 28 42 16 60-4 62 16 52 28 56 16 74-4 78 28" />
    </svg>
  );
}
