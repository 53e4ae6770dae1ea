import type { ReplicationEvent, Table } from "./event.ts";

/** Only the tables that the events name: a source's registry holds every table it ever saw. */
export function tablesNamed(
  tables: ReadonlyMap<number, Table>,
  groups: readonly { readonly events: readonly ReplicationEvent[] }[],
): ReadonlyMap<number, Table> {
  const named = new Map<number, Table>();
  const add = (id: number): void => {
    const table = tables.get(id);
    if (table === undefined) throw new TypeError(`an event names table ${id}, which its batch does not have`);
    named.set(id, table);
  };
  let latest = -1;
  for (const { events } of groups) {
    for (const event of events) {
      if (event.kind === "truncate") event.tables.forEach(add);
      else if (event.table !== latest) add((latest = event.table));
    }
  }
  return named;
}
