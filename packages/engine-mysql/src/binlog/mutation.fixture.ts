/** A random sequence that can be repeated. */
export function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

/** A copy with another byte or bit there, cut off there, with a few bytes less or one more, or with ones. */
export function altered(bytes: Buffer, at: number, roll: (sides: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  switch (roll(6)) {
    case 0:
      copy[at] = roll(256);
      return copy;
    case 1:
      copy[at] = (copy[at] ?? 0) ^ (1 << roll(8));
      return copy;
    case 2:
      return copy.subarray(0, at);
    case 3:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1 + roll(4))]);
    case 4:
      return Buffer.concat([copy.subarray(0, at), Buffer.from([roll(256)]), copy.subarray(at)]);
    default:
      for (let index = at; index < Math.min(copy.length, at + 4); index++) copy[index] = 0xff;
      return copy;
  }
}

export function cpuMsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1_000;
}
