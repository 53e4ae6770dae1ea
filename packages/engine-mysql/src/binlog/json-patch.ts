/** A document in parts: text is a value as it is printed. */
type JsonNode = string | JsonNode[] | Map<string, JsonNode>;

/** Where in a document: the members' names and the elements' numbers on the way there. */
type Step = string | number | { readonly fromLast: number };

export type JsonChange =
  | { readonly kind: "replace" | "insert"; readonly path: string; readonly value: string }
  | { readonly kind: "remove"; readonly path: string };

/** Applies changes, one after the other, to a document as the server prints it; throws `RangeError` where one has no place. */
export function patchJson(document: string, changes: readonly JsonChange[]): string {
  if (changes.length === 0) return document;
  const root: JsonNode[] = [parse(document)];
  for (const change of changes) apply(root, change);
  return print(root[0] ?? fail("a document is gone"));
}

function apply(root: JsonNode[], change: JsonChange): void {
  const steps = [0, ...stepsOf(change.path)];
  const last = steps.pop() ?? fail("a path without an end");
  let parent: JsonNode = root;
  for (const step of steps) parent = within(parent, step);
  if (typeof parent === "string") return fail("a path into a value");
  if (Array.isArray(parent)) changeElement(parent, last, change);
  else changeMember(parent, last, change);
}

function changeElement(parent: JsonNode[], step: Step, change: JsonChange): void {
  const at = indexOf(parent, step);
  if (change.kind === "insert") parent.splice(at, 0, parse(change.value));
  else if (at < 0 || at >= parent.length) fail("an element that is not there");
  else if (change.kind === "replace") parent[at] = parse(change.value);
  else parent.splice(at, 1);
}

function changeMember(parent: Map<string, JsonNode>, step: Step, change: JsonChange): void {
  if (typeof step !== "string") return fail("an element of an object");
  if (parent.has(step) === (change.kind === "insert")) return fail("a member that is there, or is not");
  if (change.kind === "remove") parent.delete(step);
  else parent.set(step, parse(change.value));
}

function within(parent: JsonNode, step: Step): JsonNode {
  if (typeof parent === "string") return fail("a path into a value");
  const child = Array.isArray(parent)
    ? parent[indexOf(parent, step)]
    : parent.get(typeof step === "string" ? step : fail("an element of an object"));
  return child ?? fail("a path to nowhere");
}

function indexOf(parent: readonly JsonNode[], step: Step): number {
  if (typeof step === "number") return step;
  if (typeof step === "string") return fail("a member of an array");
  return parent.length - 1 - step.fromLast;
}

/* `$.name."any name"[3]`, the `$` left out or not; names come as they are printed. */
const STEP = /\.(?:("(?:[^"\\]|\\.)*")|([^.[\]"]+))|\[(\d+)\]|\[last(?:-(\d+))?\]/suy;

function stepsOf(path: string): Step[] {
  const steps: Step[] = [];
  STEP.lastIndex = path.startsWith("$") ? 1 : 0;
  while (STEP.lastIndex < path.length) {
    const [whole, quoted, name, index, fromLast = "0"] = STEP.exec(path) ?? [];
    if (whole === undefined) return fail("a path of no known form");
    if (quoted !== undefined) steps.push(printedName(unquoted(quoted)));
    else if (name !== undefined) steps.push(printedName(name));
    else steps.push(index === undefined ? { fromLast: Number(fromLast) } : Number(index));
  }
  return steps;
}

function printedName(name: string): string {
  return JSON.stringify(name);
}

function unquoted(printed: string): string {
  try {
    return String(JSON.parse(printed));
  } catch {
    return fail("a name that is no string");
  }
}

/* What the server prints: `, ` and `: ` between parts, everything else is a value. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{}]|, |: |[^\s[\]{},:"]+/suy;

function parse(text: string): JsonNode {
  TOKEN.lastIndex = 0;
  const next = (): string => TOKEN.exec(text)?.[0] ?? fail("a document that is not as printed");
  const node = parseNode(next(), next);
  return TOKEN.lastIndex === text.length ? node : fail("a document with more behind it");
}

function parseNode(first: string, next: () => string): JsonNode {
  if (first === "[") {
    const items: JsonNode[] = [];
    for (let token = next(); token !== "]"; token = next())
      items.push(parseNode(token === ", " ? next() : token, next));
    return items;
  }
  if (first !== "{") return first;
  const members = new Map<string, JsonNode>();
  for (let token = next(); token !== "}"; token = next()) {
    const name = token === ", " ? next() : token;
    if (next() !== ": ") return fail("a member without a value");
    members.set(name, parseNode(next(), next));
  }
  return members;
}

function print(node: JsonNode): string {
  if (typeof node === "string") return node;
  if (Array.isArray(node)) return `[${node.map(print).join(", ")}]`;
  const members = [...node].sort(([left], [right]) => compareNames(left, right));
  return `{${members.map(([name, value]) => `${name}: ${print(value)}`).join(", ")}}`;
}

/** Objects have their members in this order: shorter names first, then by bytes. */
function compareNames(left: string, right: string): number {
  const [one, other] = [nameBytes(left), nameBytes(right)];
  return one.length - other.length || one.compare(other);
}

function nameBytes(printed: string): Buffer {
  return Buffer.from(unquoted(printed));
}

function fail(what: string): never {
  throw new RangeError(`a part of a JSON document has ${what}`);
}
