/** Numbers of our readers lie above what people give their servers. */
const BASE = 0x4c53_0000;

/** Of a second reader beside it, for what stands further back in the log. */
const BESIDE = 0x1_0000;

/** By which a primary knows the reader of a pipeline among its replicas: always the same, mostly nobody else's. */
export function serverIdOf(pipeline: string): number {
  let hash = 0x811c_9dc5; // FNV-1a, folded to 16 bits.
  for (const byte of Buffer.from(pipeline)) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return BASE + ((hash ^ (hash >>> 16)) & 0xffff);
}

/** Of the reader beside it: two with one number end each other. */
export function besideIdOf(pipeline: string): number {
  return serverIdOf(pipeline) + BESIDE;
}
