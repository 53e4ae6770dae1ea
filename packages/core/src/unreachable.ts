/** Ends an exhaustive `switch`: a compile error when a variant is missing, an error if bytes lied. */
export function unreachable(value: never): never {
  throw new TypeError(`unexpected variant ${JSON.stringify(value)}`);
}
