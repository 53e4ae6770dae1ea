export interface NeededServers {
  /** Kafka and PostgreSQL, and the product built. */
  readonly product: boolean;
  readonly mysql: boolean;
}

/** What the files need that a run's command line names; without names it is every file. */
export function neededServers(args: readonly string[]): NeededServers {
  const filters = args.filter((argument) => /[/.]/.test(argument) && !argument.startsWith("-"));
  if (filters.length === 0) return { product: true, mysql: true };
  const needing = filters.filter((filter) => !/^packages\/core|\/src\/[\w/-]+\.test\.ts$/.test(filter));
  return {
    product: needing.some((filter) => !filter.endsWith(".mysql.test.ts")),
    mysql: needing.some((filter) => !/\.(?:pg|kafka)\.test\.ts$/.test(filter)),
  };
}
