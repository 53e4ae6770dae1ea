/** Strings, so that what looks like a number in one is none; and numbers. */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const LEAST_INTEGER = -(2n ** 63n);
const GREATEST_INTEGER = 2n ** 64n - 1n;

/** Whether MySQL's JSON holds every number of a document: as an integer of 64 bits, or as a double's shortest text. */
export function isExactJson(document: string): boolean {
  for (const [token] of document.matchAll(STRING_OR_NUMBER)) {
    if (!token.startsWith('"') && !isExactNumber(token)) return false;
  }
  return true;
}

function isExactNumber(token: string): boolean {
  if (/^-?\d+$/.test(token)) {
    const integer = BigInt(token);
    if (integer >= LEAST_INTEGER && integer <= GREATEST_INTEGER) return true;
  }
  return normalized(token) === normalized(String(Number(token)));
}

/** The same text for the same number: its digits without zeros around them, and the power of ten of the last. */
function normalized(token: string): string {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(token) ?? [];
  if (whole === "") return "none"; // Infinity.
  const digits = (whole + fraction).replace(/^0+/, "");
  const kept = digits.replace(/0+$/, "");
  if (kept === "") return "0";
  return `${sign}${kept}e${Number(exponent) - fraction.length + digits.length - kept.length}`;
}
