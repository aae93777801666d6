/**
 * Fields that may still change: marked once, on their schema, with `.meta(EXPERIMENTAL)`. The mark is in the document, and
 * from it come the header of an answer and, switched off, their absence. Pure.
 *
 * Never     looks into records, nor into what a transform makes: a marked field is a field of an object.
 */
import { z } from "zod";

export const EXPERIMENTAL = { "x-experimental": true } as const;
export const isMarked = (said: Readonly<Record<string, unknown>> | undefined): boolean =>
  said?.["x-experimental"] === true;

/** Where in a value the marked fields are: whole fields, or within them. An array's places are those of its items. */
export type Places = ReadonlyMap<string, "whole" | Places>;
type Schema = z.core.$ZodType;

/** Nothing where nothing is marked, so that most values need not be looked at. */
export function experimentalPlaces(schema: Schema | undefined): Places | undefined {
  if (schema === undefined) return undefined;
  if (schema instanceof z.ZodObject) {
    const places = Object.entries<Schema>(schema.shape).flatMap(([name, field]) => {
      const within = isMarkedField(field) ? "whole" : experimentalPlaces(field);
      return within === undefined ? [] : [[name, within] as const];
    });
    return places.length === 0 ? undefined : new Map(places);
  }
  if (schema instanceof z.ZodArray) return experimentalPlaces(schema.element);
  if (schema instanceof z.ZodPipe) return experimentalPlaces(schema.in);
  if (schema instanceof z.ZodUnion) {
    const all = schema.options.flatMap((option) => [...(experimentalPlaces(option) ?? [])]);
    return all.length === 0 ? undefined : new Map(all);
  }
  return experimentalPlaces(wrappedBy(schema));
}

/** The same value itself, if it has none of them. */
export function withoutExperimental(value: unknown, places: Places | undefined): unknown {
  if (places === undefined || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    const kept = items.map((item) => withoutExperimental(item, places));
    return kept.some((item, index) => item !== items[index]) ? kept : value;
  }
  const fields = Object.entries(value).map(([name, field]: [string, unknown]) => {
    const place = places.get(name);
    return { name, field, place, left: place === "whole" ? undefined : withoutExperimental(field, place) };
  });
  if (fields.every(({ field, place, left }) => place !== "whole" && left === field)) return value;
  return Object.fromEntries(
    fields.flatMap(({ name, place, left }) => (place === "whole" ? [] : [[name, left]])),
  );
}

function isMarkedField(schema: Schema): boolean {
  const inner = wrappedBy(schema);
  return isMarked(z.globalRegistry.get(schema)) || (inner !== undefined && isMarkedField(inner));
}

const wrappedBy = (schema: Schema): Schema | undefined =>
  schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault
    ? schema.unwrap()
    : undefined;
