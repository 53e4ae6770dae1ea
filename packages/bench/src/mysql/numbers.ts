/** A table of numbers `g` from 0 to below `count`, made of its digits: it runs on both, and on every release. */
export function numbersBelow(count: number): string {
  const places = Array.from(String(Math.max(1, count - 1)), (_, place) => place);
  const sum = places.map((place) => `d${place}.d * ${10 ** place}`).join(" + ");
  const digit = Array.from({ length: 10 }, (_, d) => `select ${d}${d === 0 ? " as d" : ""}`).join(
    " union all ",
  );
  const digits = places.map((place) => `(${digit}) d${place}`).join(", ");
  return `(select * from (select ${sum} as g from ${digits}) n where g < ${count}) numbers`;
}
