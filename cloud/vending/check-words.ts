/**
 * The check words of a machine: two plain words which its label has printed and its page shows, to be compared. Pure.
 *
 * Promises  the same words for the same public address and code, here and in `scanvend label`; http and https give the same.
 * Never     a secret: whoever can read the label can work them out. docs/decisions/0007 says what they are good for.
 *
 * The list is part of every label in the world: a word changed or moved here makes printed labels wrong.
 */
import { createHash } from "node:crypto";

/** 256 words, a byte each: none is one letter away from another. */
const WORDS = `
  acorn amber anchor apple apron arrow atlas autumn badge bagel balcony bamboo banjo barley basket beacon
  beaver bicycle biscuit blanket blossom blueberry bottle boulder bracelet branch bridge bronze bucket
  buffalo butterfly button cabin cactus camel candle canoe canyon captain carpet carrot castle cathedral
  cedar cello cherry chestnut chimney cinnamon circus clarinet clover cobalt coconut comet compass copper
  coral cotton crayon cricket crystal cucumber cushion daisy diamond dolphin domino donkey dragon dragonfly
  drummer eagle echo elephant emerald engine envelope falcon feather fennel ferry fiddle fireplace flamingo
  forest fossil fountain galaxy garden garlic gazelle ginger giraffe glacier goblet gooseberry granite
  guitar hammer harbour harvest hazel hedgehog helmet heron honey horizon iceberg igloo indigo island ivory
  jacket jaguar jasmine jigsaw jungle kayak kettle keyboard kitchen ladder lagoon lantern lavender lemon
  library lighthouse lilac lobster magnet mango maple marble marigold meadow meteor mirror mitten monsoon
  mosaic muffin mustard napkin nectar needle notebook nutmeg oasis ocean olive onion opal orange orbit
  orchard otter oyster paddle palace panda paper passport peacock pebble pelican penguin piano pigeon pilot
  planet pocket pony popcorn postcard prairie pumpkin puzzle pyramid quartz quilt rabbit radish rainbow
  raspberry raven ribbon river robin rooster rosemary salmon sandal sandwich sapphire satellite saturn
  scarlet seagull seahorse shadow shovel silver snowball snowflake sparrow spinach squirrel suitcase summer
  sunflower sunset sycamore tailor tambourine tangerine teapot telescope temple thimble thunder tiger
  timber toboggan toffee tomato topaz tortoise tractor trumpet tulip tunnel turnip umbrella valley vanilla
  velvet village violin volcano waffle wagon walnut waterfall whistle willow windmill window winter wizard
  wombat yellow yogurt zebra zipper
`
  .trim()
  .split(/\s+/);

/** What the label's QR code holds: where the customer's page for this machine is. */
export const machineUrl = (publicUrl: string, code: string): string =>
  `${new URL(publicUrl).href.replace(/\/+$/, "")}/m/${code}`;

/** What a customer types who has no camera: {@link machineUrl} without its scheme. */
export const typedAddress = (publicUrl: string, code: string): string =>
  machineUrl(publicUrl, code).replace(/^https?:\/\//, "");

/** "amber lantern". */
export function checkWords(publicUrl: string, code: string): string {
  const digest = createHash("sha256")
    .update(`scanvend check words 1: ${typedAddress(publicUrl, code)}`)
    .digest();
  return [...new Set(digest)] // each word once
    .slice(0, 2)
    .map((byte) => WORDS[byte])
    .join(" ");
}
